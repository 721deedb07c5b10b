import { expect, it } from 'vitest';

import { marks } from './mark';

const shape = (text: string, words: string[]) => marks(text, words).map((piece) => (piece.isMarked ? `[${piece.text}]` : piece.text)).join('');

it('marks every place of every word without regard to case', () => {
  expect(shape('Failed password for root, failed again', ['failed', 'root'])).toBe('[Failed] password for [root], [failed] again');
});

it('prefers the longer of two words that begin together', () => {
  expect(shape('failed password', ['failed', 'failed password'])).toBe('[failed password]');
});

it('strips the stars of a Sigma value and ignores single letters', () => {
  expect(shape('GET /wp-login.php', ['*wp-login*', 'e'])).toBe('GET /[wp-login].php');
});

it('never loses or adds a character', () => {
  for (const text of ['', 'İstanbul', '<b>root</b>', '🥁 root 🥁']) {
    expect(marks(text, ['root', '<b>', 'i']).map((piece) => piece.text).join('')).toBe(text);
  }
});
