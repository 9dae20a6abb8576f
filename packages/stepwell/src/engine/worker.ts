/**
 * 2 of 4 · submit ▸ worker ▸ execute ▸ steps
 *
 * Claim what is due, execute side by side. A worker has a number of slots; a run
 * holds one while it is executed, and none while it is parked. Bodies of parked runs
 * linger in memory, so that a run which comes back under the next fence continues
 * where it stands instead of being replayed.
 */
import type { InboxItem } from "../model/inbox.ts";
import type { Claim, Memory } from "../store/store.ts";
import type { Deps, WorkerDoor } from "./deps.ts";
import { executeRun } from "./execute.ts";
import {
  type Execution,
  type Left,
  loseExecution,
  newExecution,
  observeClock,
  runName,
  scheduleIdleCheck,
  storeNowMs,
} from "./execution.ts";
import { checkIdle, continueExecution } from "./idle.ts";
import { readInbox, receiveItem } from "./inbox.ts";
import { openLease, type Lease } from "./lease.ts";
import { leaseLost } from "./record.ts";

/** Runs taken by one claim at most. */
const CLAIM_MAX = 256;

/** Pause before a failed read is tried again. */
const READ_AGAIN_MS = 100;

/** Longest sleep between two looks for due runs: the net below all wake-ups. */
const POLL_MS_MAX = 1_000;

/** A running worker. */
export type Worker = WorkerDoor & {
  /** Stop claiming, let running steps end within `graceMs`, give every run back. */
  readonly drain: (graceMs: number) => Promise<void>;
  /** Leave the registry. */
  readonly stop: () => Promise<void>;
};

type State = {
  readonly executing: Map<number, Execution>;
  /** Parked bodies, least recently parked first. */
  readonly lingering: Map<number, Execution>;
  reserved: number;
  /** True while runs may wait that are older than one inserted now. */
  backlog: boolean;
  claiming: boolean;
  nudged: boolean;
  draining: boolean;
  /** Runs whose memory is being read, and whether something was posted to them meanwhile. */
  readonly loading: Map<number, { posted: boolean }>;
  cancelPoll: () => void;
  onEmpty: (() => void) | null;
};

/** Register a worker and begin to claim. */
export async function openWorker(deps: Deps): Promise<Worker> {
  const state: State = {
    executing: new Map(),
    lingering: new Map(),
    reserved: 0,
    backlog: true,
    claiming: false,
    nudged: false,
    draining: false,
    loading: new Map(),
    cancelPoll: () => {},
    onEmpty: null,
  };
  let opened = false;
  const nudge = (): void => {
    if (opened) nudgeWorker(deps, state, lease);
  };
  const lease = await openLease(deps, {
    lost: () => dropAll(state),
    renewed: () => void readInboxes(deps, state, lease),
    freed: () => nudge(),
  });
  await deps.registry.refresh();
  await deps.store.resumePaused(deps.registry.claimable(), deps.host.nowMs());
  opened = true;
  nudge();
  return {
    reserve: () => reserve(deps, state, lease),
    unreserve: () => void (state.reserved -= 1),
    begin: (claim) => {
      state.reserved -= 1;
      beginRun(deps, state, claim);
    },
    executes: (rowId) => state.executing.has(rowId),
    nudge,
    receive: (posted) => receive(deps, state, nudge, posted),
    workerId: lease.workerId,
    leaseHeld: lease.held,
    leaseRenewed: lease.renewed,
    drain: (graceMs) => drain(deps, state, graceMs),
    stop: async () => {
      lease.stop();
      state.cancelPoll();
      await leaveRegistry(deps, lease.workerId());
    },
  };
}

/** What this worker could not give back one by one is freed at once. If that fails too, its lease lapses. */
async function leaveRegistry(deps: Deps, workerId: number): Promise<void> {
  try {
    await deps.store.buryWorker(workerId, true, deps.host.nowMs());
    await deps.store.releaseRuns(workerId, deps.host.nowMs());
    await deps.store.retireWorker(workerId);
  } catch (error) {
    deps.log?.({ level: "warn", message: `the worker could not leave the registry: ${String(error)}` });
  }
}

function reserve(deps: Deps, state: State, lease: Lease): number | null {
  if (state.draining || state.backlog || !lease.held()) return null;
  if (freeSlots(deps, state) <= 0) return null;
  state.reserved += 1;
  return lease.workerId();
}

