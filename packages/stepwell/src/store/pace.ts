/** Pace: what stores wait by. A store has no clock and no dice of its own; the host lends it these. */

/** What waiting needs of the machine. */
export type Pace = {
  /** Run `task` after `ms` ≥ 0; the result cancels it. */
  readonly timer: (ms: number, task: () => void) => () => void;
  /** In [0, 1). */
  readonly random: () => number;
  /** Milliseconds from an arbitrary start, steady under clock changes. */
  readonly monotonicMs: () => number;
};
