import { beforeEach, describe, expect, it } from 'vitest';

import { Keys, type KeyLike } from './keys';

const key = (code: string, more: Partial<KeyLike> = {}): KeyLike => ({ code, shiftKey: false, ctrlKey: false, altKey: false, metaKey: false, isComposing: false, ...more });
let keys: Keys;
beforeEach(() => {
  keys = new Keys();
});
const press = (code: string, more: Partial<KeyLike> = {}, where: 'page' | 'control' | 'typing' = 'page', singles = true, now = 0) => keys.command(key(code, more), where, singles, now);

it('reads the place of a key, not the letter an input method makes of it', () => {
  expect(press('KeyJ', { key: 'đ' })).toBe('next');
  expect(press('Slash')).toBe('query');
  expect(press('Slash', { shiftKey: true })).toBe('sheet');
  expect(press('KeyA')).toBe('ack');
});

it('is silent while composing, with modifiers, and for unknown places', () => {
  expect(press('KeyJ', { isComposing: true })).toBeNull();
  expect(press('KeyJ', { key: 'Process' })).toBeNull();
  expect(press('KeyJ', { ctrlKey: true })).toBeNull();
  expect(press('KeyJ', { shiftKey: true })).toBeNull();
  expect(press('', { key: 'j' })).toBeNull();
});

describe('typing', () => {
  it('lets only Escape through', () => {
    expect(press('KeyJ', {}, 'typing')).toBeNull();
    expect(press('Enter', {}, 'typing')).toBeNull();
    expect(press('Escape', {}, 'typing')).toBe('close');
  });
});

it('leaves Enter to a link or button', () => {
  expect(press('Enter', {}, 'control')).toBeNull();
  expect(press('Enter')).toBe('open');
});

describe('g', () => {
  it('goes to a page with the next key', () => {
    expect(press('KeyG')).toBeNull();
    expect(press('KeyA')).toBe('go.alerts');
    expect(press('KeyA')).toBe('ack');
  });

  it('is forgotten after a while, on Escape and by typing', () => {
    press('KeyG', {}, 'page', true, 0);
    expect(press('KeyA', {}, 'page', true, 5000)).toBe('ack');
    press('KeyG');
    press('Escape');
    expect(press('KeyH')).toBeNull();
    press('KeyG');
    press('KeyX', {}, 'typing');
    expect(press('KeyH')).toBeNull();
  });
});

it('the off switch leaves only Enter and Escape', () => {
  expect(press('KeyJ', {}, 'page', false)).toBeNull();
  expect(press('KeyG', {}, 'page', false)).toBeNull();
  expect(press('KeyH', {}, 'page', false)).toBeNull();
  expect(press('Slash', { shiftKey: true }, 'page', false)).toBeNull();
  expect(press('Enter', {}, 'page', false)).toBe('open');
  expect(press('Escape', {}, 'page', false)).toBe('close');
});
