import { describe, expect, it } from 'vitest';

import { cut, oneLine, plain, visible } from './text';

describe('visible', () => {
  it('shows terminal escapes instead of obeying them', () => {
    expect(visible('\u001b[31mroot\u0007\u0000')).toBe('␛[31mroot␇␀');
  });

  it('shows direction overrides, isolates and zero-width characters', () => {
    expect(visible('a\u202Etxt.exe\u202C \u2066x\u2069 z\u200bw')).toBe('a⟦U+202E⟧txt.exe⟦U+202C⟧ ⟦U+2066⟧x⟦U+2069⟧ z⟦U+200B⟧w');
    expect(visible('tag\u{e0041}')).toBe('tag⟦U+E0041⟧');
  });

  it('leaves Vietnamese, markup and line breaks as they are', () => {
    expect(visible('Đặng Thị Mỹ <img onerror=1>\n\t=1+1')).toBe('Đặng Thị Mỹ <img onerror=1>\n\t=1+1');
  });

  it('shows a carriage return, which would hide what stands before it', () => {
    expect(visible('rm -rf /\rls')).toBe('rm -rf /␍ls');
  });
});

it('oneLine keeps a line break visible', () => {
  expect(oneLine('a\nb\tc')).toBe('a␊b c');
});

describe('cut', () => {
  it('keeps short text whole', () => {
    expect(cut('ngắn')).toMatchObject({ text: 'ngắn', isCut: false });
  });

  it('cuts at 2 KB and says how long the whole is', () => {
    const found = cut('A'.repeat(10_000));
    expect(found).toEqual({ text: 'A'.repeat(2048), isCut: true, bytes: 10_000 });
  });

  it('never cuts inside a character', () => {
    const found = cut('ữ'.repeat(1000), 100);
    expect(found.text).toBe('ữ'.repeat(33));
    expect(found.bytes).toBe(3000);
    expect(cut('🥁'.repeat(50), 9).text).toBe('🥁🥁');
  });
});

it('plain writes JSON values as a person expects', () => {
  expect(plain(null)).toBe('');
  expect(plain(['a', 2, null])).toBe('a, 2, ');
  expect(plain({ a: 1 })).toBe('{"a":1}');
  expect(plain(false)).toBe('false');
});
