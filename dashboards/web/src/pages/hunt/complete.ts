/**
 * Suggestions for the word that is being typed. Field names are matched here, folding case and Vietnamese accents as the search
 * box does; behind a command or an operator the server knows what may stand there.
 */
import { utf16 } from '$/lib/syntax';
import type { Completion, Field } from '$/lib/types';

/** One line of the list: what it puts in, from where. */
export interface Shown {
  /** UTF-16. */
  start: number;
  insert: string;
  label: string;
  note: string;
}

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

/** True where the page's own list of fields is not enough: behind a `|`, or where a value of a field is typed. */
export function asksServer(q: string, caret: number): boolean {
  const head = q.slice(0, caret);
  return head.includes('|') || /[\p{L}\p{N}_][:=]\(?[\p{L}\p{N}_.-]*$/u.test(head);
}

/** The caret as the server counts it: in code points. */
export const points = (q: string, caret: number) => [...q.slice(0, caret)].length;

/** The server's answer as lines of the list; a command or keyword is followed by a space. */
export function shown(q: string, found: Completion, lang: 'vi' | 'en'): Shown[] {
  const start = utf16(q, found.start);
  return found.suggestions.slice(0, MAX).map(({ kind, text, detail, vi, en }) => ({
    start,
    insert: kind === 'command' || kind === 'keyword' ? `${text} `.replace('= ', '=') : text,
    label: text,
    note: (lang === 'vi' ? vi || en : en || vi) || detail,
  }));
}
