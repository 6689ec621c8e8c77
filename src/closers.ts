/** What was opened is closed in reverse order, also after a half-failed start; a closer that fails or hangs does not keep the others open. */

export interface CloserLog {
  error(fields: Record<string, unknown>, message: string): void;
}

export class Closers {
  readonly #stack: { name: string; deadline_ms: number; close: () => Promise<void> | void }[] = [];
  #closing: Promise<void> | null = null;

  constructor(private readonly log: CloserLog) {}

  /** Registers how to close what has just been opened; given up after `deadline_ms`. */
  push(name: string, deadline_ms: number, close: () => Promise<void> | void): void {
    this.#stack.push({ name, deadline_ms, close });
  }

  /** Closes everything, last opened first. Never rejects; the second call waits for the first. */
  closeAll(): Promise<void> {
    this.#closing ??= this.#run();
    return this.#closing;
  }

  async #run(): Promise<void> {
    for (let entry = this.#stack.pop(); entry; entry = this.#stack.pop()) {
      const { name, deadline_ms, close } = entry;
      let timer: NodeJS.Timeout | undefined;
      try {
        const late = new Promise<never>((_, reject) => {
          timer = setTimeout(() => { reject(new Error(`not closed after ${deadline_ms} ms`)); }, deadline_ms);
        });
        await Promise.race([Promise.resolve(close()), late]);
      } catch (error) {
        this.log.error({ part: name, err: error }, 'closing failed, going on');
      } finally {
        clearTimeout(timer);
      }
    }
  }
}
