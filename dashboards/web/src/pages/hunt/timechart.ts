/** An answer by time as series: what `timechart`, or any table whose first column is a time, looks like as a picture. */
import type { Column, Row } from '$/lib/types';

/** Series that have a colour of their own; the rest is one grey one. */
export const SERIES_MAX = 8;
const ROWS_MAX = 20_000;
/** The name that the server gives to what is not among the largest. */
const OTHER = 'OTHER';

export interface Series {
  /** null: rows in which the column is empty. */
  name: string | null;
  isOther: boolean;
  /** One for each time; null where there is no row. */
  values: (number | null)[];
  total: number;
}
export interface TimeChart {
  times: number[];
  /** Length of a step, in milliseconds. */
  step: number;
  series: Series[];
  /** Values that may be added up: counts and sums. */
  isStacked: boolean;
  /** Column of the values; null when each column is a series. */
  value: string | null;
}

const isTime = (column: Column) => /date|timestamp/i.test(column.type);
const isNumber = (column: Column) => /int|float|double|decimal|number|long/i.test(column.type);
const adds = (name: string) => /^(count|sum|n|events|bytes|rows)\b/i.test(name);

/** null when the rows are no series over time. */
export function chartOf(columns: Column[], rows: Row[], spanMs: number | null = null): TimeChart | null {
  const at = columns.find(isTime);
  const values = columns.filter((column) => column !== at && isNumber(column));
  const names = columns.filter((column) => column !== at && !isNumber(column));
  if (!at || values.length === 0 || names.length > 1 || rows.length < 2 || rows.length > ROWS_MAX) return null;
  const split = names[0];
  const times = [...new Set(rows.map((row) => Date.parse(String(row[at.name]))))].filter((time) => !Number.isNaN(time)).sort((a, b) => a - b);
  if (times.length < 2) return null;
  // Without a split a time stands once; twice means that something else tells the rows apart.
  if (!split && times.length !== rows.length) return null;
  const gaps = times.slice(1).map((time, i) => time - (times[i] ?? 0));
  const step = spanMs ?? Math.min(...gaps);
  const place = new Map(times.map((time, i) => [time, i]));
  const found = new Map<string | null, Series>();
  const add = (name: string | null, row: Row, value: unknown) => {
    const i = place.get(Date.parse(String(row[at.name])));
    if (i === undefined || typeof value !== 'number') return;
    let one = found.get(name);
    if (!one) found.set(name, (one = { name, isOther: false, values: times.map(() => null), total: 0 }));
    one.values[i] = (one.values[i] ?? 0) + value;
    one.total += value;
  };
  const value = values[0];
  if (split && value) for (const row of rows) add(row[split.name] === null || row[split.name] === undefined ? null : String(row[split.name]), row, row[value.name]);
  else for (const column of values) for (const row of rows) add(column.name, row, row[column.name]);
  const isStacked = value !== undefined && adds(value.name) && (split !== undefined || values.length === 1);
  return { times, step, series: limited([...found.values()], split !== undefined, isStacked), isStacked, value: split && value ? value.name : null };
}

/** The largest first; what is beyond the colours becomes one, where it can be added up, and is left to the table where not. */
function limited(all: Series[], isSplit: boolean, isStacked: boolean): Series[] {
  const rest = all.filter((one) => isSplit && one.name === OTHER);
  const own = all.filter((one) => !rest.includes(one));
  if (isSplit) own.sort((a, b) => b.total - a.total);
  const others = isStacked ? [...own.slice(SERIES_MAX), ...rest] : rest;
  const shown = own.slice(0, SERIES_MAX);
  const first = others[0];
  if (!first) return shown;
  const values = first.values.map((_, i) => others.reduce<number | null>((sum, one) => plus(sum, one.values[i] ?? null), null));
  return [...shown, { name: OTHER, isOther: true, values, total: others.reduce((sum, one) => sum + one.total, 0) }];
}

const plus = (sum: number | null, value: number | null) => (value === null ? sum : (sum ?? 0) + value);

/** A round number at or above the largest, so that the axis has four equal steps that one can read. */
export function roundTop(largest: number): number {
  if (!(largest > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(largest));
  const part = [1, 2, 4, 5, 8, 10].find((step) => step * power >= largest) ?? 10;
  return part * power;
}
