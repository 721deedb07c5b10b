import { expect, test } from 'vitest';

import { typedTime } from '$/lib/times';

import { grouped, short } from './hex';

test('hashes are read in groups', () => {
  expect(grouped('5f3a09c177d0')).toBe('5f3a 09c1 77d0');
  expect(grouped('5f3a0')).toBe('5f3a 0');
  expect(grouped('')).toBe('');
  expect(short('5f3a09c177d02b1e')).toBe('5f3a-09c1-77d0');
});

test('a typed time is a time, nothing, or wrong', () => {
  expect(typedTime('23/11/2026 07:00')).toBe('2026-11-23T00:00:00.000Z');
  expect(typedTime('  ')).toBeNull();
  expect(typedTime('hôm qua')).toBeUndefined();
});
