import { expect, test } from 'vitest';

import { say } from '$/i18n/said';

import { isMoving, share, takeHref } from './jobs';
import type { Job } from './types';

const job = (more: Partial<Job>): Job => ({
  id: '7', q: 'x', mode: 'search', from: '', to: '', columns: [], status: 'running', permille: 250, rows: 0, bytes: 0,
  complete: false, reason: null, readable: false, created: '', started: null, ended: null, expires: '', ...more,
});

test('the list is looked at again while something waits or runs', () => {
  expect(isMoving([job({ status: 'done' }), job({ status: 'waiting' })])).toBe(true);
  expect(isMoving([job({ status: 'done' }), job({ status: 'failed' }), job({ status: 'interrupted' })])).toBe(false);
});

test('what the server refuses and why a part is missing is said in Vietnamese', () => {
  expect(say('5 jobs of yours wait or run; wait for one or remove it', 'vi')).toBe('5 câu của bạn đang đợi hoặc đang chạy; hãy đợi hoặc bỏ một câu');
  expect(say('more than 256 MiB', 'vi')).toBe('hơn 256 MiB');
});

test('progress is told only where something tells', () => {
  expect(share(job({}))).toBe(0.25);
  expect(share(job({ permille: null }))).toBe(null);
  expect(share(job({ status: 'done' }))).toBe(null);
});

test('an answer is fetched from its own address', () => {
  expect(takeHref(job({ id: 'a/b' }), 'csv')).toBe('/api/v1/jobs/a%2Fb/download?format=csv');
});
