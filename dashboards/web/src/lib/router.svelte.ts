/** The address bar as state, and the pages by path. Every view is one address; links are ordinary `<a href>`. */
import type { Component } from 'svelte';

import type { Messages } from '$/i18n/vi';

import { match } from './match';

export type PageName = keyof Messages['pages'];

/** A page takes the parameters of its path, or nothing. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- pages differ in their props; the shell gives `params` to all
type Page = Component<any>;

export interface Route {
  name: PageName;
  /** `:name` stands for one segment. */
  path: string;
  load: () => Promise<{ default: Page }>;
  /** Shown without a login. */
  isPublic?: boolean;
}

export const ROUTES: Route[] = [
  { name: 'home', path: '/', load: () => import('$/pages/home/Home.svelte') },
  { name: 'hunt', path: '/hunt', load: () => import('$/pages/hunt/Hunt.svelte') },
  { name: 'paste', path: '/hunt/paste', load: () => import('$/pages/paste/Paste.svelte') },
  { name: 'analysis', path: '/hunt/analysis', load: () => import('$/pages/analysis/Analysis.svelte') },
  { name: 'jobs', path: '/hunt/jobs', load: () => import('$/pages/jobs/Jobs.svelte') },
  { name: 'alerts', path: '/alerts', load: () => import('$/pages/alerts/Alerts.svelte') },
  { name: 'incident', path: '/incidents/:id', load: () => import('$/pages/incident/Incident.svelte') },
  { name: 'systems', path: '/systems', load: () => import('$/pages/systems/Systems.svelte') },
  { name: 'system', path: '/systems/:id', load: () => import('$/pages/system/System.svelte') },
  { name: 'sources', path: '/sources', load: () => import('$/pages/sources/Sources.svelte') },
  { name: 'proof', path: '/proof', load: () => import('$/pages/proof/Proof.svelte') },
  { name: 'rules', path: '/rules', load: () => import('$/pages/rules/Rules.svelte') },
  { name: 'oncall', path: '/oncall', load: () => import('$/pages/oncall/OnCall.svelte') },
  { name: 'users', path: '/users', load: () => import('$/pages/users/Users.svelte') },
  { name: 'firsthour', path: '/first-hour', load: () => import('$/pages/firsthour/FirstHour.svelte') },
  { name: 'setup', path: '/setup', load: () => import('$/pages/setup/Setup.svelte'), isPublic: true },
  { name: 'login', path: '/login', load: () => import('$/pages/login/Login.svelte'), isPublic: true },
];

const NOT_FOUND: Route = { name: 'notfound', path: '', load: () => import('$/pages/notfound/NotFound.svelte') };

class Router {
  path = $state(location.pathname);
  search = $state(location.search);
  /** The key `/` was pressed on another page: Hunt takes the focus into its box once it is there. */
  wantsQuery = false;

  readonly found = $derived.by(() => {
    for (const route of ROUTES) {
      const params = match(route.path, this.path);
      if (params) return { route, params };
    }
    return { route: NOT_FOUND, params: {} as Record<string, string> };
  });

  constructor() {
    addEventListener('popstate', () => this.#read());
    addEventListener('click', (event) => this.#follow(event));
  }

  go(href: string, options: { replace?: boolean } = {}) {
    const samePath = new URL(href, location.href).pathname === this.path;
    if (options.replace) history.replaceState(null, '', href);
    else if (href !== location.pathname + location.search) history.pushState(null, '', href);
    this.#read();
    if (!samePath) scrollTo(0, 0);
  }

  #read() {
    this.path = location.pathname;
    this.search = location.search;
  }

  #follow(event: MouseEvent) {
    if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest('a[href]') : null;
    const href = link?.getAttribute('href');
    if (!link || !href || link.hasAttribute('download') || link.getAttribute('target')) return;
    const url = new URL(href, location.href);
    if (url.origin !== location.origin || url.pathname.startsWith('/api/') || (url.hash && url.pathname === location.pathname)) return;
    event.preventDefault();
    this.go(url.pathname + url.search);
  }
}

export const router = new Router();