function freeSlots(deps: Deps, state: State): number {
  return deps.settings.concurrency - state.executing.size - state.reserved;
}

function nudgeWorker(deps: Deps, state: State, lease: Lease): void {
  state.nudged = true;
  state.backlog = true;
  if (state.claiming || state.draining) return;
  state.claiming = true;
  deps.host.defer(() => void claimDue(deps, state, lease));
}

/** Claim until nothing is due or no slot is free, then sleep until the next run is due. */
async function claimDue(deps: Deps, state: State, lease: Lease): Promise<void> {
  state.cancelPoll();
  let pollMs: number | null = POLL_MS_MAX;
  try {
    pollMs = await claimOnce(deps, state, lease);
  } catch (error) {
    deps.log?.({ level: "warn", message: `runs could not be claimed: ${String(error)}` });
  }
  state.claiming = false;
  if (state.draining) return;
  if (state.nudged && freeSlots(deps, state) > 0) return nudgeWorker(deps, state, lease);
  const pollInMs = Math.min(pollMs ?? POLL_MS_MAX, POLL_MS_MAX);
  state.cancelPoll = deps.host.timer(pollInMs, () => void poll(deps, state, lease));
}

/** Other processes may have brought versions that this worker can continue. */
async function poll(deps: Deps, state: State, lease: Lease): Promise<void> {
  try {
    await deps.registry.refresh();
  } catch (error) {
    deps.log?.({ level: "warn", message: `versions could not be read: ${String(error)}` });
  }
  nudgeWorker(deps, state, lease);
}

/** @returns milliseconds until the next look is worth it */
async function claimOnce(deps: Deps, state: State, lease: Lease): Promise<number | null> {
  state.nudged = false;
  if (!lease.held()) return null;
  const limit = Math.min(freeSlots(deps, state), CLAIM_MAX);
  if (limit <= 0) {
    state.nudged = true;
    return null;
  }
  const versionIds = deps.registry.claimable();
  state.reserved += limit;
  let claims: readonly Claim[] = [];
  try {
    claims = await deps.store.claimRuns({ workerId: lease.workerId(), versionIds, limit, nowMs: deps.host.nowMs() });
  } finally {
    state.reserved -= limit;
  }
  for (const claim of claims) beginRun(deps, state, claim);
  const nextInMs = await deps.store.nextDueInMs(versionIds, deps.host.nowMs());
  if (nextInMs === 0) state.nudged = true;
  if (!state.nudged) state.backlog = false;
  return nextInMs;
}

/** Continue a lingering body if nobody held the run meanwhile; else execute the run afresh. */
function beginRun(deps: Deps, state: State, claim: Claim): void {
  const { rowId } = claim.run;
  const lingering = state.lingering.get(rowId);
  state.lingering.delete(rowId);
  if (lingering?.phase === "parked") {
    if (claim.run.fence === lingering.owner.fence + 1) {
      state.executing.set(rowId, lingering);
      return follow(deps, lingering, continueExecution(deps, lingering, claim));
    }
    loseExecution(lingering, leaseLost(lingering));
  }
  void startExecution(deps, state, claim);
}

async function startExecution(deps: Deps, state: State, claim: Claim): Promise<void> {
  const { run } = claim;
  const workflow = deps.registry.findFor(run);
  if (workflow === null) return;
  const hooks = {
    leave: (exec: Execution, how: Left) => leave(deps, state, exec, how),
    checkIdle: (exec: Execution) => checkIdle(deps, exec),
  };
  const loading = { posted: false };
  const remembers = run.fence > 1 || run.inboxSeq > 0 || run.ending !== null;
  const memory = remembers ? await load(deps, state, run.rowId, loading) : null;
  const exec = newExecution(workflow, claim, memory, hooks);
  exec.draining = state.draining;
  observeClock(deps.host, exec, claim.nowMs);
  state.executing.set(run.rowId, exec);
  follow(deps, exec, execute(deps, state, exec));
  if (loading.posted) follow(deps, exec, readInbox(deps, exec));
}

/** A slot is held while the memory is read. */
async function load(deps: Deps, state: State, rowId: number, loading: { posted: boolean }): Promise<Memory> {
  state.reserved += 1;
  state.loading.set(rowId, loading);
  try {
    return await patiently(deps, () => deps.store.loadMemory(rowId));
  } finally {
    state.loading.delete(rowId);
    state.reserved -= 1;
  }
}

