/** The escalation chain while it is edited: what is wrong with it, and its targets in words. */
import type { Messages } from '$/i18n/vi';
import type { OnCall, Role, Step } from '$/lib/types';

export const WAIT_MAX = 1440;
export const STEPS_MAX = 20;
export const REPEAT_MAX = 9;
/** Roles that answer a page. */
export const HANDLERS: Role[] = ['admin', 'analyst', 'oncall'];

/** The first thing that is wrong, in words, or ''. A number field that holds no number is `null` or NaN. */
export function problemOf(steps: Step[], repeat: number | null, t: Messages): string {
  const isCount = (value: unknown, most: number) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= most;
  if (steps.length === 0) return t.oncall.chain.noStep;
  if (steps.length > STEPS_MAX) return t.oncall.chain.tooMany;
  for (const [i, step] of steps.entries()) {
    if (!isCount(step.wait_minutes, WAIT_MAX)) return t.oncall.chain.badWait(i + 1, WAIT_MAX);
    if (!step.target) return t.oncall.chain.badTarget(i + 1);
    if (i > 0 && step.wait_minutes === 0 && steps[i - 1]?.target === step.target) return t.oncall.chain.twice(i + 1);
  }
  return isCount(repeat, REPEAT_MAX) ? '' : t.oncall.chain.badRepeat;
}

/** The list with one item moved by `by` places; unchanged at the ends. */
export function moved<Item>(items: Item[], at: number, by: number): Item[] {
  const to = at + by;
  if (to < 0 || to >= items.length) return items;
  const rest = items.filter((_, i) => i !== at);
  return [...rest.slice(0, to), items[at] as Item, ...rest.slice(to)];
}

/** "oncall:3" → "Người đang trực: Trực chính". */
export function targetName(target: string, schedules: OnCall['schedules'], t: Messages, people: { name: string; display_name: string }[] = []): string {
  const [kind, rest = ''] = target.split(/:(.*)/s);
  if (kind === 'everyone') return t.oncall.targets.everyone;
  if (kind === 'oncall') return `${t.oncall.targets.schedule}: ${schedules.find((one) => one.id === rest)?.name ?? `${rest} (${t.oncall.gone})`}`;
  if (kind === 'user') return people.find((one) => one.name === rest)?.display_name ?? rest;
  return target;
}
