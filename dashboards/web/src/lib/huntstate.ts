/** What the Hunt page shows, and its address: the whole view is in the query string, so that a link shows the same. */
import { DEFAULT, type Range } from './range';
import type { HuntMode, Json } from './types';
import { plain } from './text';

export interface HuntState {
  q: string;
  mode: HuntMode;
  range: Range;
  /** Id of the event whose panel is open. */
  sel: string | null;
  /** Columns of the list after the time. */
  cols: string[];
  /** Events as they arrive, instead of a range. */
  live: boolean;
}

export const COLUMNS = ['system.id', 'host.name', 'event.dataset', 'message'];

export function readHunt(search: string): HuntState {
  const params = new URLSearchParams(search);
  const cols = (params.get('cols') ?? '').split(',').filter(Boolean);
  return {
    q: params.get('q') ?? '',
    mode: params.get('mode') === 'sql' ? 'sql' : 'search',
    range: { from: params.get('from') ?? DEFAULT.from, to: params.get('to') ?? DEFAULT.to },
    sel: params.get('sel'),
    cols: cols.length > 0 ? cols : COLUMNS,
    live: params.get('live') === '1' && params.get('mode') !== 'sql',
  };
}

/** The address of a state; what equals the default is left out. */
export function huntHref(state: Partial<HuntState>): string {
  const params = new URLSearchParams();
  if (state.q) params.set('q', state.q);
  if (state.mode === 'sql') params.set('mode', 'sql');
  if (state.range && state.range.from !== DEFAULT.from) params.set('from', state.range.from);
  if (state.range && state.range.to !== DEFAULT.to) params.set('to', state.range.to);
  if (state.cols && state.cols.join() !== COLUMNS.join()) params.set('cols', state.cols.join(','));
  if (state.live && state.mode !== 'sql') params.set('live', '1');
  if (state.sel) params.set('sel', state.sel);
  const text = params.toString();
  return text ? `/hunt?${text}` : '/hunt';
}

export const EXPORTS = ['csv', 'ndjson', 'parquet'] as const;

/** Where the whole answer can be fetched as a file. CSV has the columns that are shown, the other forms all. */
export function exportHref(state: HuntState, span: { from: number; to: number }, format: (typeof EXPORTS)[number]): string {
  const params = new URLSearchParams({ q: state.q, mode: state.mode, from: new Date(span.from).toISOString(), to: new Date(span.to).toISOString(), format });
  if (state.mode === 'search' && format === 'csv') params.set('columns', [...new Set(['timestamp', ...state.cols, 'event.original', 'event.id'])].join(','));
  return `/api/v1/hunt/export?${params}`;
}

/** One `field:"value"` of the search language. */
export function term(field: string, value: Json): string {
  if (value === null || value === '') return `not ${field}:*`;
  const text = plain(Array.isArray(value) ? (value[0] ?? '') : value);
  const isBare = /^[\p{L}\p{N}._-]+$/u.test(text) && !/^(and|or|not)$/i.test(text);
  return `${field}:${isBare ? text : `"${text.replace(/[\\"]/g, (mark) => `\\${mark}`)}"`}`;
}

/** The query narrowed by a value. A query with a pipe is narrowed before its first pipe; an `or` is put in brackets. */
export function narrow(q: string, field: string, value: Json, keep: boolean): string {
  const one = term(field, value);
  const addition = keep ? one : one.startsWith('not ') ? one.slice(4) : `not ${one}`;
  const { head, tail } = splitPipe(q.trim());
  const base = head.trim();
  if (!base || base === '*') return addition + tail;
  if (base.split(/\s+and\s+/i).includes(addition)) return q;
  const guarded = /\bor\b/i.test(base) && !/^\(.*\)$/s.test(base) ? `(${base})` : base;
  return `${guarded} and ${addition}${tail}`;
}

function splitPipe(q: string): { head: string; tail: string } {
  let quoted = false;
  for (let i = 0; i < q.length; i += 1) {
    if (q[i] === '\\') i += 1;
    else if (q[i] === '"') quoted = !quoted;
    else if (q[i] === '|' && !quoted) return { head: q.slice(0, i), tail: ` ${q.slice(i)}` };
  }
  return { head: q, tail: '' };
}
