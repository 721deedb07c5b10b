import { describe, expect, it } from 'vitest';

import { reveal, slice } from './virtual';

describe('slice', () => {
  it('draws only what is on screen and a little more', () => {
    const found = slice(26 * 5000, 520, 26, 10_000, 8);
    expect(found).toEqual({ first: 4992, end: 5028, top: 4992 * 26, height: 260_000 });
  });

  it('covers the whole viewport at every scroll position', () => {
    for (let top = 0; top <= 26 * 90; top += 7) {
      const { first, end } = slice(top, 260, 26, 100, 0);
      expect(first * 26).toBeLessThanOrEqual(top);
      expect(end * 26).toBeGreaterThanOrEqual(Math.min(top + 260, 2600));
    }
  });

  it('survives an empty list and a position left over from a longer one', () => {
    expect(slice(900, 300, 26, 0)).toMatchObject({ first: 0, end: 0, height: 0 });
    expect(slice(90_000, 260, 26, 20, 0)).toMatchObject({ first: 10, end: 20 });
  });
});

describe('reveal', () => {
  it('moves as little as possible', () => {
    expect(reveal(3, 0, 260, 26)).toBe(0);
    expect(reveal(10, 0, 260, 26)).toBe(26);
    expect(reveal(2, 260, 260, 26)).toBe(52);
  });
});
