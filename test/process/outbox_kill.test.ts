import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { createDelivery } from '../../src/delivery/delivery.js';
import { openStore } from '../../src/store/store.js';
import { SETTINGS } from '../fixtures/delivery_world.js';

t.setTimeout(180_000);

const KILLS = 10;
/** So many payloads are stored before a life is ended: a slow machine just takes longer. */
const STORED_FIRST = 20;
/** Requests that a process has on their way at most: so many may be sent twice for one death. */
const CONCURRENCY = 8;

/** A small generator (mulberry32), so that a run can be repeated. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Taken {
  number: number;
  key: string;
  /** Which life of the child had begun last when it came. */
  life: number;
}

t.test('kill -9 at any moment loses nothing that was said to be stored, and repeats only under the same key', async (t) => {
  const seed = Number(process.env['KILL_SEED'] ?? 20251114);
  t.comment(`seed ${seed}`);
  const random = seeded(seed);
  const folder = mkdtempSync(join(tmpdir(), 'sightline-kill-'));
  const file = join(folder, 'sightline.db');
  const taken: Taken[] = [];
  let life = 0;
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (part: string) => (body += part));
    request.on('end', () => {
      const { session_id, anomaly_type } = JSON.parse(body) as { session_id?: string; anomaly_type?: string };
      taken.push({ number: Number((session_id ?? anomaly_type ?? '').slice(1)), key: String(request.headers['idempotency-key']), life });
      // Slow enough that deaths fall between taking and answering.
      setTimeout(() => response.writeHead(200).end('{"success": true}'), 5 + Math.floor(random() * 25));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/cv-callback.php`;

  const stored = new Map<number, string>();
  let next = 0;
  for (life = 1; life <= KILLS; life++) {
    const output = await lifeOfChild(file, url, next, Math.floor(random() * 400));
    for (const [, number = '', key = ''] of output.matchAll(/^stored (\d+) (\S+)$/gm)) stored.set(Number(number), key);
    // Numbers are used once: those of the killed process that were on their way to the disk may or may not be there.
    next += 10_000;
  }
  t.ok(stored.size >= KILLS * STORED_FIRST, `${stored.size} payloads were said to be stored`);

  const quiet = { error: () => undefined, warn: () => undefined, info: () => undefined };
  const store = await openStore({ file, log: quiet });
  const delivery = createDelivery({ store, settings: { ...SETTINGS, php_system: { ...SETTINGS.php_system, callback_url: url } }, log: quiet });
  await delivery.start();
  const left = delivery.status().backlog;
  for (const end = Date.now() + 60_000; delivery.status().backlog > 0 && Date.now() < end; ) await new Promise((resolve) => setTimeout(resolve, 20));
  t.match(delivery.status(), { backlog: 0, failed: 0 }, `the ${left} that were left are delivered`);
  t.match(delivery.counters(), { dead_letters: 0, dropped: { outbox_full: 0 } });
  await delivery.stop(1_000);
  await store.close();

  const keys = new Map<number, Set<string>>();
  const times = new Map<string, Taken[]>();
  for (const one of taken) {
    keys.set(one.number, (keys.get(one.number) ?? new Set<string>()).add(one.key));
    times.set(one.key, [...(times.get(one.key) ?? []), one]);
  }
  t.same([...stored].filter(([number]) => !keys.has(number)), [], 'nothing that was said to be stored is missing');
  t.same([...keys].filter(([, set]) => set.size > 1), [], 'a payload has one key for ever');
  t.same([...stored].filter(([number, key]) => !keys.get(number)?.has(key)), [], 'the one that was announced');
  const repeats = [...times.values()].filter((list) => list.length > 1);
  t.comment(`${taken.length} requests, ${keys.size} payloads, ${repeats.length} sent again, ${left} left at the end`);
  t.same(repeats.filter((list) => new Set(list.map((one) => one.life)).size !== list.length), [], 'never twice within one life: only a death in between makes a repeat');
  for (let death = 1; death <= KILLS; death++) {
    const of_death = repeats.filter((list) => list.some((one) => one.life === death) && list.some((one) => one.life > death)).length;
    // On their way, or answered within the last group commit.
    t.ok(of_death <= CONCURRENCY * 12, `death ${death}: ${of_death} repeats`);
  }
});

/** Starts the child and kills it `after_ms` after it has stored STORED_FIRST payloads. @returns what it wrote */
function lifeOfChild(file: string, url: string, first: number, after_ms: number): Promise<string> {
  const script = fileURLToPath(new URL('../fixtures/delivery_child.js', import.meta.url));
  const child = spawn(process.execPath, [script, file, url, String(first)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  let doomed = false;
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    output += part;
    if (!doomed && output.split('\n').length > STORED_FIRST + 2) {
      doomed = true;
      setTimeout(() => void child.kill('SIGKILL'), after_ms);
    }
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => (signal === 'SIGKILL' ? resolve(output) : reject(new Error(`the child ended by itself (${code ?? signal})`))));
  });
}
