/**
 * Which command a key press means. Keys are read by `event.code` (the place on the keyboard), because Vietnamese input
 * methods turn letters into others, and never while composing or typing. Not here: what a command does.
 */
export type Command =
  | 'query' | 'next' | 'previous' | 'open' | 'close' | 'ack' | 'theme' | 'sheet'
  | 'go.home' | 'go.hunt' | 'go.alerts' | 'go.systems' | 'go.rules' | 'go.sources';

export interface KeyLike {
  code: string;
  key?: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
  isComposing: boolean;
  repeat?: boolean;
}

/** How long a `g` waits for its second key. */
const PREFIX_MS = 1500;

const PLAIN: Record<string, Command> = {
  Slash: 'query', KeyJ: 'next', KeyK: 'previous', Enter: 'open', NumpadEnter: 'open', Escape: 'close', KeyA: 'ack', KeyT: 'theme',
};

const AFTER_G: Record<string, Command> = {
  KeyH: 'go.home', KeyU: 'go.hunt', KeyA: 'go.alerts', KeyS: 'go.systems', KeyR: 'go.rules', KeyN: 'go.sources',
};

export class Keys {
  #prefixAt: number | null = null;

  /**
   * `where` says what has the focus: "typing" lets only Escape through, "control" (a link, a button) keeps Enter for
   * itself. `singles` is the off switch of WCAG 2.1.4: without it only Escape and Enter remain.
   */
  command(event: KeyLike, where: 'page' | 'control' | 'typing', singles: boolean, now: number): Command | null {
    // 229 is what some browsers report while an input method works, with isComposing still false.
    if (event.isComposing || event.key === 'Process' || event.code === '') return null;
    if (event.ctrlKey || event.altKey || event.metaKey) return null;
    if (event.code === 'Escape') return this.#drop('close');
    if (where === 'typing') return this.#drop(null);

    const prefixed = this.#prefixAt !== null && now - this.#prefixAt < PREFIX_MS;
    this.#prefixAt = null;
    if (singles && prefixed && !event.shiftKey && AFTER_G[event.code]) return AFTER_G[event.code] ?? null;

    const command = event.shiftKey ? (event.code === 'Slash' ? 'sheet' : null) : (PLAIN[event.code] ?? null);
    if (command === 'open') return where === 'control' ? null : command;
    if (!singles) return null;
    if (event.code === 'KeyG' && !event.shiftKey) {
      this.#prefixAt = now;
      return null;
    }
    return command;
  }

  #drop(command: Command | null): Command | null {
    this.#prefixAt = null;
    return command;
  }
}

/** What has the focus, in the words of `Keys.command`. */
export function focusKind(target: EventTarget | null): 'page' | 'control' | 'typing' {
  if (!(target instanceof HTMLElement)) return 'page';
  if (target.isContentEditable || target.matches('input:not([type=checkbox],[type=radio],[type=button]), textarea, select')) return 'typing';
  return target.matches('a[href], button, summary, [role=button], input') ? 'control' : 'page';
}
