/** Networks over time windows: rows of many cameras share a run. Runs on an inference worker's thread. */
import { labelDecoder } from './decoders/index.js';
import type { Outputs } from './decoders/types.js';
import type { Network } from './manifest.js';
import type { SequencesAnswer } from './protocol.js';
import type { SequenceResult, SequenceRow } from './results.js';

export interface WindowInput {
  name: string;
  data: Float32Array;
  dims: number[];
}

export interface SequenceStageOptions {
  networks: Network[];
  available(network: string): boolean;
  run(network: Network, inputs: WindowInput[]): Promise<Outputs>;
  now_us(): number;
}

export class SequenceStage {
  readonly #options: SequenceStageOptions;

  constructor(options: SequenceStageOptions) {
    this.#options = options;
  }

  async run(rows: SequenceRow[]): Promise<SequencesAnswer> {
    const answer: SequencesAnswer = { kind: 'sequences', results: [], stage_us: {}, batches: {}, failures: [] };
    for (const kind of ['action', 'anomaly'] as const) {
      const own = rows.filter((row) => row.kind === kind);
      const network = this.#options.networks.find((candidate) => candidate.produces === kind);
      if (own.length === 0 || !network) continue;
      if (!this.#options.available(network.id)) {
        answer.failures.push({ network: network.id, message: 'not loaded', skipped: true });
        continue;
      }
      const started = this.#options.now_us();
      try {
        for (let start = 0; start < own.length; start += network.max_batch) {
          const chunk = own.slice(start, start + network.max_batch);
          answer.results.push(...(await this.#runChunk(network, kind, chunk)));
          (answer.batches[network.id] ??= []).push(chunk.length);
        }
      } catch (error) {
        answer.failures.push({ network: network.id, message: (error instanceof Error ? error.message : String(error)).slice(0, 300) });
      }
      answer.stage_us[kind] = this.#options.now_us() - started;
    }
    return answer;
  }

  /** Inputs of zeros, for measuring. */
  blank(network: Network, items: number): WindowInput[] {
    return [
      { name: network.input.tensor, data: new Float32Array(items * itemSize(network)), dims: [items, ...itemDims(network)] },
      ...(network.extra_inputs ?? []).map((extra) => ({
        name: extra.tensor,
        data: new Float32Array(items * product(extra.shape)).fill(1),
        dims: [items, ...extra.shape],
      })),
    ];
  }

  async #runChunk(network: Network, kind: 'action' | 'anomaly', rows: SequenceRow[]): Promise<SequenceResult[]> {
    const inputs = this.blank(network, rows.length);
    for (const [at, row] of rows.entries()) {
      fill(inputs[0], at, row.input);
      for (const [index, values] of (row.parameters ?? []).entries()) fill(inputs[index + 1], at, values);
    }
    const outputs = await this.#options.run(network, inputs);
    if (kind === 'action') {
      const context = { width: network.input.width, height: network.input.height, params: network.decoder };
      const decode = labelDecoder(network.decoder.name);
      return rows.map((row, at) => ({ key: row.key, kind, labels: decode(outputs, at, context) }));
    }
    const errors = Object.values(outputs)[0]?.data as Float32Array;
    return rows.flatMap((row, at) => {
      const error = errors[at];
      return error !== undefined && Number.isFinite(error) ? [{ key: row.key, kind, error }] : [];
    });
  }
}

/** Copies one row; a row of another size is an error of ours and stops the run. */
function fill(input: WindowInput | undefined, at: number, values: Float32Array): void {
  const size = input ? product(input.dims.slice(1)) : 0;
  if (!input || values.length !== size) throw new RangeError(`window row: expected ${size} values, received ${values.length}`);
  input.data.set(values, at * size);
}

function itemDims(network: Network): number[] {
  return network.produces === 'anomaly' ? [network.input.width] : [network.input.height, network.input.width];
}

function itemSize(network: Network): number {
  return product(itemDims(network));
}

function product(values: readonly number[]): number {
  return values.reduce((a, b) => a * b, 1);
}
