/** The messages of the chosen language. `t()` is read inside templates, so a switch redraws without a reload. */
import * as format from '$/lib/format';
import { prefs } from '$/lib/prefs.svelte';

import { en } from './en';
import * as said from './said';
import { vi, type Messages } from './vi';

const MESSAGES: Record<'vi' | 'en', Messages> = { vi, en };

export function t(): Messages {
  return MESSAGES[prefs.lang];
}

/** The text of a pair that the server sent in both languages; the other language when one is missing. */
export function pick(vi: string | null | undefined, en: string | null | undefined): string {
  return (prefs.lang === 'vi' ? vi || en : en || vi) ?? '';
}

/** A sentence of the server in the language of the page. */
export const say = (text: string) => said.say(text, prefs.lang);

export const num = (n: number, digits = 0) => format.number(n, prefs.lang, digits);
export const fixed = (n: number, digits: number) => format.fixed(n, prefs.lang, digits);
export const compact = (n: number) => format.compact(n, prefs.lang);
export const percent = (n: number) => format.percent(n, prefs.lang);
export const ago = (time: string | number, now = Date.now()) => format.ago(time, now, prefs.lang);
export const duration = (ms: number) => format.duration(ms, prefs.lang);
export const size = (n: number) => format.bytes(n, prefs.lang);
/** Compares two texts in Vietnamese order (a ă â …), whatever the language of the page. */
const collator = new Intl.Collator('vi', { numeric: true });
export const compare = (a: string, b: string) => collator.compare(a, b);
