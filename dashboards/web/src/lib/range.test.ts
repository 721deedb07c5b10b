import { describe, expect, it } from 'vitest';

import { absolute, DEFAULT, describe as words, edge, isRelative, QUICK, resolve } from './range';

const NOW = Date.UTC(2026, 10, 23, 10);
const DAY = 86_400_000;

describe('edges', () => {
  it('are now, a step back, or a moment', () => {
    expect(edge('now', NOW)).toBe(NOW);
    expect(edge('-15m', NOW)).toBe(NOW - 900_000);
    expect(edge('2026-11-01T00:00:00Z', NOW)).toBe(Date.UTC(2026, 10, 1));
    for (const text of ['-24', '24h', '-1y', 'hôm qua', '']) expect(edge(text, NOW), text).toBeNull();
  });

  it('of every quick range are understood', () => {
    for (const step of QUICK) expect(resolve({ from: step, to: 'now' }, NOW).from, step).toBeLessThan(NOW);
  });
});

it('a broken or backward range falls back to 24 hours', () => {
  const day = { from: NOW - DAY, to: NOW };
  expect(resolve({ from: 'x', to: 'now' }, NOW)).toEqual(day);
  expect(resolve({ from: 'now', to: '-24h' }, NOW)).toEqual(day);
});

it('absolute freezes a range for sharing', () => {
  expect(isRelative(DEFAULT)).toBe(true);
  const frozen = absolute(DEFAULT, NOW);
  expect(frozen).toEqual({ from: '2026-11-22T10:00:00.000Z', to: '2026-11-23T10:00:00.000Z' });
  expect(isRelative(frozen)).toBe(false);
  expect(words(frozen, NOW)).toBe('22/11/2026 17:00 – 23/11/2026 17:00');
});
