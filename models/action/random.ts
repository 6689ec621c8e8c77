/** A small seeded generator, so that training and its figures can be repeated to the bit. */
export interface Random {
  /** 0 ≤ x < 1 */
  next(): number;
  /** Uniform. */
  between(low: number, high: number): number;
  /** Standard normal. */
  normal(): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
}

/** mulberry32: 32 bits of state, period 2^32. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  return {
    next,
    between: (low, high) => low + (high - low) * next(),
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    chance: (probability) => next() < probability,
    pick: (items) => items[Math.floor(next() * items.length)] as never,
  };
}

/** A smooth wandering function of time: three sines of random frequency and phase, amplitude about `size`. */
export function wander(random: Random, size: number, lowest_hz: number, highest_hz: number): (t: number) => number {
  const parts = [0, 1, 2].map(() => ({
    rate: 2 * Math.PI * random.between(lowest_hz, highest_hz),
    phase: random.between(0, 2 * Math.PI),
    size: (size / 1.5) * random.between(0.5, 1),
  }));
  return (t) => parts.reduce((sum, part) => sum + part.size * Math.sin(part.rate * t + part.phase), 0);
}
