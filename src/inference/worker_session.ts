/**
 * One ONNX Runtime session. This file and worker.ts are the only importers of onnxruntime-node: its `run()` is a synchronous native call
 * inside `setImmediate`, so it must never be called on the main thread.
 */
import * as ort from 'onnxruntime-node';
import type { NetworkStatus, Provider } from './protocol.js';
import type { Opened } from './session_keeper.js';

export interface SessionOptions {
  network: string;
  /** Absolute path of the .onnx file. */
  file: string;
  providers: Provider[];
  gpu_device: number;
  /** Intra-op threads. */
  threads: number;
}

/** Output tensors by name; `data` belongs to the caller. */
export type OutputTensors = Record<string, { data: ort.Tensor['data']; dims: readonly number[] }>;

export interface InputTensor {
  name: string;
  /** Read only after the next `setImmediate`: it must not change before the run is awaited. */
  data: Uint8Array | Float32Array;
  dims: number[];
}

export class NetworkSession {
  readonly #session: ort.InferenceSession;

  private constructor(session: ort.InferenceSession) {
    this.#session = session;
  }

  /**
   * Opens a network with the first provider that takes it. What was refused is in the status, for the log and the metrics: a fallback is never
   * silent. When none takes it the status says so and there is no session.
   */
  static async open(options: SessionOptions): Promise<Opened<NetworkSession>> {
    const started = performance.now();
    const refusals: NetworkStatus['refusals'] = [];
    for (const provider of options.providers) {
      try {
        const session = await ort.InferenceSession.create(options.file, sessionOptions(options, provider));
        const status = { network: options.network, provider, refusals, load_ms: performance.now() - started };
        return { session: new NetworkSession(session), status };
      } catch (error) {
        refusals.push({ provider, message: firstLine(error) });
      }
    }
    return { session: null, status: { network: options.network, provider: null, refusals, load_ms: performance.now() - started } };
  }

  get inputNames(): readonly string[] {
    return this.#session.inputNames;
  }

  get outputNames(): readonly string[] {
    return this.#session.outputNames;
  }

  async run(inputs: InputTensor[]): Promise<OutputTensors> {
    const feeds: Record<string, ort.Tensor> = {};
    for (const input of inputs) {
      feeds[input.name] =
        input.data instanceof Uint8Array
          ? new ort.Tensor('uint8', input.data, input.dims)
          : new ort.Tensor('float32', input.data, input.dims);
    }
    const outputs: OutputTensors = {};
    for (const [name, tensor] of Object.entries(await this.#session.run(feeds))) {
      outputs[name] = { data: tensor.data, dims: tensor.dims };
    }
    return outputs;
  }

  async close(): Promise<void> {
    await this.#session.release();
  }
}

function sessionOptions(options: SessionOptions, provider: Provider): ort.InferenceSession.SessionOptions {
  return {
    executionProviders: [provider === 'cuda' ? { name: 'cuda', deviceId: options.gpu_device } : provider],
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    enableCpuMemArena: true,
    enableMemPattern: true,
    logSeverityLevel: 3,
    // Spinning threads win a benchmark on an idle machine and lose everywhere else: decoding needs the same cores.
    extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
  };
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split('\n')[0] ?? '').slice(0, 300);
}

/** ONNX Runtime's version. */
export function ortVersion(): string {
  return ort.env.versions.node ?? ort.env.versions.common;
}
