import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

const css = readFileSync(new URL('./tokens.css', import.meta.url), 'utf8');

function tokens(selector: string): Map<string, string> {
  const start = css.indexOf(`${selector} {`);
  const block = css.slice(start, css.indexOf('\n}', start));
  return new Map([...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6});/gi)].map((found) => [found[1] ?? '', found[2] ?? '']));
}

const channels = (color: string) => [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255);
const mix = (a: string, b: string, share: number) => channels(a).map((value, i) => value * share + (channels(b)[i] ?? 0) * (1 - share));

function luminance(rgb: number[]): number {
  const [r = 0, g = 0, b = 0] = rgb.map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(a: number[], b: number[]): number {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

const TEXT = ['ink', 'ink-2', 'ink-3', 'accent', 'accent-strong', 'critical', 'high', 'medium', 'low', 'informational', 'met', 'partly', 'breached', 'blind', 'expired', 'accumulating', 'neutral'];
const GROUND = ['bg', 'surface', 'sunken'];
const light = tokens(':root');
const dark = new Map([...light, ...tokens(":root[data-theme='dark']")]);

describe.each([['light', light, 0.12], ['dark', dark, 0.16]] as const)('%s theme (WCAG 2.2 AA)', (_, theme, tint) => {
  const at = (name: string) => theme.get(name) ?? '#000000';

  it('has every colour that the test names', () => {
    for (const name of [...TEXT, ...GROUND, 'on-accent', 'rail-bg', 'focus', 'line-strong']) expect(theme.has(name), name).toBe(true);
  });

  it.each(TEXT)('%s is readable on every ground', (name) => {
    for (const ground of GROUND) expect(contrast(channels(at(name)), channels(at(ground))), ground).toBeGreaterThanOrEqual(4.5);
  });

  it('pairs are readable', () => {
    for (const [text, ground] of [['on-accent', 'accent'], ['on-accent', 'accent-strong'], ['accent-strong', 'accent-soft'], ['rail-ink', 'rail-bg'], ['rail-ink-2', 'rail-bg'], ['mark-ink', 'mark'], ['ink', 'select'], ['ink-2', 'select']] as const) {
      expect(contrast(channels(at(text)), channels(at(ground))), `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5);
    }
  });

  it('verdicts are readable on their own tint, as in the matrix', () => {
    for (const name of ['breached', 'blind', 'expired', 'partly']) expect(contrast(channels(at(name)), mix(at(name), at('surface'), tint)), name).toBeGreaterThanOrEqual(4.5);
  });

  it('series of a chart stand out from the ground', () => {
    for (const name of ['s1', 's2', 's3', 's4', 's5', 's6', 's7', 's8', 's-other']) expect(contrast(channels(at(name)), channels(at('surface'))), name).toBeGreaterThanOrEqual(3);
  });

  it('borders of controls and the focus ring stand out', () => {
    for (const ground of GROUND) for (const name of ['focus', 'line-strong']) expect(contrast(channels(at(name)), channels(at(ground))), `${name} on ${ground}`).toBeGreaterThanOrEqual(3);
  });
});
