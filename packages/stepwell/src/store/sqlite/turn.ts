/**
 * Turn: sharing the file with other processes (F6).
 *
 * The driver's own wait for a lock blocks the event loop, and it starves: it sleeps ever longer while a busy
 * neighbour takes the lock again at once (11,492 commits against 1, measured). So the driver never waits here.
 *
 *   T1. A call that finds the file locked has done nothing; it is tried again after a random pause of at most
 *       1.5 ms, from the event loop, until 5 s have passed. Then it throws STORE_BUSY.
 *   T2. While others write too, a process that has written for 20 ms lets 3 ms pass before its next write: long
 *       enough for everyone who waits to look in between.
 *   T3. Alone, none of this costs anything: no clock is read and no promise made. That others are there is learnt
 *       from a lock that was met, or from a change that was noticed (watch.ts).
 *
 *   T4. A file that stays locked for a second may be locked by this very connection: when the system fails to take
 *       back a lock (EIO of an unlock), SQLite counts it as held for as long as the connection lives. So the
 *       connection is opened anew, once in a wait. Where somebody else is the cause, that costs some milliseconds.
 *
 *   T5. Who owns the file (a user's transaction, which takes turns of the event loop) has the connection for himself:
 *       every other call of this process waits until he is done, and comes before the next who wants to own it: a
 *       heartbeat waits for one transaction, however many are queued.
 *
 * Calls that wait may be overtaken by later ones of the same process; who needs an order waits for the answer.
 */
import { StepwellError } from "../../model/errors.ts";
import type { Pace } from "../pace.ts";

/** One store's place among the processes on its file. */
export type Turn = {
  readonly read: <T>(work: () => T) => Promise<T>;
  readonly write: <T>(work: () => T) => Promise<T>;
  /** T5. `begin` as a write; `work` is what then takes its time. */
  readonly own: <B, T>(begin: () => B, work: (begun: B) => Promise<T>) => Promise<T>;
  /** Others have written just now. */
  readonly meetOthers: () => void;
};

/** How long a call waits for the file; above any orderly transaction, and below the patience of a caller. */
export const TURN_MS_MAX = 5_000;

const PAUSE_MS_MAX = 1.5;

/** T4; longer than an orderly transaction of somebody else. */
const RENEW_MS = 1_000;

/** After so much writing a process steps back, for so long. Three processes are even with these (measured). */
const SPENT_MS_MAX = 20;
const STEP_BACK_MS = 3;

/** For so long after they were last met, others count as there. */
const OTHERS_MS = 1_000;

type State = {
  readonly path: string;
  /** Null: nobody to wait by, a locked file is told at once. */
  readonly pace: Pace | null;
  /** Closes the connection; the next call opens another. */
  readonly renew: () => void;
  /** When it was last closed so; null: never. */
  renewedAtMs: number | null;
  /** When others were last met; null: not lately. */
  metAtMs: number | null;
  /** Time spent writing since the last step back, while others were there. */
  spentMs: number;
  /** While stepping back. */
  stepBack: Promise<void> | null;
  /** While somebody owns the file; null: nobody does. */
  owned: Promise<void> | null;
  /** When the last of those who want to own it is done. */
  owners: Promise<void>;
};

/**
 * @param pace null: calls that find the file locked throw STORE_BUSY at once
 * @param renew closes the connection, so that the next call opens another
 */
export function openTurn(path: string, pace: Pace | null, renew: () => void): Turn {
  const state: State = {
    path,
    pace,
    renew,
    renewedAtMs: null,
    metAtMs: null,
    spentMs: 0,
    stepBack: null,
    owned: null,
    owners: Promise.resolve(),
  };
  const write: Turn["write"] = async (work) => {
    while (state.stepBack !== null || state.owned !== null) await (state.stepBack ?? state.owned);
    try {
      return state.metAtMs === null ? work() : writeAmongOthers(state, work);
    } catch (error) {
      if (!isBusy(error)) throw error;
      return tryAgain(state, () => writeAmongOthers(state, work), error);
    }
  };
  return {
    read: async (work) => {
      while (state.owned !== null) await state.owned;
      try {
        return work();
      } catch (error) {
        if (!isBusy(error)) throw error;
        return tryAgain(state, work, error);
      }
    },
    write,
    own: (begin, work) => own(state, write, begin, work),
    meetOthers: () => meetOthers(state),
  };
}

