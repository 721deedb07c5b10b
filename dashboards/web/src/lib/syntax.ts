/** Places of a syntax error. Offsets are Unicode code points, as the server counts them; strings here are UTF-16. */

/** UTF-16 index of a code-point offset. */
export function utf16(text: string, offset: number): number {
  let index = 0;
  for (let n = 0; n < offset && index < text.length; n += 1) index += (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;
  return index;
}

/** The line that holds the error, split at the error: what stands before, the wrong piece (may be empty: "here"), the rest. */
export function errorLine(text: string, offset: number, length: number) {
  const start = utf16(text, offset);
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  const lineEnd = text.indexOf('\n', start) < 0 ? text.length : text.indexOf('\n', start);
  const end = Math.min(utf16(text, offset + length), lineEnd);
  const row = text.slice(0, lineStart).split('\n').length;
  const column = [...text.slice(lineStart, start)].length + 1;
  return {
    row,
    column,
    before: text.slice(lineStart, start),
    wrong: text.slice(start, Math.max(start, end)),
    after: text.slice(Math.max(start, end), lineEnd),
    start,
    end: Math.max(start, end),
  };
}
