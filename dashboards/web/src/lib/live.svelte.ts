/** A live tail: an `EventSource` that the browser opens again by itself when the line breaks, and what it brought. */
import { EMPTY, release, take, type LiveBuffer } from './livebuffer';
import type { Row } from './types';

export class Live {
  buffer = $state.raw<LiveBuffer>(EMPTY);
  state = $state<'off' | 'connecting' | 'live' | 'lost' | 'ended'>('off');
  /** Why the server ended it. */
  reason = $state('');
  isHeld = $state(false);
  #source: EventSource | null = null;

  open(q: string) {
    this.close();
    this.buffer = EMPTY;
    this.reason = '';
    this.isHeld = false;
    this.state = 'connecting';
    const source = new EventSource(`/api/v1/hunt/tail?${new URLSearchParams({ q })}`);
    this.#source = source;
    source.onopen = () => (this.state = 'live');
    source.onerror = () => {
      // Refused for good (a wrong search, no session) or only interrupted.
      this.state = source.readyState === EventSource.CLOSED ? 'ended' : 'lost';
    };
    source.addEventListener('rows', (event) => {
      const { rows, missed } = JSON.parse(event.data) as { rows: Row[]; missed: number };
      this.state = 'live';
      this.buffer = take(this.buffer, rows, missed, this.isHeld);
    });
    source.addEventListener('end', (event) => {
      this.reason = (JSON.parse(event.data) as { message: string }).message;
      this.close();
      this.state = 'ended';
    });
  }

  hold(isHeld: boolean) {
    this.isHeld = isHeld;
    if (!isHeld) this.buffer = release(this.buffer);
  }

  close() {
    this.#source?.close();
    this.#source = null;
    this.state = 'off';
  }
}
