import { afterEach, expect, it, vi } from 'vitest';

import { api, ApiError, setCsrf, whenUnauthenticated } from './api';

function answer(status: number, body: unknown) {
  const fetch = vi.fn<(path: string, init: RequestInit) => Promise<Response>>(async () => new Response(status === 204 ? null : JSON.stringify(body), { status }));
  vi.stubGlobal('fetch', fetch);
  return fetch;
}
afterEach(() => vi.unstubAllGlobals());

it('sends the CSRF token with what changes something, never with a GET', async () => {
  setCsrf('t0ken');
  const fetch = answer(200, {});
  await api.ack('i/1', 'đã xem');
  await api.systems();
  const [path, post] = fetch.mock.calls[0] ?? ['', {}];
  expect(path).toBe('/api/v1/incidents/i%2F1/ack');
  expect(post).toMatchObject({ method: 'POST', credentials: 'same-origin', body: '{"note":"đã xem"}' });
  expect(post.headers).toMatchObject({ 'x-chieng-csrf': 't0ken' });
  expect(fetch.mock.calls[1]?.[1].headers).not.toHaveProperty('x-chieng-csrf');
});

it('turns the error model into an ApiError with its place', async () => {
  answer(400, { error: { code: 'search_syntax', message: 'unclosed', offset: 4, length: 1, request_id: 'r1' } });
  const error = await api.home().catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ status: 400, code: 'search_syntax', body: { offset: 4, request_id: 'r1' } });
});

it('survives an error page that is no JSON, and no answer at all', async () => {
  vi.stubGlobal('fetch', async () => new Response('<html>', { status: 502 }));
  expect(await api.home().catch((caught: unknown) => caught)).toMatchObject({ status: 502, code: 'unexpected' });
  vi.stubGlobal('fetch', async () => Promise.reject(new TypeError('failed to fetch')));
  expect(await api.home().catch((caught: unknown) => caught)).toMatchObject({ status: 0, code: 'unreachable' });
});

it('reports an ended session, but not a wrong password', async () => {
  const ended = vi.fn();
  whenUnauthenticated(ended);
  answer(401, { error: { code: 'unauthenticated', message: 'x' } });
  await api.logIn('a', 'b').catch(() => {});
  expect(ended).not.toHaveBeenCalled();
  await api.home().catch(() => {});
  expect(ended).toHaveBeenCalledOnce();
});

it('leaves empty filters out of the address', async () => {
  const fetch = answer(200, []);
  await api.incidents({ status: 'open', severity: '', system: null });
  expect(fetch.mock.calls[0]?.[0]).toBe('/api/v1/incidents?status=open');
});
