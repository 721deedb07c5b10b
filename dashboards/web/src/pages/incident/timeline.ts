/** Everything that happened in an incident in one order: alerts, their events, notifications, what people did. */
import type { Alert, Incident } from '$/lib/types';

export type Moment =
  | { kind: 'alert'; at: string; alert: Alert }
  | { kind: 'event'; at: string; alert: Alert; event: Alert['events'][number] }
  | { kind: 'notification'; at: string; notification: Incident['notifications'][number] }
  | { kind: 'action'; at: string; entry: Incident['log'][number] };

/** Oldest first; an event that several alerts share stands once. Equal times keep the order alert, event, message, action. */
export function timeline(incident: Incident): Moment[] {
  const seen = new Set<string>();
  const moments: Moment[] = [];
  for (const alert of incident.alerts) {
    moments.push({ kind: 'alert', at: alert.first_seen, alert });
    for (const event of alert.events) {
      if (seen.has(event.id)) continue;
      seen.add(event.id);
      moments.push({ kind: 'event', at: event.timestamp, alert, event });
    }
  }
  for (const notification of incident.notifications) moments.push({ kind: 'notification', at: notification.at, notification });
  for (const entry of incident.log) moments.push({ kind: 'action', at: entry.at, entry });
  return moments.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

/** Words of an alert's evidence, for marking. */
export function evidenceWords(alert: Alert): string[] {
  return alert.evidence.map((one) => one.value);
}
