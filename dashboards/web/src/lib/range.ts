/**
 * Time ranges as the address bar holds them: an edge is "now", a step back from now ("-24h"), or an RFC 3339 moment.
 * Relative edges keep a bookmark fresh; `absolute` freezes them before a link is shared.
 */
import { dateTime, millis } from './format';

export interface Range {
  from: string;
  to: string;
}

export const QUICK = ['-15m', '-1h', '-6h', '-24h', '-7d', '-30d', '-90d'] as const;
export const DEFAULT: Range = { from: '-24h', to: 'now' };

const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of an edge; null when the text is no edge. */
export function edge(text: string, now: number): number | null {
  if (text === 'now') return now;
  const step = /^-(\d{1,5})([mhd])$/.exec(text);
  if (step) return now - Number(step[1]) * UNIT_MS[step[2] as keyof typeof UNIT_MS];
  const ms = millis(text);
  return Number.isNaN(ms) ? null : ms;
}

/** The range in milliseconds; broken or backward edges fall back to the last 24 hours. */
export function resolve(range: Range, now: number): { from: number; to: number } {
  const from = edge(range.from, now);
  const to = edge(range.to, now);
  return from !== null && to !== null && from < to ? { from, to } : { from: now - UNIT_MS.d, to: now };
}

export function isRelative(range: Range): boolean {
  return range.to === 'now' && range.from.startsWith('-');
}

export function absolute(range: Range, now: number): Range {
  const { from, to } = resolve(range, now);
  return { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
}

/** "22/11/2026 17:03 – 23/11/2026 17:03" */
export function describe(range: Range, now: number): string {
  const { from, to } = resolve(range, now);
  return `${dateTime(from, 'minute')} – ${dateTime(to, 'minute')}`;
}
