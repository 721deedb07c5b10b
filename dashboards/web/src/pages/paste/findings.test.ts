import { expect, it } from 'vitest';

import type { PasteAnswer, PasteFinding, PasteStatus } from '$/lib/types';

import { asCsv, counts, gaps, ordered } from './findings';

const one = (value: string, status: PasteStatus, last: string | null = null): PasteFinding => ({
  text: value, value, kind: 'domain', status, since: null, count: last ? 2 : 0, first: last, last, systems: [{ system: null, n: 2 }], more_systems: false, fields: ['message'], q: value,
});
const ALL = [one('a', 'none'), one('b', 'hit', '2026-01-01T00:00:00Z'), one('c', 'not_searchable'), one('d', 'hit', '2026-02-01T00:00:00Z'), one('e', 'none')];

it('shows hits first, newest at the top, then what cannot be said', () => {
  expect(ordered(ALL).map((found) => found.value)).toEqual(['d', 'b', 'c', 'a', 'e']);
  expect(counts(ALL)).toEqual({ hit: 2, none: 2, none_since: 0, not_searchable: 1 });
});

it('says which kinds have no field of their own and which are hidden', () => {
  const kind = { kind: 'hash' as const, fields: ['message'], hidden: [], since: '2026-01-01T00:00:00Z', field_since: null };
  const hidden = { kind: 'address' as const, fields: [], hidden: ['source.ip'], since: null, field_since: null };
  expect(gaps({ coverage: [kind, hidden] } as unknown as PasteAnswer)).toEqual({ fieldless: ['hash'], hidden: ['address'] });
});

it('takes a table away that a spreadsheet does not obey', () => {
  expect(asCsv([one('=evil.example', 'none')])).toContain("\r\n'=evil.example,domain,'=evil.example,none,");
});
