/** Hashes and keys for people: groups of four, as anchors write them. */
export const grouped = (hex: string): string => hex.match(/.{1,4}/g)?.join(' ') ?? '';

/** The first digits, enough to tell two apart at a glance; the whole stands in the title. */
export const short = (hex: string): string => `${hex.slice(0, 4)}-${hex.slice(4, 8)}-${hex.slice(8, 12)}`;
