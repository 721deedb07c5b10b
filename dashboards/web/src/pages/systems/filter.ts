/** Which systems the address asks for. Words match name, id, unit and operator without regard to case or accents. */
import type { SystemRow, Verdict } from '$/lib/types';
import { fold } from '$/pages/hunt/complete';

export interface SystemFilter {
  q: string;
  level: string;
  unit: string;
  verdict: string;
}

export const VERDICTS: Verdict[] = ['breached', 'blind', 'expired', 'partly', 'accumulating', 'not_evaluated', 'not_yet_due', 'met', 'not_applicable'];

export function filterSystems(systems: SystemRow[], filter: SystemFilter): SystemRow[] {
  const words = fold(filter.q).split(/\s+/).filter(Boolean);
  return systems.filter((system) => {
    const text = fold(`${system.id} ${system.name} ${system.unit.name} ${system.operator}`);
    return (
      words.every((word) => text.includes(word)) &&
      (!filter.level || String(system.level) === filter.level) &&
      (!filter.unit || system.unit.id === filter.unit) &&
      (!filter.verdict || system.groups.some((group) => group.verdict === filter.verdict))
    );
  });
}
