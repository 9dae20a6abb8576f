/**
 * Activity: what is under way in a process, so that a test can wait for rest instead of
 * for time: deferred tasks, calls of the store, code of steps. All of it ends by itself,
 * if in real time, unless it waits for the virtual clock.
 */
import type { Host } from "../../engine/host.ts";

/** Something that has begun and not ended. */
export type Deed = {
  /** Of step code: `namespace/name id key`; null: the engine's own. */
  readonly step: string | null;
  /** How many waits for the virtual clock it is in. */
  sleeping: number;
  /** It was waited for, and did not end: it is not waited for again. */
  givenUp: boolean;
};

/** What one process is doing. */
export type Activity = {
  /** Something of the engine's begins; the result ends it. */
  readonly begin: () => () => void;
  /** Run step code and follow it to its end. */
  readonly follow: <T>(step: string, work: (code: Deed) => T) => T;
  /** None, once the process is dead. */
  readonly deeds: () => readonly Deed[];
  readonly stop: () => void;
};

/** A process that does nothing yet. */
export function openActivity(): Activity {
  let stopped = false;
  const deeds = new Set<Deed>();
  const begin = (step: string | null): Deed => {
    const deed = { step, sleeping: 0, givenUp: false };
    deeds.add(deed);
    return deed;
  };
  return {
    begin: () => {
      const deed = begin(null);
      return () => void deeds.delete(deed);
    },
    follow: (step, work) => {
      const code = begin(step);
      const ended = (): void => void deeds.delete(code);
      try {
        const result = work(code);
        if (isPromise(result)) void result.then(ended, ended);
        else ended();
        return result;
      } catch (thrown) {
        ended();
        throw thrown;
      }
    },
    deeds: () => (stopped ? [] : [...deeds]),
    stop: () => void (stopped = true),
  };
}

/** Milliseconds of real time for step code, and for a call of the engine's, such as of the store. */
export type Patience = { readonly codeMs: number; readonly callMs: number };

/** Turns of the event loop without anything under way after which nothing more happens by itself. */
const QUIET_TURNS = 20;

/** Turns that one and the same deed is given before time is spent on it. */
const SPIN_TURNS = 200;

/** Real pause between two looks at something that takes time. */
const PAUSE_MS = 1;

/**
 * Resolves when nothing is under way any more but code that waits for the virtual clock.
 *
 * @param real       the machine's own clock and scheduler
 * @param patience how long a deed may take in real time; one that takes longer is not waited for again
 */
export async function rest(real: Host, deeds: () => readonly Deed[], patience: Patience): Promise<void> {
  let quietTurns = 0;
  let turns = 0;
  let sinceMs = real.monotonicMs();
  let seen: readonly Deed[] = [];
  while (quietTurns < QUIET_TURNS) {
    await (turns < SPIN_TURNS ? turn(real) : pause(real));
    const awaited = deeds().filter((deed) => deed.sleeping === 0 && !deed.givenUp);
    quietTurns = awaited.length === 0 ? quietTurns + 1 : 0;
    turns += 1;
    if (!sameItems(awaited, seen)) {
      turns = 0;
      sinceMs = real.monotonicMs();
      seen = awaited;
    } else {
      const tookMs = real.monotonicMs() - sinceMs;
      // A call may take some turns, whatever else hangs.
      const calls = turns >= QUIET_TURNS && tookMs >= patience.callMs;
      for (const deed of awaited) deed.givenUp = deed.step === null ? calls : tookMs >= patience.codeMs;
    }
  }
}

/** One turn of the event loop: all promise jobs and deferred tasks of before are done. */
export function turn(real: Host): Promise<void> {
  return new Promise((resolve) => real.defer(resolve));
}

function pause(real: Host): Promise<void> {
  return new Promise((resolve) => void real.timer(PAUSE_MS, resolve));
}

function sameItems<T>(some: readonly T[], others: readonly T[]): boolean {
  return some.length === others.length && some.every((item, index) => item === others[index]);
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
