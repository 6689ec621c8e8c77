/** What the workers say of the networks, put together: each worker has sessions of its own, and the worst of them is what is shown. */
import type { NetworkStatus } from './protocol.js';

export interface StateLog {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

const WORST = ['missing', 'suspended', 'running'];

export class NetworkStates {
  readonly #by_thread = new Map<number, Map<string, NetworkStatus>>();
  readonly #shown: Map<string, NetworkStatus>;

  /** @param initial what every worker said at the start */
  constructor(initial: readonly NetworkStatus[], private readonly log: StateLog) {
    this.#shown = new Map(initial.map((status) => [status.network, status]));
  }

  /** In the order of the manifest. */
  get all(): NetworkStatus[] {
    return [...this.#shown.values()];
  }

  /** Takes note of what a worker's answer says has changed; each change of state is said. */
  note(thread: number, changed: readonly NetworkStatus[]): void {
    const own = this.#by_thread.get(thread) ?? new Map<string, NetworkStatus>();
    this.#by_thread.set(thread, own);
    for (const status of changed) {
      own.set(status.network, status);
      const before = this.#shown.get(status.network);
      const all = [...this.#by_thread.values()].flatMap((statuses) => statuses.get(status.network) ?? []);
      const worst = all.reduce((a, b) => (WORST.indexOf(b.state) < WORST.indexOf(a.state) ? b : a), status);
      const failures = all.reduce((sum, one) => sum + one.failures, 0);
      const refusals = worst.refusals.length >= (before?.refusals.length ?? 0) ? worst.refusals : (before?.refusals ?? []);
      this.#shown.set(status.network, { ...worst, failures, refusals });
      this.#say(before, { ...worst, failures });
    }
  }

  #say(before: NetworkStatus | undefined, now: NetworkStatus): void {
    const fields = { model: now.network, state: now.state, provider: now.provider, failures: now.failures, cause: now.last_error };
    if (now.provider !== before?.provider && now.provider !== null && before?.provider !== null && now.state === 'running') {
      this.log.error({ ...fields, code: 'PROVIDER_LOST', was: before?.provider }, `model ${now.network} failed on ${String(before?.provider)} and runs on ${now.provider} now: expect fewer frames`);
    } else if (now.state === 'suspended' && before?.state !== 'suspended') {
      this.log.error({ ...fields, code: 'MODEL_SUSPENDED' }, `model ${now.network} fails again and again: it is skipped, its results are absent, and it is tried again later`);
    } else if (now.state === 'running' && before?.state === 'suspended') {
      this.log.info(fields, `model ${now.network} is tried again`);
    } else if (now.failures > (before?.failures ?? 0) && now.failures === 1) {
      this.log.warn({ ...fields, code: 'MODEL_FAILED' }, `model ${now.network} failed; its results are absent for these frames`);
    }
  }
}
