/**
 * Clock: virtual time, moved by hand. Timers fire in the order of their moments, those
 * of one moment in the order they were set, and each sees the clock at its own moment.
 *
 * Nothing here waits in real time: thirty days pass as fast as what happens in them.
 */

/** Time in a test's hands. */
export type Clock = {
  /** Epoch milliseconds. */
  readonly nowMs: () => number;
  /** Run `task` when the clock gets there; the result cancels it. */
  readonly timer: (ms: number, task: () => void) => () => void;
  /** As `timer`; no moment of its own: it fires when the clock has gone past it for another reason. */
  readonly upkeep: (ms: number, task: () => void) => () => void;
  /** When the next timer is due; null: there is none. */
  readonly nextAtMs: () => number | null;
  /** Go to the moment of the next timer, unless it has passed already, and fire it alone. */
  readonly fireNext: () => void;
  /** Go to a moment that has no timer before it. */
  readonly moveTo: (atMs: number) => void;
  /** Go to a moment at once; what fell due on the way fires once, there. */
  readonly jumpTo: (atMs: number) => void;
};

type Timer = { readonly atMs: number; readonly task: () => void };

/** A clock that stands at `startMs`. */
export function openClock(startMs: number): Clock {
  let nowMs = startMs;
  const timers: Timer[] = [];
  const upkeep: Timer[] = [];
  const add = (list: Timer[], ms: number, task: () => void): (() => void) => {
    const timer = { atMs: nowMs + Math.max(0, Math.ceil(ms)), task };
    insert(list, timer);
    return () => remove(list, timer);
  };
  const fireDue = (list: Timer[]): void => {
    const due = list.filter((timer) => timer.atMs <= nowMs);
    for (const timer of due) if (remove(list, timer)) timer.task();
  };
  const goTo = (atMs: number): void => void (nowMs = Math.max(nowMs, atMs));
  return {
    nowMs: () => nowMs,
    timer: (ms, task) => add(timers, ms, task),
    upkeep: (ms, task) => add(upkeep, ms, task),
    nextAtMs: () => timers[0]?.atMs ?? null,
    fireNext: () => {
      const timer = timers.shift();
      if (timer === undefined) return;
      goTo(timer.atMs);
      timer.task();
      fireDue(upkeep);
    },
    moveTo: (atMs) => {
      goTo(atMs);
      fireDue(upkeep);
    },
    jumpTo: (atMs) => {
      goTo(atMs);
      fireDue(timers);
      fireDue(upkeep);
    },
  };
}

/** Behind all timers of the same moment. */
function insert(timers: Timer[], timer: Timer): void {
  const at = timers.findLastIndex((other) => other.atMs <= timer.atMs);
  timers.splice(at + 1, 0, timer);
}

/** @returns whether it was there */
function remove(timers: Timer[], timer: Timer): boolean {
  const at = timers.indexOf(timer);
  if (at >= 0) timers.splice(at, 1);
  return at >= 0;
}
