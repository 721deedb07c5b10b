/**
 * Makes text that attackers wrote safe to look at: control characters and direction overrides become visible marks, long
 * values are cut. Escaping HTML is not done here and nowhere else: text goes into the page as text nodes only.
 */
const CUT_BYTES = 2048;

// C0 and C1 controls, direction controls (CVE-2021-42574), zero-width characters, line separators, the byte order mark.
// eslint-disable-next-line no-control-regex
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]/gu;

/** Replaces what a terminal or browser would obey by what a person can see: ␛ for ESC, ⟦U+202E⟧ for an override. */
export function visible(text: string): string {
  return text.replace(HIDDEN, (mark) => {
    const code = mark.codePointAt(0) ?? 0;
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    if (code === 0x7f) return '␡';
    return `⟦U+${code.toString(16).toUpperCase().padStart(4, '0')}⟧`;
  });
}

/** One line of it: newlines and tabs become marks, too, for a row of a list. */
export function oneLine(text: string): string {
  return visible(text).replace(/[\t\n]/g, (mark) => (mark === '\t' ? ' ' : '␊'));
}

/** Cuts a text to at most `limit` UTF-8 bytes, never inside a character; says how long the whole is. */
export function cut(text: string, limit = CUT_BYTES): { text: string; isCut: boolean; bytes: number } {
  if (text.length * 3 <= limit) return { text, isCut: false, bytes: text.length };
  const encoded = new TextEncoder().encode(text);
  if (encoded.length <= limit) return { text, isCut: false, bytes: encoded.length };
  let end = limit;
  while (end > 0 && ((encoded[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return { text: new TextDecoder().decode(encoded.subarray(0, end)), isCut: true, bytes: encoded.length };
}

/** A JSON value as the text a person expects: lists joined, objects as JSON, null as an empty string. */
export function plain(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) return value.map(plain).join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
