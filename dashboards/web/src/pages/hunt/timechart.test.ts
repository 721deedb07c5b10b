import { expect, test } from 'vitest';

import type { Column, Row } from '$/lib/types';

import { chartOf, roundTop, SERIES_MAX } from './timechart';

const column = (name: string, type: string): Column => ({ name, type, label_vi: null, label_en: null }) as Column;
const COLUMNS = [column('timestamp', 'date'), column('event.dataset', 'keyword'), column('count', 'long')];
const row = (hour: number, dataset: string | null, count: number): Row => ({ timestamp: `2026-11-23T0${hour}:00:00Z`, 'event.dataset': dataset, count }) as Row;

test('rows become series, the largest first, what lacks the field apart', () => {
  const chart = chartOf(COLUMNS, [row(1, 'sshd', 3), row(1, null, 1), row(2, 'nginx', 9), row(4, 'sshd', 2)], 3_600_000);
  expect(chart?.times.length).toBe(3);
  expect(chart?.series.map((one) => [one.name, one.values])).toEqual([['nginx', [null, 9, null]], ['sshd', [3, null, 2]], [null, [1, null, null]]]);
  expect([chart?.isStacked, chart?.step, chart?.value]).toEqual([true, 3_600_000, 'count']);
});

test('more than the colours is one series, with the one that the server made', () => {
  const rows = Array.from({ length: 11 }, (_, i) => [row(1, `d${i}`, 100 - i), row(2, `d${i}`, 1)]).flat();
  const chart = chartOf(COLUMNS, [...rows, row(1, 'OTHER', 5)]);
  expect(chart?.series.length).toBe(SERIES_MAX + 1);
  expect(chart?.series.at(-1)).toMatchObject({ isOther: true, values: [92 + 91 + 90 + 5, 3] });
  const sum = chart?.series.reduce((all, one) => all + one.total, 0);
  expect(sum).toBe(rows.reduce((all, one) => all + Number(one.count), 0) + 5);
});

test('averages are lines, and are not added up', () => {
  const columns = [column('timestamp', 'date'), column('avg(x)', 'double')];
  const rows = [1, 2, 3].map((hour) => ({ timestamp: `2026-11-23T0${hour}:00:00Z`, 'avg(x)': hour / 2 }) as Row);
  expect(chartOf(columns, rows)).toMatchObject({ isStacked: false, step: 3_600_000, series: [{ name: 'avg(x)', values: [0.5, 1, 1.5] }] });
});

test('other tables are no chart', () => {
  expect(chartOf([column('source.ip', 'ip'), column('count', 'long')], [{ count: 1 }, { count: 2 }] as Row[])).toBeNull();
  expect(chartOf(COLUMNS, [row(1, 'a', 1)])).toBeNull();
  expect(chartOf([column('timestamp', 'date'), column('source.port', 'long')], [row(1, 'a', 1), row(1, 'b', 1), row(2, 'c', 1)])).toBeNull();
});

test('the axis ends at a round number', () => {
  expect([0, 0.3, 1, 7, 12, 950, 1001].map(roundTop)).toEqual([1, 0.4, 1, 8, 20, 1000, 2000]);
});
