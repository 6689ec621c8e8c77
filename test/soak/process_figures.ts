/** What a process holds: threads, descriptors, resident memory. From /proc, so of any process of ours. */
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessFigures {
  threads: number;
  descriptors: number;
  rss_kib: number;
}

/** Throws when there is no such process. */
export function processFigures(pid: number | 'self'): ProcessFigures {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]);
  return { threads: field('Threads'), descriptors: readdirSync(`/proc/${pid}/fd`).length, rss_kib: field('VmRSS') };
}
