/**
 * Keeps a worker's sessions usable while models and devices fail. A network that fails on a GPU is opened again at once with the next provider: the
 * GPU may be gone. One that fails again and again is suspended, so that it costs the others nothing, and tried again later, after longer and longer
 * waits. What the runs of a network produce is absent meanwhile, and its status says so.
 */
import type { NetworkFailure, NetworkStatus, Provider } from './protocol.js';

/** So many failed answers in a row suspend a network. */
const FAILURES_MAX = 3;
const RETRY_MIN_MS = 10_000;
const RETRY_MAX_MS = 300_000;

export interface Opened<S> {
  session: S | null;
  status: Pick<NetworkStatus, 'network' | 'provider' | 'refusals' | 'load_ms'>;
}

export interface KeeperOptions<S extends { close(): Promise<void> }> {
  networks: readonly string[];
  /** Tried in this order. */
  providers: readonly Provider[];
  /** Never rejects: what went wrong is in the status. */
  open: (network: string, providers: Provider[]) => Promise<Opened<S>>;
  now_ms: () => number;
}

interface Kept<S> {
  session: S | null;
  status: NetworkStatus;
  /** Failed answers in a row. */
  row: number;
  wait_ms: number;
  retry_ms: number;
  /** The provider gave up: the ones after it are tried before the next task. */
  lost: boolean;
}

export class SessionKeeper<S extends { close(): Promise<void> }> {
  readonly #options: KeeperOptions<S>;
  readonly #kept = new Map<string, Kept<S>>();
  readonly #changed = new Set<string>();

  constructor(options: KeeperOptions<S>) {
    this.#options = options;
  }

  async openAll(): Promise<void> {
    for (const network of this.#options.networks) {
      const { session, status } = await this.#options.open(network, [...this.#options.providers]);
      const state = session === null ? ('missing' as const) : ('running' as const);
      this.#kept.set(network, { session, status: { ...status, state, failures: 0, last_error: '' }, row: 0, wait_ms: RETRY_MIN_MS, retry_ms: 0, lost: false });
    }
  }

  statuses(): NetworkStatus[] {
    return [...this.#kept.values()].map(({ status }) => status);
  }

  /** The session, when the network may be run now. */
  session(network: string): S | null {
    const kept = this.#kept.get(network);
    return kept?.status.state === 'running' ? kept.session : null;
  }

  /** Takes note of what an answer says of each network. */
  note(failures: readonly NetworkFailure[], ran: readonly string[]): void {
    const failed = new Set<string>();
    for (const { network, message, skipped } of failures) {
      const kept = this.#kept.get(network);
      if (skipped === true || kept === undefined) continue;
      failed.add(network);
      kept.row++;
      kept.lost = kept.status.provider !== 'cpu';
      this.#set(network, kept, { failures: kept.status.failures + 1, last_error: message });
      if (!kept.lost && kept.row >= FAILURES_MAX) this.#suspend(network, kept);
    }
    for (const network of ran) {
      const kept = this.#kept.get(network);
      if (kept === undefined || failed.has(network)) continue;
      kept.row = 0;
      kept.wait_ms = RETRY_MIN_MS;
    }
  }

  /** Between two tasks: moves networks away from a provider that failed, and tries those whose wait is over. */
  async mend(): Promise<void> {
    for (const [network, kept] of this.#kept) {
      if (kept.lost) await this.#moveOn(network, kept);
      else if (kept.status.state === 'suspended' && this.#options.now_ms() >= kept.retry_ms) await this.#reopen(network, kept, [...this.#options.providers]);
    }
  }

  /** Statuses that have changed since the last call. */
  takeChanges(): NetworkStatus[] {
    const changed = [...this.#changed].flatMap((network) => this.#kept.get(network)?.status ?? []);
    this.#changed.clear();
    return changed;
  }

  async #moveOn(network: string, kept: Kept<S>): Promise<void> {
    kept.lost = false;
    const { provider, last_error } = kept.status;
    const rest = provider === null ? [] : this.#options.providers.slice(this.#options.providers.indexOf(provider) + 1);
    if (provider === null || rest.length === 0) {
      if (kept.row >= FAILURES_MAX) this.#suspend(network, kept);
      return;
    }
    await this.#reopen(network, kept, [...rest], [...kept.status.refusals, { provider, message: last_error }]);
  }

  async #reopen(network: string, kept: Kept<S>, providers: Provider[], refusals: NetworkStatus['refusals'] = []): Promise<void> {
    await kept.session?.close().catch(() => undefined); // a device that is gone can't be given back
    const { session, status } = await this.#options.open(network, providers);
    kept.session = session;
    if (session === null) {
      this.#set(network, kept, { refusals: [...refusals, ...status.refusals] });
      this.#suspend(network, kept);
      return;
    }
    // One more failure suspends it again: it has not shown yet that it works.
    kept.row = FAILURES_MAX - 1;
    this.#set(network, kept, { ...status, refusals: [...refusals, ...status.refusals], state: 'running' });
  }

  #suspend(network: string, kept: Kept<S>): void {
    kept.retry_ms = this.#options.now_ms() + kept.wait_ms;
    kept.wait_ms = Math.min(RETRY_MAX_MS, kept.wait_ms * 2);
    this.#set(network, kept, { state: 'suspended' });
  }

  #set(network: string, kept: Kept<S>, change: Partial<NetworkStatus>): void {
    kept.status = { ...kept.status, ...change };
    this.#changed.add(network);
  }
}
