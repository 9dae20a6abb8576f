/**
 * Dice: numbers that look random and are the same for the same seed, so that
 * generated data can be generated again.
 */

/** A stream of numbers. */
export type Dice = {
  /** In [0, 1). */
  readonly next: () => number;
  /** A whole number from `low` to `high`, both included. */
  readonly between: (low: number, high: number) => number;
  /** One of a list that is not empty. */
  readonly pick: <T>(from: readonly T[]) => T;
};

/** Dice of a seed; the algorithm is mulberry32 (Tommy Ettinger, 2017). */
export function seededDice(seed: number): Dice {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
  const pick = <T>(from: readonly T[]): T => {
    if (from.length === 0) throw new RangeError("cannot pick from an empty list");
    return from[between(0, from.length - 1)] as T;
  };
  return { next, between, pick };
}
