import { expect, it } from 'vitest';

import { QUICK } from '$/lib/range';

import { en } from './en';
import { vi } from './vi';

type Leaf = { path: string; value: unknown };

function leaves(value: unknown, path = ''): Leaf[] {
  if (typeof value !== 'object' || value === null) return [{ path, value }];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, path ? `${path}.${key}` : key));
}

it('both languages say the same things', () => {
  expect(leaves(en).map((leaf) => leaf.path).sort()).toEqual(leaves(vi).map((leaf) => leaf.path).sort());
});

it('no message is empty, doubled in space, or left with a brace', () => {
  for (const { path, value } of [...leaves(vi), ...leaves(en)]) {
    const text = typeof value === 'function' ? (value as (...args: unknown[]) => string)(2, 3, 4) : String(value);
    expect(text.trim(), path).toBe(text);
    expect(text.length, path).toBeGreaterThan(0);
    expect(text, path).not.toMatch(/ {2}|undefined|\[object|[{}]/);
  }
});

it('Vietnamese is written in composed characters', () => {
  for (const { path, value } of leaves(vi)) if (typeof value === 'string') expect(value.normalize('NFC'), path).toBe(value);
});

it('English has its plurals, numbers follow the language', () => {
  expect(en.hunt.rows(1)).toBe('1 row');
  expect(en.hunt.rows(2)).toBe('2 rows');
  expect(vi.home.lead(1753)).toBe('1.753 hệ thống thông tin được giám sát');
});

it('uses the words of the law', () => {
  expect(vi.system.owner).toBe('Chủ quản hệ thống thông tin');
  expect(vi.score.none).toBe('Chưa đủ căn cứ');
  expect(vi.verdict).toMatchObject({ met: 'Đạt', partly: 'Đạt một phần', breached: 'Vi phạm', blind: 'Mù (không có dữ liệu)', expired: 'Hết hạn', accumulating: 'Đang tích luỹ', not_yet_due: 'Chưa đến hạn', not_applicable: 'Không áp dụng', not_evaluated: 'Chưa đánh giá' });
});

it('every quick range has a name', () => {
  for (const step of QUICK) expect(vi.range.quick[step], step).toBeTruthy();
});
