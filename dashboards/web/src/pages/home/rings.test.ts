import { expect, it } from 'vitest';

import type { Level, SystemRow } from '$/lib/types';

import { rings } from './rings';

const system = (id: string, level: Level) => ({ id, level }) as SystemRow;

it('puts the highest level innermost and loses no system', () => {
  const systems = [system('a', 3), system('b', 3), system('c', 4), system('d', 1)];
  const found = rings(systems);
  expect(found.map((ring) => ring.level)).toEqual([1, 2, 3, 4, 5]);
  expect(found.every((ring, i) => i === 0 || ring.radius < (found[i - 1]?.radius ?? 0))).toBe(true);
  expect(found.flatMap((ring) => ring.arcs.map((arc) => arc.system.id)).sort()).toEqual(['a', 'b', 'c', 'd']);
  expect(found[1]).toMatchObject({ count: 0, arcs: [] });
});

it('draws finite arcs for one system and for hundreds', () => {
  for (const count of [1, 2, 500]) {
    const arcs = rings(Array.from({ length: count }, (_, i) => system(`s${i}`, 1)))[0]?.arcs ?? [];
    expect(arcs).toHaveLength(count);
    for (const arc of arcs) expect(arc.path).toMatch(/^M-?[\d.]+ -?[\d.]+A142 142 0 [01] 1 -?[\d.]+ -?[\d.]+$/);
  }
});
