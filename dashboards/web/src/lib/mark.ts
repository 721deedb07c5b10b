/** Splits a text at the words that made a rule match, so that they can be marked. Text in, text out: no markup. */
export interface Piece {
  text: string;
  isMarked: boolean;
}

const WORDS_MAX = 50;

export function marks(text: string, words: string[]): Piece[] {
  const wanted = [...new Set(words.map((word) => word.replace(/^\*+|\*+$/g, '').toLowerCase()))].filter((word) => word.length > 1).slice(0, WORDS_MAX);
  const low = text.toLowerCase();
  // A letter whose lower case has another length would shift every place after it.
  if (wanted.length === 0 || low.length !== text.length) return [{ text, isMarked: false }];
  const pieces: Piece[] = [];
  let at = 0;
  while (at < text.length) {
    let next = -1;
    let length = 0;
    for (const word of wanted) {
      const found = low.indexOf(word, at);
      if (found >= 0 && (next < 0 || found < next || (found === next && word.length > length))) [next, length] = [found, word.length];
    }
    if (next < 0) break;
    if (next > at) pieces.push({ text: text.slice(at, next), isMarked: false });
    pieces.push({ text: text.slice(next, next + length), isMarked: true });
    at = next + length;
  }
  if (at < text.length) pieces.push({ text: text.slice(at), isMarked: false });
  return pieces;
}
