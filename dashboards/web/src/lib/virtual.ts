/** The arithmetic of a list of equal rows of which only those on screen exist. No DOM here. */
export interface Slice {
  first: number;
  /** One past the last row to draw. */
  end: number;
  /** Pixels above the first drawn row. */
  top: number;
  /** Pixels of the whole list. */
  height: number;
}

export function slice(scrollTop: number, viewport: number, rowHeight: number, count: number, overscan = 8): Slice {
  const height = count * rowHeight;
  const top = Math.max(0, Math.min(scrollTop, Math.max(0, height - viewport)));
  const first = Math.max(0, Math.floor(top / rowHeight) - overscan);
  const end = Math.min(count, Math.ceil((top + viewport) / rowHeight) + overscan);
  return { first, end, top: first * rowHeight, height };
}

/** The scroll position that shows row `index` while moving as little as possible. */
export function reveal(index: number, scrollTop: number, viewport: number, rowHeight: number): number {
  const top = index * rowHeight;
  if (top < scrollTop) return top;
  const bottom = top + rowHeight;
  return bottom > scrollTop + viewport ? bottom - viewport : scrollTop;
}
