/** Polls that stop while nobody looks, slow down while the server is away, and never overlap. */
import { useEffect, useRef, useState } from 'react';
import { ApiError, json, pause, wordsOf } from '../shared/api';
import type { Overview, Sample } from './types';

const OVERVIEW_EVERY_MS = 2_000;
const SLOWEST_MS = 30_000;
/** An hour at one sample in 5 s. */
const SAMPLES_MAX = 720;

export interface Polled<T> {
  value: T | undefined;
  /** Empty while it works. */
  problem: string;
  status: number;
}

/** Resolves when the page can be seen. */
async function seen(signal: AbortSignal): Promise<void> {
  while (document.hidden) {
    await new Promise<void>((resolve) => {
      document.addEventListener('visibilitychange', () => { resolve(); }, { once: true, signal });
      signal.addEventListener('abort', () => { resolve(); }, { once: true });
    });
    signal.throwIfAborted();
  }
}

/** `read` again and again; `key` starts it anew. */
export function usePolled<T>(read: (signal: AbortSignal) => Promise<T>, every_ms: number, key: unknown = null): Polled<T> {
  const [state, setState] = useState<Polled<T>>({ value: undefined, problem: '', status: 200 });
  const latest = useRef(read);
  latest.current = read;
  useEffect(() => {
    const stop = new AbortController();
    const { signal } = stop;
    setState((before) => (before.status === 200 ? before : { ...before, problem: '', status: 200 })); // what was refused to another key says nothing of this one
    const loop = async (): Promise<void> => {
      for (let failures = 0; ; ) {
        await seen(signal);
        try {
          const value = await latest.current(signal);
          signal.throwIfAborted();
          failures = 0;
          setState({ value, problem: '', status: 200 });
        } catch (error) {
          if (signal.aborted) return;
          failures++;
          const status = error instanceof ApiError ? error.status : 0;
          setState((before) => ({ value: before.value, problem: wordsOf(error), status }));
          if (status === 401 || status === 403 || status === 404) return;
        }
        const wait = Math.min(SLOWEST_MS, every_ms * 2 ** Math.min(failures, 5));
        await pause(failures === 0 ? wait : wait * (0.75 + Math.random() / 2), signal);
      }
    };
    loop().catch(() => undefined); // only when it is stopped
    return () => { stop.abort(); };
  }, [every_ms, key]);
  return state;
}

/** The overview, with the samples of all answers joined. */
export function useOverview(key: unknown): Polled<Overview> & { samples: readonly Sample[] } {
  const samples = useRef<Sample[]>([]);
  const polled = usePolled(
    async (signal) => {
      const since = samples.current.at(-1)?.at_ms ?? 0;
      const overview = await json<Overview>(`/api/overview?since=${since}`, { signal });
      samples.current = [...samples.current, ...overview.samples].slice(-SAMPLES_MAX);
      return overview;
    },
    OVERVIEW_EVERY_MS,
    key,
  );
  return { ...polled, samples: samples.current };
}
