/**
 * Begin: a claimed run gets its execution, and what becomes of that when it leaves:
 * a parked body lingers, so that a run which comes back under the next fence continues
 * where it stands instead of being replayed; a lost one is given back.
 */
import type { Claim, Memory } from "../store/store.ts";
import type { Deps } from "./deps.ts";
import { executeRun } from "./execute.ts";
import {
  type Execution,
  type Left,
  loseExecution,
  newExecution,
  observeClock,
  runName,
  storeNowMs,
} from "./execution.ts";
import { checkIdle, continueExecution } from "./idle.ts";
import { readInbox } from "./inbox.ts";
import { lookForParked } from "./look.ts";
import { leaseLost } from "./record.ts";
import { isEmpty, type Slots } from "./slots.ts";

/** Pause before a failed read is tried again. */
const READ_AGAIN_MS = 100;

/** Continue a lingering body if nobody held the run meanwhile; else execute the run afresh. */
export function beginRun(deps: Deps, slots: Slots, claim: Claim): void {
  const { rowId } = claim.run;
  const lingering = slots.lingering.get(rowId);
  slots.lingering.delete(rowId);
  if (lingering?.phase === "parked") {
    if (claim.run.fence === lingering.owner.fence + 1) {
      lingering.draining = slots.draining;
      slots.executing.set(rowId, lingering);
      return follow(deps, lingering, continueExecution(deps, lingering, claim));
    }
    loseExecution(lingering, leaseLost(lingering));
  }
  void startExecution(deps, slots, claim);
}

async function startExecution(deps: Deps, slots: Slots, claim: Claim): Promise<void> {
  const { run } = claim;
  const workflow = deps.registry.findFor(run);
  if (workflow === null) return;
  const hooks = {
    leave: (exec: Execution, how: Left) => leave(deps, slots, exec, how),
    checkIdle: (exec: Execution) => checkIdle(deps, exec),
  };
  const loading = { posted: false };
  const remembers = run.fence > 1 || run.inboxSeq > 0 || run.ending !== null;
  const memory = remembers ? await load(deps, slots, run.rowId, loading) : null;
  const exec = newExecution(workflow, claim, memory, hooks);
  exec.draining = slots.draining;
  observeClock(deps.host, exec, claim.nowMs);
  slots.executing.set(run.rowId, exec);
  follow(deps, exec, execute(deps, slots, exec));
  if (loading.posted) follow(deps, exec, readInbox(deps, exec));
}

/** A slot is held while the memory is read. */
async function load(deps: Deps, slots: Slots, rowId: number, loading: { posted: boolean }): Promise<Memory> {
  slots.reserved += 1;
  slots.loading.set(rowId, loading);
  try {
    return await patiently(deps, () => deps.store.loadMemory(rowId));
  } finally {
    slots.loading.delete(rowId);
    slots.reserved -= 1;
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

async function execute(deps: Deps, slots: Slots, exec: Execution): Promise<void> {
  if ((await executeRun(deps, exec)) === "done") return;
  exec.phase = "lost";
  await startExecution(deps, slots, { run: exec.run, nowMs: storeNowMs(deps.host, exec) });
}

/**
 * An execution that fails by itself is the engine's fault or the store's; the run is left to be taken over, and it is
 * said.
 */
export function follow(deps: Deps, exec: Execution, execution: Promise<void>): void {
  execution.catch((error: unknown) => {
    deps.log?.({ level: "error", message: `the execution failed: ${String(error)}`, run: runName(exec) });
    loseExecution(exec, error);
  });
}

/** A later execution of the same run may sit in the slot already: only its own is freed. */
function leave(deps: Deps, slots: Slots, exec: Execution, how: Left): void {
  const { rowId } = exec.run;
  const current = slots.executing.get(rowId) === exec;
  if (current) slots.executing.delete(rowId);
  if (how === "parked") lookForParked(deps, slots, nextDueInMs(deps, exec));
  if (current && how === "parked") linger(deps, slots, exec);
  if (how === "lost") giveBack(deps, exec);
  if (how !== "over") deps.watchers.tellLeft(rowId);
  if (isEmpty(slots)) slots.onEmpty?.();
  if (slots.nudged) deps.worker.nudge();
}

/** Infinity: not by time alone. */
function nextDueInMs(deps: Deps, exec: Execution): number {
  let dueAtMs = Infinity;
  for (const wait of exec.waits.values()) dueAtMs = Math.min(dueAtMs, wait.dueAtMs ?? Infinity);
  return Math.max(0, dueAtMs - storeNowMs(deps.host, exec));
}

function linger(deps: Deps, slots: Slots, exec: Execution): void {
  slots.lingering.set(exec.run.rowId, exec);
  if (slots.lingering.size <= deps.settings.lingerMax) return;
  const [oldest] = slots.lingering.values();
  if (oldest === undefined) return;
  slots.lingering.delete(oldest.run.rowId);
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
