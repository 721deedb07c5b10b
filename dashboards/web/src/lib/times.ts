/** Times as people type them into forms. */
import { parseDateTime } from './format';

/** RFC 3339; null when nothing is written, undefined when it is no time. */
export function typedTime(text: string): string | null | undefined {
  if (!text.trim()) return null;
  const ms = parseDateTime(text);
  return ms === null ? undefined : new Date(ms).toISOString();
}
