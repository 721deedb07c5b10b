/** Who is logged in. Starts as "unknown" until the server answered once. */
import { api, ApiError, setCsrf, whenUnauthenticated } from './api';
import { prefs } from './prefs.svelte';
import { router } from './router.svelte';
import type { Session, User } from './types';

class SessionState {
  status = $state<'unknown' | 'in' | 'out' | 'unreachable'>('unknown');
  user = $state<User | null>(null);
  version = $state('');
  /** What the page offers; the server decides again on every call. */
  readonly isAdmin = $derived(this.user?.role === 'admin');
  readonly canHandle = $derived(['admin', 'analyst', 'oncall'].includes(this.user?.role ?? ''));

  constructor() {
    whenUnauthenticated(() => this.toLogin());
  }

  /** Asks once at the start: a session, a login, or a first set-up. */
  async start() {
    try {
      this.enter(await api.session());
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) {
        this.status = 'unreachable';
        return;
      }
      this.status = 'out';
      const needed = await api.setupState().then((answer) => answer.needed, () => false);
      if (needed) router.go(`/setup${location.search}`, { replace: true });
      else if (!router.found.route.isPublic) this.toLogin();
    }
  }

  enter(session: Session) {
    setCsrf(session.csrf);
    this.user = session.user;
    this.version = session.version ?? '';
    this.status = 'in';
    prefs.followAccount(session.user.language);
  }

  async leave() {
    await api.logOut().catch(() => null);
    this.toLogin(false);
  }

  toLogin(comeBack = true) {
    setCsrf('');
    this.user = null;
    this.status = 'out';
    if (router.path === '/login') return;
    const next = router.path + router.search;
    router.go(comeBack && next !== '/' ? `/login?next=${encodeURIComponent(next)}` : '/login', { replace: true });
  }
}

export const session = new SessionState();
