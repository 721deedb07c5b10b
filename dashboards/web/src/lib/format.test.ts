import { describe, expect, it } from 'vitest';

import * as format from './format';

const MOMENT = Date.UTC(2026, 10, 23, 10, 3, 1, 42);

describe('times', () => {
  it('are written dd/mm/yyyy in Viet Nam time', () => {
    expect(format.dateTime(MOMENT)).toBe('23/11/2026 17:03:01');
    expect(format.dateTime('2026-11-23T10:03:01.042137Z', 'milli')).toBe('23/11/2026 17:03:01.042');
    expect(format.dateTime('2026-12-31T17:30:00Z', 'minute')).toBe('01/01/2027 00:30');
  });

  it('agree with Intl in the zone that the page names', () => {
    const parts = new Intl.DateTimeFormat('en-GB', { timeZone: format.ZONE, dateStyle: 'short', timeStyle: 'medium' });
    for (const month of [0, 3, 6, 9]) {
      const ms = Date.UTC(2026, month, 14, 20, 5, 9);
      expect(format.dateTime(ms)).toBe(parts.format(ms).replace(',', ''));
    }
  });

  it('give back the text when it is no time', () => {
    expect(format.dateTime('hôm qua')).toBe('hôm qua');
  });

  it('say UTC and the original on hover', () => {
    expect(format.timeTitle('2026-11-23T17:03:01+07:00')).toBe('2026-11-23 10:03:01.000 UTC\n2026-11-23T17:03:01+07:00');
  });

  it('of a calendar day have no zone', () => {
    expect(format.day('2026-07-01')).toBe('01/07/2026');
    expect(format.isoDay(format.parseDateTime('01/07/2026') ?? 0)).toBe('2026-07-01');
  });
});

describe('parseDateTime', () => {
  it('reads what dateTime writes', () => {
    expect(format.parseDateTime('23/11/2026 17:03:01')).toBe(Date.UTC(2026, 10, 23, 10, 3, 1));
    expect(format.parseDateTime(' 1-2-2026 ')).toBe(Date.UTC(2026, 0, 31, 17));
  });

  it('refuses moments that do not exist', () => {
    for (const text of ['31/02/2026 10:00', '29/02/2027', '10/13/2026', '01/01/2026 24:00', '01/01/2026 10:60', '2026-01-01', '', '1/1/26']) {
      expect(format.parseDateTime(text), text).toBeNull();
    }
  });
});

describe('numbers', () => {
  it('follow the language', () => {
    expect(format.number(1753, 'vi')).toBe('1.753');
    expect(format.number(0.5, 'vi', 1)).toBe('0,5');
    expect(format.number(1753, 'en')).toBe('1,753');
    expect(format.fixed(51, 'vi', 1)).toBe('51,0');
    expect(format.percent(62.5, 'vi')).toBe('62,5 %');
  });

  it('are shortened only from a million up', () => {
    expect(format.compact(326_013, 'vi')).toBe('326.013');
    expect(format.compact(1_234_567, 'vi')).toBe('1,2 tr');
    expect(format.compact(158_000_000_000, 'vi')).toBe('158 tỷ');
    expect(format.compact(1_234_567, 'en')).toBe('1.2 M');
  });

  it('of bytes use the largest unit that fits', () => {
    expect(format.bytes(0, 'vi')).toBe('0 B');
    expect(format.bytes(10_045, 'vi')).toBe('9,8 KB');
  });
});

describe('lengths of time', () => {
  it('name the two largest units', () => {
    expect(format.duration(42, 'vi')).toBe('42 ms');
    expect(format.duration(900_000, 'vi')).toBe('15 phút');
    expect(format.duration(7_500_000, 'vi')).toBe('2 giờ 5 phút');
    expect(format.duration(-93_600_000, 'en')).toBe('−1 d 2 h');
    expect(format.duration(86_405_000, 'vi')).toBe('1 ngày');
  });

  it('ago counts from the given now', () => {
    expect(format.ago(MOMENT - 180_000, MOMENT, 'vi')).toBe('3 phút trước');
    expect(format.ago(MOMENT - 31 * 3_600_000, MOMENT, 'en')).toBe('31 hours ago');
  });
});
