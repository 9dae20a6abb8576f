/**
 * Elsewhere: runs that somebody here waits for and another process executes.
 *
 * However many there are, the store is asked about all of them at once: when one is added, when the store says that
 * others have committed, and, as the net below both, ever less often by itself.
 */
import { StepwellError } from "../model/errors.ts";
import type { EndedRun, Store } from "../store/store.ts";
import type { Host } from "./host.ts";
import { pollMsOf, type Settings } from "./settings.ts";
import type { Watchers } from "./watch.ts";

/** See the header. */
export type Elsewhere = {
  /** Ask about this run until it has ended or nobody waits for it. */
  readonly ask: (rowId: number) => void;
  /** Whoever still waits is told ENGINE_CLOSED. */
  readonly close: () => void;
};

/** First pause between two looks that nothing but time has caused; it doubles up to the setting. */
const POLL_MS_MIN = 20;

/** Longest pause before a look that failed is taken again. */
const LOOK_AGAIN_MS = 1_000;

/** A look costs 0.2 to 0.4 us per run (measured): with this pause all looks together stay below 2 % of a core. */
const PAUSE_MS_PER_RUN = 0.02;

/** Faults of the store that pass; whoever waits for a run need not hear of them. */
const PASSING: ReadonlySet<string> = new Set([
  ...["STORE_BUSY", "STORE_FULL", "STORE_FAILED", "STORE_OUTCOME_UNKNOWN"],
  ...["STORE_UNREACHABLE", "STORE_READ_ONLY"],
]);

type State = {
  readonly host: Host;
  readonly store: Store;
  readonly watchers: Watchers;
  readonly asked: Set<number>;
  /** Longest pause between two looks. */
  readonly pollMsMax: () => number;
  closed: boolean;
  /** `planned`: a look will begin as soon as it may. `again`: something happened during a look. */
  phase: "idle" | "planned" | "looking" | "again";
  pollMs: number;
  /** Not before; by the monotonic clock. */
  nextLookAtMs: number;
  cancelTimer: () => void;
  unwatch: () => void;
};

/** @param works whether this process executes runs itself: most that it waits for then end here */
export function openElsewhere(
  { host, store, watchers, settings }: Pick<State, "host" | "store" | "watchers"> & { readonly settings: Settings },
  works: () => boolean,
): Elsewhere {
  const pollMsMax = (): number => pollMsOf(settings, store);
  const state: State = {
    host,
    store,
    watchers,
    asked: new Set(),
    pollMsMax,
    closed: false,
    phase: "idle",
    pollMs: pollMsMax(),
    nextLookAtMs: -Infinity,
    cancelTimer: () => {},
    unwatch: () => {},
  };
  return {
    ask: (rowId) => {
      if (state.closed) return watchers.tellFailed(rowId, closedError());
      if (state.asked.size === 0) {
        state.unwatch();
        state.unwatch = store.watch((change) => {
          if (change.ended) lookSoon(state);
        });
      }
      state.asked.add(rowId);
      state.pollMs = works() ? pollMsMax() : Math.min(POLL_MS_MIN, pollMsMax());
      lookSoon(state);
    },
    close: () => {
      state.closed = true;
      stop(state);
      fail(state, closedError());
    },
  };
}

function lookSoon(state: State): void {
  if (state.phase === "looking") state.phase = "again";
  if (state.phase !== "idle") return;
  state.phase = "planned";
  state.cancelTimer();
  const waitMs = state.nextLookAtMs - state.host.monotonicMs();
  if (waitMs > 0) state.cancelTimer = state.host.timer(waitMs, () => void look(state));
  else state.host.defer(() => void look(state));
}

/** Once closed nothing is asked any more, and this ends without a word. */
async function look(state: State): Promise<void> {
  const { asked, watchers, host } = state;
  state.phase = "looking";
  for (const rowId of asked) if (!watchers.awaited(rowId)) asked.delete(rowId);
  const told = asked.size === 0 || (await askStore(state));
  const again = (state.phase as State["phase"]) === "again";
  state.phase = "idle";
  state.nextLookAtMs = host.monotonicMs() + asked.size * PAUSE_MS_PER_RUN;
  if (asked.size === 0) return stop(state);
  if (again) return lookSoon(state);
  const pauseMs = told ? state.pollMs : Math.min(state.pollMs, LOOK_AGAIN_MS);
  state.cancelTimer = host.timer(pauseMs, () => lookSoon(state));
  state.pollMs = Math.min(state.pollMs * 2, state.pollMsMax());
}

/** False: the store could not say. */
async function askStore(state: State): Promise<boolean> {
  let ended: readonly EndedRun[];
  try {
    ended = await state.store.listEnded([...state.asked]);
  } catch (error) {
    if (!(error instanceof StepwellError && PASSING.has(error.code))) fail(state, error);
    return false;
  }
  for (const { rowId, ending } of ended) {
    state.asked.delete(rowId);
    state.watchers.tellEnded(rowId, ending);
  }
  return true;
}

function stop(state: State): void {
  state.cancelTimer();
  state.unwatch();
}

function fail(state: State, error: unknown): void {
  for (const rowId of [...state.asked]) state.watchers.tellFailed(rowId, error);
  state.asked.clear();
}

function closedError(): StepwellError {
  return new StepwellError("ENGINE_CLOSED", "the engine was closed while somebody waited for the run.");
}
