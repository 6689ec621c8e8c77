/** Bounded windows over time, and the robust statistics taken over them. Times are microseconds of the analyser's timeline. */

/** The newest samples of a span of time; bounded by count as well, so that a fast camera costs no more memory. */
export class TimeWindow<T extends { readonly t_us: number }> {
  readonly #items: T[] = [];

  /**
   * @param span_us samples older than the newest by more than this are dropped
   * @param min_gap_us a sample closer to its predecessor than this is not kept (thins fast cameras)
   * @param limit most samples held, ≥ 1
   */
  constructor(
    readonly span_us: number,
    readonly min_gap_us: number,
    readonly limit: number,
  ) {}

  /** Takes a sample newer than the last; returns whether it was kept. */
  push(item: T): boolean {
    const last = this.#items.at(-1);
    if (last !== undefined && item.t_us - last.t_us < Math.max(1, this.min_gap_us)) return false;
    this.#items.push(item);
    let stale = 0;
    while (item.t_us - (this.#items[stale] as T).t_us > this.span_us) stale += 1;
    stale = Math.max(stale, this.#items.length - this.limit);
    if (stale > 0) this.#items.splice(0, stale);
    return true;
  }

  /** Drops what is older than `span_us` before `now_us`, for a window whose source has fallen silent. */
  expire(now_us: number): void {
    let stale = 0;
    while (stale < this.#items.length && now_us - (this.#items[stale] as T).t_us > this.span_us) stale += 1;
    if (stale > 0) this.#items.splice(0, stale);
  }

  /** Oldest first. */
  get items(): readonly T[] {
    return this.#items;
  }

  /** Time between the oldest and the newest sample. */
  get covered_us(): number {
    const first = this.#items[0];
    const last = this.#items.at(-1);
    return first === undefined || last === undefined ? 0 : last.t_us - first.t_us;
  }

  clear(): void {
    this.#items.length = 0;
  }
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i += 1) sum += values[i] as number;
  return sum / values.length;
}

/** Linear interpolation between order statistics; `sorted` ascending and not empty, `p` 0..1. */
export function quantileSorted(sorted: ArrayLike<number>, p: number): number {
  const at = p * (sorted.length - 1);
  const below = Math.floor(at);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low + (high - low) * (at - below);
}

/** Median and 1.4826 × median absolute deviation (the standard deviation of normal data); values not empty. */
export function medianAndDeviation(values: ArrayLike<number>): { median: number; deviation: number } {
  const copy = Float64Array.from(values);
  const median = medianInPlace(copy);
  for (let i = 0; i < copy.length; i += 1) copy[i] = Math.abs((copy[i] as number) - median);
  return { median, deviation: 1.4826 * medianInPlace(copy) };
}

/** Reorders the values. Selection, as sorting 24 features of half an hour would take most of a fit's time. */
function medianInPlace(values: Float64Array): number {
  const half = values.length >> 1;
  const high = select(values, half);
  if (values.length % 2 === 1) return high;
  let low = -Infinity;
  for (let i = 0; i < half; i += 1) low = Math.max(low, values[i] as number);
  return (low + high) / 2;
}

/** The k-th smallest, everything before it not above it (Hoare's selection, pivot in the middle). */
function select(values: Float64Array, k: number): number {
  let left = 0;
  let right = values.length - 1;
  while (left < right) {
    const pivot = values[(left + right) >> 1] as number;
    let i = left;
    let j = right;
    while (i <= j) {
      while ((values[i] as number) < pivot) i += 1;
      while ((values[j] as number) > pivot) j -= 1;
      if (i > j) break;
      const swap = values[i] as number;
      values[i] = values[j] as number;
      values[j] = swap;
      i += 1;
      j -= 1;
    }
    if (k <= j) right = j;
    else if (k >= i) left = i;
    else break;
  }
  return values[k] as number;
}

export function clamp01(value: number): number {
  return value < 0 ? 0 : value > 1 ? 1 : value;
}
