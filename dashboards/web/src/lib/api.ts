/**
 * The thin typed client of `/api/v1`: one function per operation, nothing remembered but the CSRF token.
 * Shapes are in types.ts. Every call takes an AbortSignal; a failure is always an `ApiError`.
 */
import type * as T from './types';

const BASE = '/api/v1';

export class ApiError extends Error {
  constructor(
    /** 0 when there was no answer at all. */
    readonly status: number,
    readonly body: T.ApiErrorBody['error'],
  ) {
    super(body.message);
  }
  get code() {
    return this.body.code;
  }
}

let csrf = '';
export function setCsrf(token: string) {
  csrf = token;
}

/** Called on every 401 of a call that was made with a session: the shell shows the login page. */
let onUnauthenticated: () => void = () => {};
export function whenUnauthenticated(act: () => void) {
  onUnauthenticated = act;
}

async function call<Answer>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown, signal?: AbortSignal): Promise<Answer> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (method !== 'GET' && csrf) headers['x-chieng-csrf'] = csrf;
  if (body !== undefined) headers['content-type'] = 'application/json';
  let response: Response;
  try {
    const init: RequestInit = { method, headers, credentials: 'same-origin', cache: 'no-store', signal: signal ?? null };
    if (body !== undefined) init.body = JSON.stringify(body);
    response = await fetch(BASE + path, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, { code: 'unreachable', message: String(error) });
  }
  if (response.ok) return (response.status === 204 ? {} : await response.json().catch(() => ({}))) as Answer;
  const failure = (await response.json().catch(() => null)) as T.ApiErrorBody | null;
  if (response.status === 401 && path !== '/session') onUnauthenticated();
  throw new ApiError(response.status, failure?.error ?? { code: 'unexpected', message: `HTTP ${response.status}` });
}

type Query = Record<string, string | null | undefined>;
function query(params: Query): string {
  const kept = Object.entries(params).filter((pair): pair is [string, string] => !!pair[1]);
  return kept.length > 0 ? `?${new URLSearchParams(kept)}` : '';
}
const id = encodeURIComponent;
type Signal = AbortSignal | undefined;

