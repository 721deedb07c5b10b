/** One hunt: the rows, the histogram and the facets of a question, asked side by side, and the older pages of rows. */
import { api } from '$/lib/api';
import type { HuntState } from '$/lib/huntstate';
import { resolve } from '$/lib/range';
import { Resource } from '$/lib/resource.svelte';
import type { Facets, Histogram, HuntAnswer, Row } from '$/lib/types';

const PAGE_ROWS = 500;
const BUCKETS = 96;

export class HuntSession {
  answer = new Resource<HuntAnswer>();
  histogram = new Resource<Histogram>();
  facets = new Resource<Facets>();
  older = new Resource<HuntAnswer>();
  rows = $state.raw<Row[]>([]);
  /** `next` of the newest page. */
  next = $state<string | null>(null);
  /** What the shown rows answer, in milliseconds. */
  span = $state.raw({ from: 0, to: 0 });
  readonly isRunning = $derived(this.answer.isLoading || this.histogram.isLoading || this.facets.isLoading);

  async run(state: Pick<HuntState, 'q' | 'mode' | 'range'>) {
    const span = resolve(state.range, Date.now());
    const from = new Date(span.from).toISOString();
    const to = new Date(span.to).toISOString();
    this.older.clear();
    if (state.mode === 'search') {
      this.histogram.load((signal) => api.histogram({ q: state.q, from, to, buckets: BUCKETS }, signal));
      this.facets.load((signal) => api.facets({ q: state.q, from, to }, signal));
    } else {
      this.histogram.clear();
      this.facets.clear();
      if (!state.q) return this.answer.clear();
    }
    const answer = await this.answer.load((signal) => api.hunt({ q: state.q, mode: state.mode, from, to, limit: PAGE_ROWS }, signal));
    if (!answer) return;
    this.rows = answer.rows;
    this.next = answer.next ?? null;
    this.span = span;
  }

  async more(state: HuntState) {
    if (!this.next) return;
    const before = this.next;
    const { from, to } = this.span;
    const request = { q: state.q, mode: state.mode, from: new Date(from).toISOString(), to: new Date(to).toISOString(), limit: PAGE_ROWS, before };
    const answer = await this.older.load((signal) => api.hunt(request, signal));
    if (!answer) return;
    this.rows = [...this.rows, ...answer.rows];
    this.next = answer.next ?? null;
  }

  cancel() {
    this.answer.cancel();
    this.histogram.cancel();
    this.facets.cancel();
    this.older.cancel();
  }
}
