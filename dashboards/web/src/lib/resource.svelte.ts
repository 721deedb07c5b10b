/**
 * One thing asked of the server: the newest answer wins, an older request is aborted, old data stays while new is on its
 * way (pages dim it instead of showing a spinner over nothing).
 */
import { ApiError } from './api';

export class Resource<T> {
  data = $state.raw<T | null>(null);
  error = $state.raw<ApiError | null>(null);
  isLoading = $state(false);
  /** The last request was stopped by the person, not by an error. */
  isCancelled = $state(false);
  #running: AbortController | null = null;

  async load(ask: (signal: AbortSignal) => Promise<T>): Promise<T | null> {
    this.#running?.abort();
    const mine = new AbortController();
    this.#running = mine;
    this.isLoading = true;
    this.isCancelled = false;
    try {
      const data = await ask(mine.signal);
      if (this.#running !== mine) return null;
      this.data = data;
      this.error = null;
      return data;
    } catch (error) {
      if (this.#running !== mine || mine.signal.aborted) return null;
      this.error = error instanceof ApiError ? error : new ApiError(0, { code: 'unexpected', message: String(error) });
      return null;
    } finally {
      if (this.#running === mine) {
        this.isLoading = false;
        this.#running = null;
      }
    }
  }

  cancel() {
    if (!this.#running) return;
    this.#running.abort();
    this.#running = null;
    this.isLoading = false;
    this.isCancelled = true;
  }

  clear() {
    this.cancel();
    this.data = null;
    this.error = null;
    this.isCancelled = false;
  }
}

/** Runs `act` now and every `ms` while the page is visible; returns what stops it. For use in an `$effect`. */
export function poll(act: () => void, ms: number): () => void {
  act();
  const timer = setInterval(() => document.visibilityState === 'visible' && act(), ms);
  const seen = () => document.visibilityState === 'visible' && act();
  document.addEventListener('visibilitychange', seen);
  return () => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', seen);
  };
}
