/** Field names for the word that is being typed. Matching folds case and Vietnamese accents, as the search box does. */
import type { Field } from '$/lib/types';

export interface Suggestion {
  field: Field;
  /** Where the typed word begins in the query (UTF-16). */
  start: number;
}

const MAX = 8;

export function fold(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').replace(/[đĐ]/g, 'd').toLowerCase();
}

/** Suggestions for the word that ends at the caret; nothing inside quotes or after a colon. */
export function suggest(q: string, caret: number, fields: Field[]): Suggestion[] {
  const head = q.slice(0, caret);
  if ((head.match(/(?<!\\)"/g)?.length ?? 0) % 2 === 1) return [];
  const typed = /(?:^|[\s(|,])([\p{L}_@][\p{L}\p{N}_.]*)$/u.exec(head)?.[1];
  if (!typed || typed.length < 2) return [];
  const wanted = fold(typed);
  const start = caret - typed.length;
  return fields
    .map((field) => ({ field, rank: rank(field, wanted) }))
    .filter(({ field, rank: r }) => r < 4 && field.name !== typed)
    .sort((a, b) => a.rank - b.rank || a.field.name.length - b.field.name.length)
    .slice(0, MAX)
    .map(({ field }) => ({ field, start }));
}

function rank(field: Field, wanted: string): number {
  if (field.name.startsWith(wanted)) return 0;
  if (field.name.split(/[._]/).some((part) => part.startsWith(wanted))) return 1;
  if (fold(field.label_vi).startsWith(wanted) || fold(field.label_en).startsWith(wanted)) return 2;
  return fold(`${field.label_vi} ${field.label_en}`).includes(wanted) ? 3 : 4;
}
