/**
 * Numbers and times as people here read them: 1.753 and 0,5; dd/mm/yyyy HH:mm:ss, Asia/Ho_Chi_Minh.
 *
 * Pure functions of their arguments. The zone is a constant offset: Việt Nam has kept UTC+7 without summer time since 1975,
 * and arithmetic is a hundred times cheaper than Intl in a virtual list.
 */
export type Lang = 'vi' | 'en';

export const ZONE = 'Asia/Ho_Chi_Minh';
const ZONE_OFFSET_MS = 7 * 3_600_000;
const LOCALE = { vi: 'vi-VN', en: 'en-GB' } as const;

const two = (n: number) => String(n).padStart(2, '0');

/** Milliseconds of a time given as RFC 3339 text or number; NaN when it is no time. */
export function millis(time: string | number): number {
  return typeof time === 'number' ? time : Date.parse(time);
}

/** "23/11/2026" of a moment. */
export function date(time: string | number): string {
  const ms = millis(time);
  if (Number.isNaN(ms)) return String(time);
  const d = new Date(ms + ZONE_OFFSET_MS);
  return `${two(d.getUTCDate())}/${two(d.getUTCMonth() + 1)}/${d.getUTCFullYear()}`;
}

/** "17:03:01" of a moment; `precision` may leave the seconds out or add milliseconds. */
export function clock(time: string | number, precision: 'minute' | 'second' | 'milli' = 'second'): string {
  const ms = millis(time);
  if (Number.isNaN(ms)) return String(time);
  const d = new Date(ms + ZONE_OFFSET_MS);
  const minute = `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`;
  if (precision === 'minute') return minute;
  const second = `${minute}:${two(d.getUTCSeconds())}`;
  return precision === 'second' ? second : `${second}.${String(d.getUTCMilliseconds()).padStart(3, '0')}`;
}

/** "23/11/2026 17:03:01" of a moment. */
export function dateTime(time: string | number, precision: 'minute' | 'second' | 'milli' = 'second'): string {
  const ms = millis(time);
  return Number.isNaN(ms) ? String(time) : `${date(ms)} ${clock(ms, precision)}`;
}

/** "23/11/2026" of a calendar day written yyyy-mm-dd, which has no zone. */
export function day(text: string): string {
  const found = /^(\d{4})-(\d{2})-(\d{2})/.exec(text);
  return found ? `${found[3]}/${found[2]}/${found[1]}` : text;
}

/** "2026-11-23": the calendar day of a moment in Viet Nam, as the API writes days. */
export function isoDay(time: number): string {
  return new Date(time + ZONE_OFFSET_MS).toISOString().slice(0, 10);
}

/** What a time says when one hovers it: UTC, then the text as it came. */
export function timeTitle(time: string | number): string {
  const ms = millis(time);
  if (Number.isNaN(ms)) return String(time);
  const utc = new Date(ms).toISOString().replace('T', ' ').replace('Z', ' UTC');
  return typeof time === 'number' ? utc : `${utc}\n${time}`;
}

/** Milliseconds of "23/11/2026 17:03" or "23/11/2026 17:03:01" or "23/11/2026"; null when it is not a real moment. */
export function parseDateTime(text: string): number | null {
  const found = /^\s*(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:[ ,T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?\s*$/.exec(text);
  if (!found) return null;
  const [d, m, y, h, min, s] = found.slice(1).map((part) => Number(part ?? 0)) as [number, number, number, number, number, number];
  const ms = Date.UTC(y, m - 1, d, h, min, s);
  const back = new Date(ms);
  const isReal = back.getUTCDate() === d && back.getUTCMonth() === m - 1 && h < 24 && min < 60 && s < 60;
  return isReal ? ms - ZONE_OFFSET_MS : null;
}

const numberFormats = new Map<string, Intl.NumberFormat>();

/** "1.753" or "0,5" (vi), "1,753" or "0.5" (en). */
export function number(n: number, lang: Lang, digits = 0): string {
  const key = `${lang}${digits}`;
  let format = numberFormats.get(key);
  if (!format) {
    format = new Intl.NumberFormat(LOCALE[lang], { maximumFractionDigits: digits });
    numberFormats.set(key, format);
  }
  return format.format(n);
}

/** "51,0": always that many decimals, so that figures of a column line up. */
export function fixed(n: number, lang: Lang, digits: number): string {
  const key = `${lang}=${digits}`;
  let format = numberFormats.get(key);
  if (!format) {
    format = new Intl.NumberFormat(LOCALE[lang], { minimumFractionDigits: digits, maximumFractionDigits: digits });
    numberFormats.set(key, format);
  }
  return format.format(n);
}

/** "1,2 tr" for tight places, from a million up; the exact count belongs in the title. */
export function compact(n: number, lang: Lang): string {
  const size = Math.abs(n);
  if (size < 1_000_000) return number(n, lang);
  const [scale, unit] = size < 1e9 ? [1e6, lang === 'vi' ? 'tr' : 'M'] : [1e9, lang === 'vi' ? 'tỷ' : 'bn'];
  return `${number(n / scale, lang, size / scale < 100 ? 1 : 0)} ${unit}`;
}

/** "87,5 %"; the score scale is 0…100. */
export function percent(value: number, lang: Lang): string {
  return `${number(value, lang, 1)} %`;
}

/** "3 phút trước" / "3 minutes ago"; `now` is given so that it can be tested. */
export function ago(time: string | number, now: number, lang: Lang): string {
  const ms = millis(time);
  if (Number.isNaN(ms)) return String(time);
  const seconds = Math.round((ms - now) / 1000);
  const format = new Intl.RelativeTimeFormat(LOCALE[lang], { numeric: 'always' });
  const size = Math.abs(seconds);
  if (size < 60) return format.format(seconds, 'second');
  if (size < 3600) return format.format(Math.trunc(seconds / 60), 'minute');
  if (size < 172_800) return format.format(Math.trunc(seconds / 3600), 'hour');
  return format.format(Math.trunc(seconds / 86_400), 'day');
}

/** "2 giờ 05 phút" — a length of time in its two largest units. */
export function duration(ms: number, lang: Lang): string {
  const words = lang === 'vi' ? ['ngày', 'giờ', 'phút', 'giây'] : ['d', 'h', 'min', 's'];
  if (Math.abs(ms) < 1000) return `${number(Math.round(ms), lang)} ms`;
  const total = Math.round(Math.abs(ms) / 1000);
  const parts = [Math.floor(total / 86_400), Math.floor(total / 3600) % 24, Math.floor(total / 60) % 60, total % 60];
  const first = parts.findIndex((part) => part > 0);
  const shown = [0, 1]
    .map((step) => first + step)
    .filter((i) => i < 4 && (parts[i] ?? 0) > 0)
    .map((i) => `${parts[i]} ${words[i]}`);
  return (ms < 0 ? '−' : '') + shown.join(' ');
}

/** "2,4 KB" — bytes for a person. */
export function bytes(n: number, lang: Lang): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  const power = n < 1 ? 0 : Math.min(4, Math.floor(Math.log(n) / Math.log(1024)));
  return `${number(n / 1024 ** power, lang, power === 0 ? 0 : 1)} ${units[power]}`;
}
