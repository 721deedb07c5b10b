/** The findings of a paste in the order in which people read them, their counts by state, and as a table to take away. */
import { csv } from '$/lib/csv';
import type { PasteAnswer, PasteFinding, PasteStatus } from '$/lib/types';

export const STATES: PasteStatus[] = ['hit', 'none', 'none_since', 'not_searchable'];

/** Hits first, the newest of them at the top; then what cannot be said; then the rest as it was pasted. */
export function ordered(findings: PasteFinding[]): PasteFinding[] {
  const rank: Record<PasteStatus, number> = { hit: 0, not_searchable: 1, none_since: 2, none: 3 };
  const newest = (one: PasteFinding) => one.last ?? '';
  return findings
    .map((one, at) => ({ one, at }))
    .sort((a, b) => rank[a.one.status] - rank[b.one.status] || newest(b.one).localeCompare(newest(a.one)) || a.at - b.at)
    .map(({ one }) => one);
}

export function counts(findings: PasteFinding[]): Record<PasteStatus, number> {
  const all = { hit: 0, none: 0, none_since: 0, not_searchable: 0 };
  for (const one of findings) all[one.status] += 1;
  return all;
}

/** What must be said about where was looked: kinds without a field of their own, kinds that the role may not read. */
export function gaps(answer: PasteAnswer): { fieldless: string[]; hidden: string[] } {
  return {
    fieldless: answer.coverage.filter((kind) => kind.field_since === null && kind.since !== null && kind.kind !== 'mail' && kind.kind !== 'url').map((kind) => kind.kind),
    hidden: answer.coverage.filter((kind) => kind.hidden.length > 0).map((kind) => kind.kind),
  };
}

export function asCsv(findings: PasteFinding[]): string {
  const head = ['indicator', 'kind', 'pasted', 'status', 'since', 'events', 'first', 'last', 'systems', 'fields'];
  const rows = findings.map((one) => [
    one.value, one.kind, one.text, one.status, one.since, one.count, one.first, one.last,
    one.systems.map(({ system }) => system?.id ?? 'unassigned').join('; '), one.fields.join('; '),
  ]);
  return csv(head, rows);
}
