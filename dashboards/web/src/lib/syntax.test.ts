import { expect, it } from 'vitest';

import { errorLine, utf16 } from './syntax';

it('counts code points, not UTF-16 units', () => {
  expect(utf16('🥁🥁x', 2)).toBe(4);
  expect(utf16('đặng', 2)).toBe(2);
  expect(utf16('ab', 9)).toBe(2);
});

it('splits the line at the wrong piece', () => {
  expect(errorLine('user.name:🥁 and (lỗi', 16, 1)).toMatchObject({ row: 1, column: 17, before: 'user.name:🥁 and ', wrong: '(', after: 'lỗi', start: 17, end: 18 });
});

it('finds the line of a longer text', () => {
  expect(errorLine('SELECT *\nFROM evnts\nLIMIT 5', 14, 5)).toMatchObject({ row: 2, column: 6, before: 'FROM ', wrong: 'evnts', after: '' });
});

it('marks nothing at the end of the text', () => {
  expect(errorLine('a and', 5, 0)).toMatchObject({ column: 6, before: 'a and', wrong: '', after: '' });
});

it('keeps a mark inside its line and survives an offset beyond the text', () => {
  expect(errorLine('ab\ncd', 1, 99)).toMatchObject({ wrong: 'b', after: '' });
  expect(errorLine('ab', 50, 3)).toMatchObject({ before: 'ab', wrong: '' });
});
