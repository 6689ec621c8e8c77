/** Pictures of cameras, few at a time: a phone on a slow link, and the daemon, are spared. fetch, not <img src>: an image request could not carry the token. */
import { useEffect, useRef, useState, type RefObject } from 'react';
import { pause, request } from '../shared/api';

const AT_ONCE = 4;
let running = 0;
const waiting: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  running++;
  try {
    return await work();
  } finally {
    running--;
    waiting.shift()?.();
  }
}

/** Is the element on the screen, or nearly? */
export function useVisible(element: RefObject<Element | null>): boolean {
  const [visible, setVisible] = useState(false);
  useEffect(() => {
    if (element.current === null) return undefined;
    const observer = new IntersectionObserver((entries) => { setVisible(entries.some((entry) => entry.isIntersecting)); }, { rootMargin: '100px' });
    observer.observe(element.current);
    return () => { observer.disconnect(); };
  }, [element]);
  return visible;
}

/** URL of the newest picture while `active`; undefined before the first. Asked for after `every_ms`, or as soon as `beat` changes. */
export function usePicture(path: string, active: boolean, every_ms: number, beat?: unknown): string | undefined {
  const [url, setUrl] = useState<string>();
  const wake = useRef<() => void>(undefined);
  useEffect(() => { wake.current?.(); }, [beat]);
  useEffect(() => {
    if (!active) return undefined;
    const stop = new AbortController();
    const { signal } = stop;
    const loop = async (): Promise<void> => {
      for (;;) {
        if (!document.hidden) {
          const blob = await inTurn(async () => (signal.aborted ? undefined : (await request(path, { signal })).blob())).catch(() => undefined);
          if (signal.aborted) return;
          if (blob !== undefined) setUrl(URL.createObjectURL(blob));
        }
        const nap = new AbortController();
        wake.current = () => { nap.abort(); };
        await pause(every_ms, AbortSignal.any([signal, nap.signal])).catch(() => { signal.throwIfAborted(); });
      }
    };
    loop().catch(() => undefined);
    return () => { stop.abort(); };
  }, [path, active, every_ms]);
  useEffect(() => () => { if (url !== undefined) URL.revokeObjectURL(url); }, [url]);
  return url;
}
