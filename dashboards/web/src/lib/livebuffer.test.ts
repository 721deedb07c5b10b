import { expect, it } from 'vitest';

import { EMPTY, release, ROWS_MAX, take } from './livebuffer';

const rows = (from: number, count: number) => Array.from({ length: count }, (_, i) => ({ n: from + i }));
const ns = (list: { [key: string]: unknown }[]) => list.map((row) => row.n);

it('shows the newest first', () => {
  const buffer = take(take(EMPTY, rows(1, 2), 0, false), rows(3, 1), 4, false);
  expect(ns(buffer.shown)).toEqual([3, 2, 1]);
  expect([buffer.missed, buffer.seen]).toEqual([4, 3]);
});

it('holds still and lets go', () => {
  const held = take(take(EMPTY, rows(1, 1), 0, false), rows(2, 2), 0, true);
  expect([ns(held.shown), ns(held.waiting)]).toEqual([[1], [3, 2]]);
  expect(ns(release(held).shown)).toEqual([3, 2, 1]);
});

it('never keeps more than it may', () => {
  const buffer = take(take(EMPTY, rows(0, ROWS_MAX), 0, false), rows(ROWS_MAX, ROWS_MAX + 5), 0, true);
  expect([buffer.shown.length, buffer.waiting.length]).toEqual([ROWS_MAX, ROWS_MAX]);
  expect(release(buffer).shown[0]?.n).toBe(2 * ROWS_MAX + 4);
});
