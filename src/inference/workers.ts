/**
 * The inference threads: a piscina pool with every option written out. Piscina's own queue never holds work: the dispatcher submits only when
 * a worker is free, so that "newest frame wins" is decided in one place.
 */
import { Piscina } from 'piscina';
import type { MeasureAnswer, StatusAnswer, WorkerAnswer, WorkerSetup, WorkerTask } from './protocol.js';

export interface Workers {
  /** Number of threads. */
  readonly size: number;
  /**
   * Rejects when the task threw or the thread died. There is no time limit: a thread that is terminated inside ONNX Runtime's run() aborts the
   * whole process when the call returns (measured with onnxruntime-node 1.30). A run that hangs shows in /health/live instead.
   */
  run(task: WorkerTask): Promise<WorkerAnswer>;
  /** Asks every thread for its sessions; the first call waits until they are open. */
  status(deadline_ms: number): Promise<StatusAnswer[]>;
  /** The same run on all threads at once: median microseconds of one run, of the slowest thread. */
  measure(network: string, batch: number, runs: number, deadline_ms: number): Promise<number>;
  /** Threads that were replaced since the start. */
  restarts(): number;
  close(): Promise<void>;
}

export function startWorkers(options: { size: number; setup: WorkerSetup }): Workers {
  const { size } = options;
  const pool = new Piscina<WorkerTask, WorkerAnswer>({
    filename: new URL('./worker.js', import.meta.url).href,
    minThreads: size,
    maxThreads: size,
    idleTimeout: 0x7fff_ffff,
    maxQueue: size,
    concurrentTasksPerWorker: 1,
    // Between tasks a worker sleeps in Atomics.wait: nothing else may be pending in it, and nothing is.
    atomics: 'sync',
    resourceLimits: { maxOldGenerationSizeMb: 512 },
    env: {},
    argv: [],
    execArgv: [],
    workerData: options.setup,
    niceIncrement: 0,
    trackUnmanagedFds: false,
    // How long close() waits for tasks before it terminates their threads.
    closeTimeout: 2_000,
    recordTiming: false,
    workerHistogram: false,
  });
  // Piscina emits `error` when an idle thread dies; it has replaced the thread by then, and a task in flight has been rejected.
  pool.on('error', () => undefined);
  let destroyed = 0;
  pool.on('workerDestroy', () => {
    destroyed++;
  });

  const run = (task: WorkerTask): Promise<WorkerAnswer> => pool.run(task);
  const onEach = (task: (barrier: SharedArrayBuffer) => WorkerTask, deadline_ms: number): Promise<WorkerAnswer[]> => {
    const barrier = new SharedArrayBuffer(4);
    return within(deadline_ms, Promise.all(Array.from({ length: size }, () => run(task(barrier)))));
  };

  return {
    size,
    run,
    async status(deadline_ms) {
      const answers = await onEach((barrier) => ({ kind: 'status', barrier, parties: size }), deadline_ms);
      return answers.filter((answer): answer is StatusAnswer => answer.kind === 'status');
    },
    async measure(network, batch, runs, deadline_ms) {
      const answers = await onEach((barrier) => ({ kind: 'measure', network, batch, runs, barrier, parties: size }), deadline_ms);
      const times = answers.filter((answer): answer is MeasureAnswer => answer.kind === 'measure').map((answer) => answer.run_us);
      return Math.max(...times);
    },
    restarts: () => destroyed,
    // Not destroy(), which terminates threads that are inside a run.
    close: () => pool.close(),
  };
}

/** Rejects after `deadline_ms`; the work itself goes on. */
async function within<T>(deadline_ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => { reject(new Error(`inference workers: no answer within ${deadline_ms} ms`)); }, deadline_ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
