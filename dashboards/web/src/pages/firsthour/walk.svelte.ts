/** The way from a device to the first score: where one stands and what was learned on the way. */
import { api, ApiError } from '$/lib/api';
import type { DeviceKind, SetupSource, SetupWaiting, SystemRef } from '$/lib/types';

export const STEPS = ['device', 'send', 'first', 'adopt', 'alert', 'page', 'score'] as const;
export type Step = (typeof STEPS)[number];

export class Walk {
  step = $state<Step>('device');
  kind = $state<DeviceKind | null>(null);
  source = $state.raw<SetupSource | null>(null);
  since = $state('');
  line = $state.raw<NonNullable<SetupWaiting['first_line']> | null>(null);
  system = $state.raw<SystemRef | null>(null);
  incident = $state<string | null>(null);
  error = $state.raw<ApiError | null>(null);
  isBusy = $state(false);

  readonly at = $derived(STEPS.indexOf(this.step));

  next() {
    const step = STEPS[this.at + 1];
    if (step) this.step = step;
  }

  async choose(kind: DeviceKind) {
    this.kind = kind;
    const source = await this.try(() => api.setupSource(kind));
    if (!source) return;
    this.source = source;
    this.since = new Date().toISOString();
    this.step = 'send';
  }

  /** Asks once whether a line has come; a failed question is asked again later. */
  async listen() {
    if (!this.source || this.line) return;
    const answer = await api.waiting(this.source.source, this.since).catch(() => null);
    if (!answer?.first_line) return;
    this.line = answer.first_line;
    this.system = answer.first_line.system ?? null;
  }

  async adopt(system: SystemRef, reason: string) {
    const address = this.line?.sender ?? '';
    if (await this.try(() => api.adopt({ address, system: system.id, reason }))) {
      this.system = system;
      this.next();
    }
  }

  async testAlert() {
    const system = this.system;
    if (!system) return;
    const answer = await this.try(() => api.testAlert(system.id));
    if (answer) this.incident = answer.incident;
  }

  restart() {
    this.step = 'device';
    this.kind = null;
    this.source = null;
    this.line = null;
    this.system = null;
    this.incident = null;
    this.error = null;
  }

  private async try<T>(ask: () => Promise<T>): Promise<T | null> {
    this.isBusy = true;
    this.error = null;
    try {
      return await ask();
    } catch (caught) {
      this.error = caught instanceof ApiError ? caught : new ApiError(0, { code: 'unexpected', message: String(caught) });
      return null;
    } finally {
      this.isBusy = false;
    }
  }
}
