/** Filters of a page live in its address: reading and changing one of them. */
import { router } from './router.svelte';

export function param(name: string): string {
  return new URLSearchParams(router.search).get(name) ?? '';
}

/** The address with one parameter changed; an empty value removes it. */
export function withParam(path: string, search: string, name: string, value: string): string {
  const params = new URLSearchParams(search);
  if (value) params.set(name, value);
  else params.delete(name);
  const text = params.toString();
  return text ? `${path}?${text}` : path;
}

export function setParam(name: string, value: string) {
  router.go(withParam(router.path, router.search, name, value), { replace: true });
}
