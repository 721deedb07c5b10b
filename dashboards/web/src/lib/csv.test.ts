import { expect, it } from 'vitest';

import { cell, csv } from './csv';

it('quotes what would break a line, doubles quotes', () => {
  expect(csv(['a', 'b'], [['x,y', 'say "hi"'], ['two\nlines', null]])).toBe('a,b\r\n"x,y","say ""hi"""\r\n"two\nlines",\r\n');
});

it('leaves a spreadsheet nothing to compute', () => {
  for (const evil of ['=cmd|calc', '+1', '-1+2', '@SUM(A1)', '\t=1']) expect(cell(evil).replace(/^"/, '')).toMatch(/^'/);
  expect(cell(-5)).toBe('-5');
});
