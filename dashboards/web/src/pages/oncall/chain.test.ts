import { expect, it } from 'vitest';

import { vi } from '$/i18n/vi';

import { moved, problemOf, targetName } from './chain';

const step = (wait_minutes: number, target = 'everyone') => ({ wait_minutes, target });

it('names the step that is wrong', () => {
  expect(problemOf([step(0, 'oncall:1'), step(10)], 2, vi)).toBe('');
  expect(problemOf([], 2, vi)).toBe(vi.oncall.chain.noStep);
  expect(problemOf([step(0), step(1441)], 2, vi)).toBe('Bước 2: thời gian đợi là số phút từ 0 đến 1.440.');
  expect(problemOf([step(Number.NaN)], 2, vi)).toMatch(/^Bước 1/);
  expect(problemOf([step(0, '')], 2, vi)).toMatch(/^Bước 1: chưa chọn/);
  expect(problemOf([step(0), step(0)], 2, vi)).toMatch(/^Bước 2 lặp lại/);
  expect(problemOf([step(0)], 10, vi)).toBe(vi.oncall.chain.badRepeat);
  expect(problemOf([step(0)], null, vi)).toBe(vi.oncall.chain.badRepeat);
  expect(problemOf(Array.from({ length: 21 }, () => step(5)), 0, vi)).toBe(vi.oncall.chain.tooMany);
});

it('moves a step, not beyond the ends', () => {
  expect(moved(['a', 'b', 'c'], 2, -1)).toEqual(['a', 'c', 'b']);
  expect(moved(['a', 'b', 'c'], 0, 1)).toEqual(['b', 'a', 'c']);
  expect(moved(['a', 'b'], 0, -1)).toEqual(['a', 'b']);
});

it('says whom a step tells', () => {
  const schedule = { id: '3', name: 'Trực chính' } as never;
  expect(targetName('oncall:3', [schedule], vi)).toBe('Người đang trực: Trực chính');
  expect(targetName('oncall:4', [schedule], vi)).toContain('đã bị xoá');
  expect(targetName('user:lan', [], vi, [{ name: 'lan', display_name: 'Trần Thị Lan' }])).toBe('Trần Thị Lan');
  expect(targetName('everyone', [], vi)).toBe(vi.oncall.targets.everyone);
});
