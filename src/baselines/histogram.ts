/** Counts of a value over equal bins of 0..1: small, mergeable, and good for a median to a bin's width. */

export const BINS = 64;

export class Histogram {
  readonly #bins = new Float64Array(BINS);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** @param value is cut to 0..1 */
  add(value: number): void {
    const at = Math.min(BINS - 1, Math.max(0, Math.floor(value * BINS)));
    this.#bins[at] = (this.#bins[at] as number) + 1;
    this.#count += 1;
  }

  merge(other: Histogram): void {
    for (let i = 0; i < BINS; i += 1) this.#bins[i] = (this.#bins[i] as number) + (other.#bins[i] as number);
    this.#count += other.#count;
  }

  /** Median and 1.4826 × median absolute deviation; undefined when empty. */
  robust(): { median: number; deviation: number } | undefined {
    if (this.#count === 0) return undefined;
    const median = this.#quantile(0.5);
    const near = Array.from(this.#bins, (weight, i) => ({ weight, distance: Math.abs((i + 0.5) / BINS - median) })).filter(({ weight }) => weight > 0);
    near.sort((a, b) => a.distance - b.distance);
    let sum = 0;
    for (const { weight, distance } of near) {
      sum += weight;
      if (sum * 2 >= this.#count) return { median, deviation: 1.4826 * distance };
    }
    return { median, deviation: 0 };
  }

  /** Bins that are not empty, as flat pairs. */
  toJSON(): number[] {
    return Array.from(this.#bins).flatMap((weight, i) => (weight > 0 ? [i, weight] : []));
  }

  /** undefined for what is no histogram. */
  static from(pairs: unknown): Histogram | undefined {
    if (!Array.isArray(pairs) || pairs.length % 2 !== 0 || pairs.length > 2 * BINS) return undefined;
    const made = new Histogram();
    for (let at = 0; at < pairs.length; at += 2) {
      const [bin, weight] = [pairs[at] as unknown, pairs[at + 1] as unknown];
      if (!Number.isInteger(bin) || (bin as number) < 0 || (bin as number) >= BINS || !Number.isSafeInteger(weight) || (weight as number) < 1) return undefined;
      made.#bins[bin as number] = (made.#bins[bin as number] as number) + (weight as number);
      made.#count += weight as number;
    }
    return made;
  }

  /** Linear inside a bin. */
  #quantile(p: number): number {
    let left = p * this.#count;
    for (let i = 0; i < BINS; i += 1) {
      const weight = this.#bins[i] as number;
      if (left <= weight && weight > 0) return (i + left / weight) / BINS;
      left -= weight;
    }
    return 1;
  }
}