/** T5. */
async function own<B, T>(
  state: State,
  write: Turn["write"],
  begin: () => B,
  work: (begun: B) => Promise<T>,
): Promise<T> {
  const { pace, owners } = state;
  let [release, leave] = [(): void => {}, (): void => {}];
  state.owners = new Promise((resolve) => (leave = resolve));
  await owners;
  try {
    const begun = await write(() => {
      const made = begin();
      state.owned = new Promise((resolve) => (release = resolve));
      return made;
    });
    const beganMs = pace === null || state.metAtMs === null ? null : pace.monotonicMs();
    try {
      return await work(begun);
    } finally {
      state.owned = null;
      if (pace !== null && beganMs !== null) spend(state, pace, beganMs);
    }
  } finally {
    // In this order: whoever waits for the file comes before the next owner.
    release();
    leave();
  }
}

function meetOthers(state: State): void {
  state.metAtMs = state.pace?.monotonicMs() ?? null;
}

/** T1. */
async function tryAgain<T>(state: State, work: () => T, met: StepwellError): Promise<T> {
  const { pace } = state;
  if (pace === null) throw met;
  const beganMs = pace.monotonicMs();
  let busy = met;
  do {
    meetOthers(state);
    await (state.stepBack ?? pause(pace, pace.random() * PAUSE_MS_MAX));
    while (state.owned !== null) await state.owned;
    renewOnce(state, pace, beganMs);
    try {
      return work();
    } catch (error) {
      if (!isBusy(error)) throw error;
      busy = error;
    }
  } while (pace.monotonicMs() < beganMs + TURN_MS_MAX);
  throw waitedInVain(state, busy);
}

/** T4. One connection serves all who wait. */
function renewOnce(state: State, { monotonicMs }: Pace, beganMs: number): void {
  const nowMs = monotonicMs();
  if (nowMs - beganMs < RENEW_MS || (state.renewedAtMs !== null && state.renewedAtMs >= beganMs)) return;
  state.renewedAtMs = nowMs;
  state.renew();
}

/** T2. */
function writeAmongOthers<T>(state: State, work: () => T): T {
  const { pace } = state;
  if (pace === null) return work();
  const beganMs = pace.monotonicMs();
  if (state.metAtMs !== null && beganMs - state.metAtMs > OTHERS_MS) state.metAtMs = null;
  try {
    return work();
  } finally {
    spend(state, pace, beganMs);
  }
}

function spend(state: State, pace: Pace, beganMs: number): void {
  state.spentMs = state.metAtMs === null ? 0 : state.spentMs + pace.monotonicMs() - beganMs;
  if (state.spentMs >= SPENT_MS_MAX) stepBack(state, pace);
}

function stepBack(state: State, pace: Pace): void {
  state.spentMs = 0;
  state.stepBack ??= pause(pace, STEP_BACK_MS).then(() => {
    state.stepBack = null;
  });
}

function pause(pace: Pace, ms: number): Promise<void> {
  return new Promise((resolve) => void pace.timer(ms, resolve));
}

function isBusy(error: unknown): error is StepwellError {
  return error instanceof StepwellError && error.code === "STORE_BUSY";
}

function waitedInVain({ path }: State, busy: StepwellError): StepwellError {
  const what = `"${path}": other processes kept it locked for ${TURN_MS_MAX / 1_000} s`;
  return new StepwellError("STORE_BUSY", what, { cause: busy, details: { path, waitedMs: TURN_MS_MAX } });
}
