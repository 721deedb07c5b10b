/** What the analysis page asks and shows: the range to compare with, shares, the search behind a pattern. */
import { narrow } from '$/lib/huntstate';
import type { Json } from '$/lib/types';

export const AGAINST = ['before', 'day', 'week'] as const;
export type Against = (typeof AGAINST)[number];

export interface Span {
  from: number;
  to: number;
}

const DAY = 86_400_000;

/** The same length of time right before, or the same hours a day or a week ago. Longer ranges step back far enough not to overlap. */
export function other(span: Span, against: Against): Span {
  const length = span.to - span.from;
  const unit = against === 'week' ? 7 * DAY : DAY;
  const step = against === 'before' ? length : Math.ceil(length / unit) * unit;
  return { from: span.from - step, to: span.to - step };
}

/** Percent of all, 0 of nothing. */
export const share = (n: number, all: number) => (all === 0 ? 0 : (100 * n) / all);

/** The search narrowed to lines of a pattern: the texts between its variables, as phrases. */
export function patternQuery(q: string, text: string): string {
  const phrases = text
    .split('*')
    .map((part) => part.replace(/^[^\p{L}\p{N}_]+|[^\p{L}\p{N}_]+$/gu, ''))
    // What touches a variable may be a part of a longer word there; only whole words can be searched for.
    .filter((part) => /\p{L}{2}/u.test(part))
    .slice(0, 6)
    .map((part) => `"${part.replace(/[\\"]/g, (mark) => `\\${mark}`)}"`);
  const base = q.trim();
  const guarded = base && /\bor\b/i.test(base) ? `(${base})` : base;
  return [guarded, ...phrases].filter(Boolean).join(' and ');
}

/** The search narrowed to a value of a field; null stands for events without it. */
export const valueQuery = (q: string, field: string, value: string | null) => narrow(q, field, value as Json, true);
