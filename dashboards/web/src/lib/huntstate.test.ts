import { describe, expect, it } from 'vitest';

import { COLUMNS, exportHref, huntHref, narrow, readHunt, term, type HuntState } from './huntstate';
import { DEFAULT } from './range';

describe('the address', () => {
  it('of the default view is bare', () => {
    expect(huntHref({ q: '', mode: 'search', range: DEFAULT, sel: null, cols: COLUMNS, live: false })).toBe('/hunt');
  });

  it('holds the whole view and gives it back', () => {
    const views: HuntState[] = [
      { q: 'a & b = "c" + đ%20#', mode: 'search', range: { from: '-7d', to: 'now' }, sel: 'n1-7-0', cols: ['source.ip', 'message'], live: true },
      { q: 'SELECT 1\nFROM events', mode: 'sql', range: { from: '2026-11-01T00:00:00Z', to: '2026-11-02T00:00:00Z' }, sel: null, cols: COLUMNS, live: false },
    ];
    for (const view of views) {
      const { search } = new URL(huntHref(view), 'http://x');
      expect(readHunt(search)).toEqual(view);
    }
  });

  it('with nonsense reads as the default', () => {
    expect(readHunt('?mode=drop&cols=,,')).toEqual({ q: '', mode: 'search', range: DEFAULT, sel: null, cols: COLUMNS, live: false });
  });
});

describe('export', () => {
  it('names two moments; CSV has the columns that are shown, and the line', () => {
    const state: HuntState = { q: 'a&b', mode: 'search', range: DEFAULT, sel: null, cols: ['user.name', 'event.original'], live: false };
    const params = new URL(exportHref(state, { from: 0, to: 60_000 }, 'csv'), 'http://x').searchParams;
    expect(Object.fromEntries(params)).toEqual({ q: 'a&b', mode: 'search', from: '1970-01-01T00:00:00.000Z', to: '1970-01-01T00:01:00.000Z', format: 'csv', columns: 'timestamp,user.name,event.original,event.id' });
    expect(exportHref({ ...state, mode: 'sql' }, { from: 0, to: 1 }, 'csv')).not.toContain('columns');
    expect(exportHref(state, { from: 0, to: 1 }, 'parquet')).not.toContain('columns');
  });
});

describe('term', () => {
  it('quotes what the language would read otherwise', () => {
    expect(term('user.name', 'root')).toBe('user.name:root');
    expect(term('user.name', 'đặng.thị')).toBe('user.name:đặng.thị');
    expect(term('source.ip', '2001:db8::5')).toBe('source.ip:"2001:db8::5"');
    expect(term('message', 'say "hi" \\')).toBe('message:"say \\"hi\\" \\\\"');
    expect(term('user.name', 'or')).toBe('user.name:"or"');
    expect(term('http.response.status_code', 404)).toBe('http.response.status_code:404');
    expect(term('user.name', null)).toBe('not user.name:*');
  });
});

describe('narrow', () => {
  it('joins with and', () => {
    expect(narrow('', 'a', 'x', true)).toBe('a:x');
    expect(narrow('*', 'a', 'x', false)).toBe('not a:x');
    expect(narrow('failed', 'a', 'x', false)).toBe('failed and not a:x');
  });

  it('guards an or', () => {
    expect(narrow('b or c', 'a', 'x', true)).toBe('(b or c) and a:x');
  });

  it('stands before the first pipe, but not one in quotes', () => {
    expect(narrow('b | stats count by c', 'a', 'x', true)).toBe('b and a:x | stats count by c');
    expect(narrow('"p|q"', 'a', 'x', true)).toBe('"p|q" and a:x');
  });

  it('adds nothing twice and turns an empty value round', () => {
    expect(narrow('b and a:x', 'a', 'x', true)).toBe('b and a:x');
    expect(narrow('b', 'a', null, false)).toBe('b and a:*');
  });
});
