import { expect, it } from 'vitest';

import type { SystemRow } from '$/lib/types';

import { filterSystems, VERDICTS } from './filter';
import { vi } from '$/i18n/vi';

const SYSTEMS = [
  { id: 'dvc', name: 'Giải quyết thủ tục hành chính', level: 3, unit: { id: 'u1', name: 'Văn phòng UBND tỉnh' }, operator: 'Văn phòng', groups: [{ group: 'log', verdict: 'met' }] },
  { id: 'datdai', name: 'Cơ sở dữ liệu đất đai', level: 2, unit: { id: 'u2', name: 'Sở Nông nghiệp' }, operator: 'Trung tâm', groups: [{ group: 'log', verdict: 'blind' }] },
] as unknown as SystemRow[];
const ids = (filter: Partial<Record<'q' | 'level' | 'unit' | 'verdict', string>>) => filterSystems(SYSTEMS, { q: '', level: '', unit: '', verdict: '', ...filter }).map((one) => one.id);

it('matches words without accents, in any order', () => {
  expect(ids({})).toEqual(['dvc', 'datdai']);
  expect(ids({ q: 'dat dai' })).toEqual(['datdai']);
  expect(ids({ q: 'tỉnh THỦ' })).toEqual(['dvc']);
});

it('joins all filters', () => {
  expect(ids({ level: '2' })).toEqual(['datdai']);
  expect(ids({ verdict: 'blind', unit: 'u1' })).toEqual([]);
});

it('knows every verdict once', () => {
  expect([...VERDICTS].sort()).toEqual(Object.keys(vi.verdict).sort());
});
