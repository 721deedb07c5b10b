/** What a live tail keeps: the newest rows, bounded; while it is held still, what came meanwhile. */
import type { Row } from './types';

export const ROWS_MAX = 1000;

export interface LiveBuffer {
  /** Newest first. */
  shown: Row[];
  waiting: Row[];
  /** Rows that the server left out. */
  missed: number;
  /** Rows that came. */
  seen: number;
}

export const EMPTY: LiveBuffer = { shown: [], waiting: [], missed: 0, seen: 0 };

/** Takes rows in, which came oldest first. */
export function take(buffer: LiveBuffer, rows: Row[], missed: number, isHeld: boolean): LiveBuffer {
  const waiting = [...rows].reverse().concat(buffer.waiting).slice(0, ROWS_MAX);
  const next = { ...buffer, waiting, missed: buffer.missed + missed, seen: buffer.seen + rows.length };
  return isHeld ? next : release(next);
}

/** Shows what waited. */
export function release(buffer: LiveBuffer): LiveBuffer {
  return buffer.waiting.length === 0 ? buffer : { ...buffer, shown: buffer.waiting.concat(buffer.shown).slice(0, ROWS_MAX), waiting: [] };
}
