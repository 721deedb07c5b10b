/** The geometry of the gong: one ring for each level, the highest innermost, one arc for each system. */
import type { Level, SystemRow } from '$/lib/types';

export interface Arc {
  system: SystemRow;
  path: string;
}
export interface Ring {
  level: Level;
  radius: number;
  count: number;
  arcs: Arc[];
}

const OUTER = 142;
const STEP = 23;
const GAP_PX = 3;

const point = (radius: number, angle: number) => `${(radius * Math.sin(angle)).toFixed(2)} ${(-radius * Math.cos(angle)).toFixed(2)}`;

export function rings(systems: SystemRow[]): Ring[] {
  return ([1, 2, 3, 4, 5] as Level[]).map((level) => {
    const here = systems.filter((system) => system.level === level);
    const radius = OUTER - (level - 1) * STEP;
    const share = (2 * Math.PI) / Math.max(1, here.length);
    const gap = Math.min(share * 0.3, GAP_PX / radius);
    const arcs = here.map((system, i) => {
      const from = i * share + gap / 2;
      const to = (i + 1) * share - gap / 2;
      const isLarge = to - from > Math.PI ? 1 : 0;
      return { system, path: `M${point(radius, from)}A${radius} ${radius} 0 ${isLarge} 1 ${point(radius, to)}` };
    });
    return { level, radius, count: here.length, arcs };
  });
}
