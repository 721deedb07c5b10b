import { expect, it } from 'vitest';

import { other, patternQuery, share, valueQuery } from './analysis';

const HOUR = 3_600_000;

it('steps back without overlapping', () => {
  const span = { from: 100 * HOUR, to: 102 * HOUR };
  expect(other(span, 'before')).toEqual({ from: 98 * HOUR, to: 100 * HOUR });
  expect(other(span, 'day')).toEqual({ from: 76 * HOUR, to: 78 * HOUR });
  expect(other({ from: 0, to: 30 * HOUR }, 'day')).toEqual({ from: -48 * HOUR, to: -18 * HOUR });
});

it('shares of nothing are nothing', () => {
  expect([share(1, 4), share(0, 0)]).toEqual([25, 0]);
});

it('searches for what does not change in a pattern', () => {
  expect(patternQuery('', 'Failed password for * from * port * ssh')).toBe('"Failed password for" and "from" and "port" and "ssh"');
  expect(patternQuery('a or b', '<*>* sshd[*]: session "opened"')).toBe('(a or b) and "sshd" and "session \\"opened"');
  expect(patternQuery('', '* * *')).toBe('');
});

it('narrows to a value, or to its absence', () => {
  expect(valueQuery('failed', 'user.name', 'an')).toBe('failed and user.name:an');
  expect(valueQuery('failed', 'user.name', null)).toBe('failed and not user.name:*');
});
