import { expect, it } from 'vitest';

import type { Alert, Incident } from '$/lib/types';

import { evidenceWords, timeline } from './timeline';

const alert = (id: string, at: string, events: [string, string][]): Alert => ({
  id,
  rule: { id: 'r', title_vi: 'r', title_en: 'r', level: 'high' },
  group: {},
  count: events.length,
  first_seen: at,
  last_seen: at,
  evidence: [{ identifier: 'selection', field: 'message', value: 'Failed' }],
  events: events.map(([event, timestamp]) => ({ id: event, timestamp, summary: event })),
});

it('orders everything by time and shows a shared event once', () => {
  const incident = {
    alerts: [alert('a1', '2026-11-23T10:00:00Z', [['e1', '2026-11-23T09:59:00Z'], ['e2', '2026-11-23T10:00:00Z']]), alert('a2', '2026-11-23T10:05:00Z', [['e2', '2026-11-23T10:00:00Z']])],
    notifications: [{ at: '2026-11-23T10:01:00Z', channel: 'mail', person: 'Lan', result: 'sent' }],
    log: [{ at: '2026-11-23T10:02:00Z', actor: 'lan', action: 'ack' }],
  } as unknown as Incident;
  const words = timeline(incident).map((moment) => (moment.kind === 'event' ? moment.event.id : moment.kind === 'alert' ? moment.alert.id : moment.kind));
  expect(words).toEqual(['e1', 'a1', 'e2', 'notification', 'action', 'a2']);
});

it('takes the marked words from the evidence', () => {
  expect(evidenceWords(alert('a', '2026-11-23T10:00:00Z', []))).toEqual(['Failed']);
});
