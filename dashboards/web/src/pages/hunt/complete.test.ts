import { expect, it } from 'vitest';

import type { Field } from '$/lib/types';

import { asksServer, fold, points, shown, suggest } from './complete';

const field = (name: string, label_vi: string): Field => ({ name, label_vi, label_en: name, type: 'keyword', doc: '' });
const FIELDS = [field('user.name', 'Tài khoản'), field('user.id', 'Mã tài khoản'), field('source.ip', 'IP nguồn'), field('source.user.name', 'Tài khoản nguồn'), field('url.path', 'Đường dẫn URL')];
const names = (q: string, caret = q.length) => suggest(q, caret, FIELDS).map((one) => one.field.name);

it('folds case and accents, đ to d', () => {
  expect(fold('Đường DẪN')).toBe('duong dan');
});

it('prefers the beginning of a name, then a part, then a label', () => {
  expect(names('user')).toEqual(['user.id', 'user.name', 'source.user.name']);
  expect(names('duong')).toEqual(['url.path']);
  expect(names('tai')).toEqual(['user.name', 'source.user.name', 'user.id']);
});

it('completes the word at the caret, wherever it is', () => {
  const q = 'failed and sour or x';
  expect(suggest(q, 15, FIELDS)[0]).toMatchObject({ start: 11, field: { name: 'source.ip' } });
});

it('is quiet inside quotes, after a colon, for one letter and for a finished name', () => {
  expect(names('"user')).toEqual([]);
  expect(names('user.name:us')).toEqual([]);
  expect(names('u')).toEqual([]);
  expect(names('source.ip')).toEqual([]);
});

it('asks the server behind a command and where a value is typed', () => {
  expect(asksServer('failed | sta', 12)).toBe(true);
  expect(asksServer('event.outcome:fa', 16)).toBe(true);
  expect(asksServer('event.outcome:(success or fa', 16)).toBe(true);
  expect(asksServer('failed user', 11)).toBe(false);
});

it('counts as the server does and puts its answer where the word began', () => {
  const q = '😀 | sta';
  expect(points(q, q.length)).toBe(7);
  const one = { kind: 'command', text: 'stats', detail: 'stats count() by user.name', vi: 'Đếm', en: 'Counts' };
  expect(shown(q, { start: 4, suggestions: [one] }, 'vi')).toEqual([{ start: 5, insert: 'stats ', label: 'stats', note: 'Đếm' }]);
  expect(shown(q, { start: 4, suggestions: [{ ...one, kind: 'value', text: 'failure', vi: '', en: '' }] }, 'vi')[0]).toMatchObject({ insert: 'failure', note: one.detail });
});