export const api = {
  setupState: (signal?: Signal) => call<T.SetupState>('GET', '/setup', undefined, signal),
  setUp: (body: { token: string; name: string; password: string; display_name: string }) => call<T.Session>('POST', '/setup', body),
  session: (signal?: Signal) => call<T.Session>('GET', '/session', undefined, signal),
  logIn: (name: string, password: string) => call<T.Session>('POST', '/session', { name, password }),
  changePassword: (present: string, password: string) => call<object>('POST', '/session/password', { present, password }),
  logOut: () => call<object>('DELETE', '/session'),

  home: (signal?: Signal) => call<T.Home>('GET', '/home', undefined, signal),

  hunt: (body: T.HuntRequest, signal?: Signal) => call<T.HuntAnswer>('POST', '/hunt', body, signal),
  histogram: (body: { q: string; from: string; to: string; buckets: number; by?: string }, signal?: Signal) =>
    call<T.Histogram>('POST', '/hunt/histogram', body, signal),
  facets: (body: { q: string; from: string; to: string; fields?: string[] }, signal?: Signal) =>
    call<T.Facets>('POST', '/hunt/facets', body, signal),
  paste: (body: { text: string; from: string; to: string }, signal?: Signal) => call<T.PasteAnswer>('POST', '/hunt/paste', body, signal),
  patterns: (body: { q: string; from: string; to: string; limit?: number; rarest?: boolean }, signal?: Signal) => call<T.Patterns>('POST', '/hunt/patterns', body, signal),
  compare: (body: Record<'here' | 'there', { q: string; from: string; to: string }>, signal?: Signal) => call<T.Comparison>('POST', '/hunt/compare', body, signal),
  jobs: (signal?: Signal) => call<T.Jobs>('GET', '/jobs', undefined, signal),
  startJob: (body: Pick<T.Job, 'q' | 'mode' | 'from' | 'to'>) => call<T.Job>('POST', '/jobs', body),
  jobRows: (job: string, offset: number, limit: number, signal?: Signal) => call<T.JobRows>('GET', `/jobs/${id(job)}/rows${query({ offset: String(offset), limit: String(limit) })}`, undefined, signal),
  removeJob: (job: string) => call<object>('DELETE', `/jobs/${id(job)}`),
  searches: (signal?: Signal) => call<T.SavedSearch[]>('GET', '/searches', undefined, signal),
  saveSearch: (body: Pick<T.SavedSearch, 'name' | 'q' | 'mode' | 'from' | 'to' | 'columns' | 'shared'>) => call<T.SavedSearch>('POST', '/searches', body),
  removeSearch: (search: string) => call<object>('DELETE', `/searches/${id(search)}`),
  around: (event: string, n: number, signal?: Signal) => call<T.Around>('GET', `/events/${id(event)}/around?n=${n}`, undefined, signal),
  event: (event: string, signal?: Signal) => call<T.EventAnswer>('GET', `/events/${id(event)}`, undefined, signal),
  explain: (body: T.HuntRequest, signal?: Signal) => call<T.Explanation>('POST', '/hunt/explain', body, signal),
  complete: (q: string, caret: number, signal?: Signal) => call<T.Completion>('POST', '/hunt/complete', { q, caret }, signal),
  fields: (signal?: Signal) => call<T.Field[]>('GET', '/fields', undefined, signal),

  systems: (signal?: Signal) => call<T.Systems>('GET', '/systems', undefined, signal),
  system: (system: string, signal?: Signal) => call<T.SystemPage>('GET', `/systems/${id(system)}`, undefined, signal),
  requirement: (system: string, key: string, signal?: Signal) =>
    call<T.RequirementPage>('GET', `/systems/${id(system)}/requirements/${id(key)}`, undefined, signal),
  importRegister: (body: { kind: 'systems' | 'assets' | 'organisations'; csv: string; dry_run: boolean }) =>
    call<T.ImportAnswer>('POST', '/register/import', body),

  incidents: (params: Query, signal?: Signal) => call<T.Incidents>('GET', `/incidents${query(params)}`, undefined, signal),
  incident: (incident: string, signal?: Signal) => call<T.Incident>('GET', `/incidents/${id(incident)}`, undefined, signal),
  ack: (incident: string, note?: string) => call<object>('POST', `/incidents/${id(incident)}/ack`, note ? { note } : {}),
  close: (incident: string, verdict: T.CloseVerdict, note: string) => call<object>('POST', `/incidents/${id(incident)}/close`, { verdict, note }),
  note: (incident: string, text: string) => call<object>('POST', `/incidents/${id(incident)}/note`, { text }),
  people: (incident: string, signal?: Signal) => call<T.Assignee[]>('GET', `/incidents/${id(incident)}/people`, undefined, signal),
  assign: (incident: string, user: string) => call<object>('POST', `/incidents/${id(incident)}/assign`, { user }),
  alerts: (params: Query, signal?: Signal) => call<T.Alerts>('GET', `/alerts${query(params)}`, undefined, signal),

  rules: (signal?: Signal) => call<T.Rules>('GET', '/rules', undefined, signal),
  sources: (signal?: Signal) => call<T.Sources>('GET', '/sources', undefined, signal),
  keeping: (signal?: Signal) => call<T.Keeping>('GET', '/keeping', undefined, signal),
  placeHold: (body: { system: string | null; class: string | null; from: string | null; to: string | null; reason: string }) => call<T.Hold>('POST', '/holds', body),
  releaseHold: (id: number, reason: string) => call<T.Hold>('POST', `/holds/${id}/release`, { reason }),
  proof: (signal?: Signal) => call<T.Proof>('GET', '/proof', undefined, signal),
  eventProof: (event: string, signal?: Signal) => call<T.EventProof>('GET', `/events/${id(event)}/proof`, undefined, signal),
  checkProof: (body: { files_only: boolean; from: string | null; to: string | null; key: string | null; anchors: string | null }) => call<T.Proof>('POST', '/proof/check', body),
  stopCheck: () => call<object>('DELETE', '/proof/check'),
  makePacket: (body: { system: string; dataset: string | null; from: string; to: string; reason: string }) => call<{ id: number }>('POST', '/proof/packets', body),
  removePacket: (packet: number) => call<object>('DELETE', `/proof/packets/${packet}`),
  adopt: (body: { address: string; system: string; asset_name?: string; reason: string }) => call<{ moved: number; since: string }>('POST', '/sources/adopt', body),

  onCall: (signal?: Signal) => call<T.OnCall>('GET', '/oncall', undefined, signal),
  setOnCall: (body: T.OnCall) => call<T.OnCall>('POST', '/oncall', body),
  channels: (signal?: Signal) => call<T.Channels>('GET', '/channels', undefined, signal),
  addChannel: (kind: 'email' | 'webhook', address: string) => call<void>('POST', '/channels', { kind, address }),
  testChannels: (channel?: string) => call<T.ChannelTest>('POST', '/channels/test', channel ? { channel } : {}),

  setupSource: (kind: T.DeviceKind) => call<T.SetupSource>('POST', '/setup/source', { kind }),
  waiting: (source: string, since: string, signal?: Signal) =>
    call<T.SetupWaiting>('GET', `/setup/waiting${query({ source, since })}`, undefined, signal),
  testAlert: (system: string) => call<T.TestAlert>('POST', '/setup/test-alert', { system }),

  users: (signal?: Signal) => call<T.Users>('GET', '/users', undefined, signal),
  addUser: (body: { name: string; display_name: string; role: T.Role; password: string; systems: 'all' | string[]; language: 'vi' | 'en'; email?: string }) =>
    call<T.UserRow>('POST', '/users', body),
  changeUser: (user: string, change: T.UserChange) => call<T.UserRow>('POST', `/users/${id(user)}`, change),
  resetPassword: (user: string, password: string) => call<object>('POST', `/users/${id(user)}/password`, { password }),
};
