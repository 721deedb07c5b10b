/** What one person prefers in this browser: language, theme, single-key commands. Kept in localStorage, never sent. */
import type { Lang } from './format';

export type Theme = 'auto' | 'light' | 'dark';
const KEY = 'chieng.prefs';

interface Stored {
  lang: Lang | null;
  theme: Theme;
  keys: boolean;
}

function stored(): Stored {
  const fallback: Stored = { lang: null, theme: 'auto', keys: true };
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Stored>;
    return {
      lang: found.lang === 'vi' || found.lang === 'en' ? found.lang : null,
      theme: found.theme === 'light' || found.theme === 'dark' ? found.theme : 'auto',
      keys: found.keys !== false,
    };
  } catch {
    return fallback;
  }
}

class Prefs {
  #kept = $state(stored());
  /** The language of the account, used while this browser has chosen none. */
  #account = $state<Lang>('vi');
  #systemIsDark = $state(matchMedia('(prefers-color-scheme: dark)').matches);

  constructor() {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', (event) => {
      this.#systemIsDark = event.matches;
      this.#apply();
    });
    this.#apply();
  }

  get lang(): Lang {
    return this.#kept.lang ?? this.#account;
  }
  set lang(lang: Lang) {
    this.#keep({ lang });
  }
  get theme() {
    return this.#kept.theme;
  }
  set theme(theme: Theme) {
    this.#keep({ theme });
  }
  get isDark() {
    return this.#kept.theme === 'auto' ? this.#systemIsDark : this.#kept.theme === 'dark';
  }
  get keys() {
    return this.#kept.keys;
  }
  set keys(keys: boolean) {
    this.#keep({ keys });
  }

  followAccount(lang: Lang) {
    this.#account = lang;
    this.#apply();
  }

  #keep(change: Partial<Stored>) {
    this.#kept = { ...this.#kept, ...change };
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#kept));
    } catch {
      // A browser that keeps nothing still works for this visit.
    }
    this.#apply();
  }

  #apply() {
    document.documentElement.dataset.theme = this.isDark ? 'dark' : 'light';
    document.documentElement.lang = this.lang;
  }
}

export const prefs = new Prefs();
