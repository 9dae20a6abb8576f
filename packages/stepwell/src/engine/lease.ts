/**
 * Lease: a worker's standing in the registry.
 *
 *   L1. A worker renews every third of its lease. While two thirds have passed since the
 *       last renewal, by its monotonic clock, it starts no step; when a renewal is overdue
 *       by then, it drops everything it executes (fencing itself, F10).
 *   L2. A renewal that finds the worker declared dead ends it; a new one is registered.
 *   L3. A dead worker is buried first, in its own commit, and its runs are freed later: what
 *       it still writes in between is refused because it is dead.
 *   L4. On the same machine a process that has provably ended is buried within a quarter of a second (neighbours.ts).
 */
import { parseFailure } from "../model/failure.ts";
import type { Run } from "../model/run.ts";
import type { WorkerRow } from "../store/store.ts";
import type { Deps } from "./deps.ts";
import { type Neighbours, openNeighbours } from "./neighbours.ts";

/** Pause between two looks for lapsed leases at least. */
const LOOK_MS_MIN = 100;

/** Pause after one that failed; P9 leaves two seconds. */
const LOOK_AGAIN_MS = 500;

/** A registered worker. */
export type Lease = {
  /** This worker's id; changes when it was declared dead and registered anew. */
  readonly workerId: () => number;
  readonly held: () => boolean;
  /** Resolves at the next renewal. */
  readonly renewed: () => Promise<void>;
  /** Stop renewing. */
  readonly stop: () => void;
};

/** What the worker does on the lease's account. */
export type LeaseEvents = {
  /** Drop every execution. */
  readonly lost: () => void;
  /** The lease was renewed: time to look for requests that other processes left. Never rejects. */
  readonly renewed: () => Promise<void>;
  /** Runs were freed from dead workers. */
  readonly freed: () => void;
  /** How many runs the worker executes just now. */
  readonly executing: () => number;
};

type State = {
  /** Withdraws the look that is planned for the moment when the next lease of another worker lapses. */
  cancelLook: () => void;
  workerId: number;
  renewedAtMs: number;
  dropped: boolean;
  stopped: boolean;
  waiters: (() => void)[];
  cancel: () => void;
  neighbours: Neighbours | null;
};

/** Register a worker and keep its lease; takes over from dead ones at once, and when a lease has lapsed. */
export async function openLease(deps: Omit<Deps, "worker">, events: LeaseEvents): Promise<Lease> {
  const { host, settings } = deps;
  const startedMs = host.monotonicMs();
  const workerId = await register(deps);
  const state: State = {
    workerId,
    renewedAtMs: startedMs,
    dropped: false,
    stopped: false,
    waiters: [],
    cancel: () => {},
    cancelLook: () => {},
    neighbours: null,
  };
  await takeOver(deps, state, events);
  state.neighbours = openNeighbours(deps, () => takeOver(deps, state, events));
  scheduleRenewal(deps, state, events);
  return {
    workerId: () => state.workerId,
    held: () => !state.dropped && host.monotonicMs() - state.renewedAtMs < (settings.leaseMs * 2) / 3,
    renewed: () => new Promise((resolve) => state.waiters.push(resolve)),
    stop: () => {
      state.stopped = true;
      state.cancel();
      state.cancelLook();
      state.neighbours?.stop();
    },
  };
}

function register({ host, store, settings, registry }: Omit<Deps, "worker">): Promise<number> {
  const { leaseMs, concurrency, workerName } = settings;
  const process = { ...host.describeProcess(), name: workerName };
  return store.registerWorker(process, { leaseMs, concurrency, workflows: registry.offered() }, null);
}

function scheduleRenewal(deps: Omit<Deps, "worker">, state: State, events: LeaseEvents): void {
  if (state.stopped) return;
  state.cancel = deps.host.timer(deps.settings.leaseMs / 3, () => void renew(deps, state, events));
}

/** A renewal counts from the moment it was asked for: that is the earliest the store can have counted from. */
async function renew(deps: Omit<Deps, "worker">, state: State, events: LeaseEvents): Promise<void> {
  const { host, store, settings } = deps;
  const askedMs = host.monotonicMs();
  const leftMs = Math.max(0, (settings.leaseMs * 2) / 3 - (askedMs - state.renewedAtMs));
  const cancelFence = host.timer(leftMs, () => drop(state, events));
  const lapsed = leftMs === 0;
  try {
    const { leaseMs } = settings;
    const renewal = await store.renewWorker(state.workerId, { leaseMs, executing: events.executing() }, null);
    if (state.stopped) return;
    if (!renewal.alive) await registerAnew(deps, state, events);
    cancelFence();
    // Whoever stalled hears what was asked meanwhile, such as a cancel, before any step begins.
    if (lapsed) await events.renewed();
    state.renewedAtMs = askedMs;
    state.dropped = false;
    for (const waiter of state.waiters.splice(0)) waiter();
    if (!lapsed) void events.renewed();
    state.neighbours?.meet(renewal.newestWorkerId);
    // Who said that this worker is dead may have freed nothing yet.
    planLook(deps, state, events, renewal.alive ? (renewal.othersLapseInMs ?? Infinity) : 0);
  } catch (error) {
    deps.log?.({ level: "warn", message: `the lease could not be renewed: ${String(error)}` });
  } finally {
    cancelFence();
    scheduleRenewal(deps, state, events);
  }
}

function drop(state: State, events: LeaseEvents): void {
  if (state.dropped || state.stopped) return;
  state.dropped = true;
  events.lost();
}

async function registerAnew(deps: Omit<Deps, "worker">, state: State, events: LeaseEvents): Promise<void> {
  drop(state, events);
  state.workerId = await register(deps);
}

/** Bury workers that are gone or lapsed, free what they held, and plan to look again when the next lease lapses. */
async function takeOver(deps: Omit<Deps, "worker">, state: State, events: LeaseEvents): Promise<void> {
  const { host, store } = deps;
  let freed = 0;
  let nextLapseInMs = Infinity;
  const living: WorkerRow[] = [];
  for (const worker of await store.listWorkers(null)) {
    if (worker.workerId === state.workerId) continue;
    const dead = worker.state === "dead" || (await store.buryWorker(worker.workerId, host.isGone(worker), null));
    if (!dead) {
      living.push(worker);
      nextLapseInMs = Math.min(nextLapseInMs, worker.leaseLeftMs);
      continue;
    }
    const released = await store.releaseRuns(worker.workerId, "died", null);
    freed += released.freed;
    for (const run of released.quarantined) tellQuarantined(deps, run);
    await store.retireWorker(worker.workerId);
  }
  state.neighbours?.know(living);
  if (freed > 0) events.freed();
  planLook(deps, state, events, nextLapseInMs);
}

function tellQuarantined(deps: Omit<Deps, "worker">, run: Run): void {
  const { message } = parseFailure(run.error ?? "null");
  deps.log?.({ level: "error", message, run: `${run.namespace}/${run.name} ${run.id}` });
}

/** A look when the next lease lapses (P9), as far as is known; each renewal knows it anew. Infinity: there is nobody. */
function planLook(deps: Omit<Deps, "worker">, state: State, events: LeaseEvents, lapsesInMs: number): void {
  state.cancelLook();
  if (state.stopped || lapsesInMs === Infinity) return;
  state.cancelLook = deps.host.timer(Math.max(LOOK_MS_MIN, lapsesInMs + 1), () => {
    takeOver(deps, state, events).catch((error: unknown) => {
      deps.log?.({ level: "warn", message: `dead workers could not be looked for: ${String(error)}` });
      planLook(deps, state, events, LOOK_AGAIN_MS);
    });
  });
}