/** A run that is claimed must be read: a store that fails is asked again. */
async function patiently<T>(deps: Deps, read: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await read();
    } catch (error) {
      deps.log?.({ level: "warn", message: `a claimed run could not be read: ${String(error)}` });
      await new Promise<void>((resolve) => void deps.host.timer(READ_AGAIN_MS, resolve));
    }
  }
}

async function execute(deps: Deps, state: State, exec: Execution): Promise<void> {
  if ((await executeRun(deps, exec)) === "done") return;
  exec.phase = "lost";
  await startExecution(deps, state, { run: exec.run, nowMs: storeNowMs(deps.host, exec) });
}

/**
 * An execution that fails by itself is the engine's fault or the store's; the run is left to be taken over, and it is
 * said.
 */
function follow(deps: Deps, exec: Execution, execution: Promise<void>): void {
  execution.catch((error: unknown) => {
    deps.log?.({ level: "error", message: `the execution failed: ${String(error)}`, run: runName(exec) });
    loseExecution(exec, error);
  });
}

/** A later execution of the same run may sit in the slot already: only its own is freed. */
function leave(deps: Deps, state: State, exec: Execution, how: Left): void {
  const { rowId } = exec.run;
  const current = state.executing.get(rowId) === exec;
  if (current) state.executing.delete(rowId);
  if (current && how === "parked") linger(deps, state, exec);
  if (how === "lost") giveBack(deps, exec);
  if (how !== "over") deps.watchers.tellLeft(rowId);
  if (isEmpty(state)) state.onEmpty?.();
  if (state.nudged) deps.worker.nudge();
}

function linger(deps: Deps, state: State, exec: Execution): void {
  state.lingering.set(exec.run.rowId, exec);
  if (state.lingering.size <= deps.settings.lingerMax) return;
  const [oldest] = state.lingering.values();
  if (oldest === undefined) return;
  state.lingering.delete(oldest.run.rowId);
  loseExecution(oldest, leaseLost(oldest));
}

/**
 * The store may still hold a lost run for this worker (a lease in doubt, a fault of ours): let it be claimed again.
 * Refused as stale otherwise.
 */
function giveBack(deps: Deps, exec: Execution): void {
  const { owner } = exec;
  const seq = exec.seq + 1;
  const transition = { kind: "release" } as const;
  const write = { kind: "transition", owner, transition, seq, consumes: null, parent: null } as const;
  deps.committer.submit(write, (result) => {
    if (result.kind === "stored") deps.worker.nudge();
  });
}

function dropAll(state: State): void {
  for (const exec of [...state.executing.values()]) loseExecution(exec, leaseLost(exec));
}

/** Requests that other processes left for runs executed here reach them at the next heartbeat at the latest. */
async function readInboxes(deps: Deps, state: State, lease: Lease): Promise<void> {
  try {
    for (const held of await deps.store.listHeldRuns(lease.workerId())) {
      const exec = state.executing.get(held.rowId);
      if (exec?.phase === "running" && held.inboxSeq > exec.inboxSeen) await readInbox(deps, exec);
    }
  } catch (error) {
    deps.log?.({ level: "warn", message: `inboxes could not be read: ${String(error)}` });
  }
}

/**
 * An item stored by this process: for a run executed here it is handed over; for a parked one it is a reason to claim.
 */
function receive(
  deps: Deps,
  state: State,
  nudge: () => void,
  posted: { readonly rowId: number; readonly item: InboxItem; readonly claimable: boolean },
): void {
  const exec = state.executing.get(posted.rowId);
  if (exec?.phase === "running" && !receiveItem(exec, posted.item)) follow(deps, exec, readInbox(deps, exec));
  const loading = state.loading.get(posted.rowId);
  if (loading !== undefined) loading.posted = true;
  if (posted.claimable) nudge();
}

/** Running steps may end within the grace time, no new one begins; then every run parks or is released. */
async function drain(deps: Deps, state: State, graceMs: number): Promise<void> {
  state.draining = true;
  state.cancelPoll();
  for (const exec of state.executing.values()) {
    exec.draining = true;
    scheduleIdleCheck(deps.host, exec);
  }
  if (!isEmpty(state)) await emptied(deps, state, graceMs);
  dropAll(state);
}

function emptied(deps: Deps, state: State, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cancel = deps.host.timer(graceMs, resolve);
    state.onEmpty = () => {
      cancel();
      resolve();
    };
  });
}

function isEmpty(state: State): boolean {
  return state.executing.size === 0 && state.reserved === 0;
}
