/**
 * Begin: a claimed run gets its execution, and what becomes of that when it leaves:
 * a parked body lingers, so that a run which comes back under the next fence continues
 * where it stands instead of being replayed; a lost one is given back.
 */
import type { Claim, Memory } from "../store/store.ts";
import { beatStep, watchSteps } from "./beat.ts";
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
import { checkIdle, continueExecution, nextDueInMs } from "./idle.ts";
import { afterHold } from "./hold-writes.ts";
import { readInbox } from "./inbox.ts";
import { readPatiently } from "./patience.ts";
import { planLook } from "./look.ts";
import { isSuspectsTurn, vacate } from "./probation.ts";
import { isClear, isEmpty, type Slots } from "./slots.ts";

/** A parked run has no step code that could be told why it is lost; an error for each would cost more than its parking. */
const NOBODY_ASKS = null;

/** Continue a lingering body if nobody held the run meanwhile; else execute the run afresh. */
export function beginRun(deps: Deps, slots: Slots, claim: Claim): void {
  const { rowId } = claim.run;
  const lingering = slots.lingering.get(rowId);
  slots.lingering.delete(rowId);
  if (lingering?.phase === "parked") {
    if (claim.run.fence === lingering.owner.fence + 1) {
      lingering.draining = slots.draining;
      slots.executing.set(rowId, lingering);
      watchSteps(deps, slots);
      return follow(deps, lingering, continueExecution(deps, lingering, claim));
    }
    loseExecution(lingering, NOBODY_ASKS);
  }
  void startExecution(deps, slots, claim);
}

/** What executions tell this worker; the same for all of them. */
export function executionHooks(deps: Deps, slots: Slots): Slots["hooks"] {
  return {
    leave: (exec, how) => leave(deps, slots, exec, how),
    checkIdle: (exec) => checkIdle(deps, exec),
    beat: (step, details) => beatStep(deps, step, details),
  };
}

/**
 * A run that this process has just inserted has nothing to remember, and its input need not be read back. A start whose
 * commit was in doubt may find that a signal came first.
 */
export function beginInserted(deps: Deps, slots: Slots, claim: Claim, input: unknown): void {
  if (claim.run.inboxSeq > 0) return void startExecution(deps, slots, claim);
  const workflow = deps.registry.findFor(claim.run);
  if (workflow === null) return;
  const exec = newExecution(workflow, claim, null, slots.hooks);
  exec.freshInput = { value: input };
  enter(deps, slots, exec, claim.nowMs);
}

async function startExecution(deps: Deps, slots: Slots, claim: Claim): Promise<void> {
  const { run } = claim;
  const workflow = deps.registry.findFor(run);
  if (workflow === null) return;
  const loading = { posted: false };
  const remembers = run.fence > 1 || run.inboxSeq > 0 || run.ending !== null || run.historySeq > 1;
  const memory = remembers ? await load(deps, slots, run.rowId, loading) : null;
  const exec = newExecution(workflow, claim, memory, slots.hooks);
  enter(deps, slots, exec, claim.nowMs);
  if (loading.posted) follow(deps, exec, readInbox(deps, exec));
}

function enter(deps: Deps, slots: Slots, exec: Execution, nowMs: number): void {
  exec.draining = slots.draining;
  observeClock(deps.host, exec, nowMs);
  slots.executing.set(exec.run.rowId, exec);
  watchSteps(deps, slots);
  follow(
    deps,
    exec,
    executeRun(deps, exec, () => executeAgain(deps, slots, exec)),
  );
}

/** A slot is held while the memory is read. */
async function load(deps: Deps, slots: Slots, rowId: number, loading: { posted: boolean }): Promise<Memory> {
  slots.reserved += 1;
  slots.loading.set(rowId, loading);
  try {
    return await readPatiently(deps, "a claimed run", () => deps.store.loadMemory(rowId));
  } finally {
    slots.loading.delete(rowId);
    slots.reserved -= 1;
  }
}

function executeAgain(deps: Deps, slots: Slots, exec: Execution): Promise<void> {
  exec.phase = "lost";
  return startExecution(deps, slots, { run: exec.run, nowMs: storeNowMs(deps.host, exec) });
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
  if (how === "parked") planLook(deps, slots, nextDueInMs(deps, exec) ?? Infinity, deps.worker.nudge);
  if (current && how === "parked") linger(deps, slots, exec);
  if (how === "lost") giveBack(deps, slots, exec);
  if (how !== "over") deps.watchers.tellLeft(rowId);
  if (current && vacate(slots.room, rowId)) slots.nudged = true;
  if (isEmpty(slots)) slots.onEmpty?.();
  keepLeftovers(deps, slots, exec);
  if (slots.nudged || isSuspectsTurn(slots.room, isClear(deps.host, slots))) deps.worker.nudge();
}

/** Step code that goes on without its run can still end the process: a suspect would be blamed for it (B1). */
function keepLeftovers({ host }: Deps, slots: Slots, exec: Execution): void {
  const sinceMs = host.monotonicMs();
  for (const step of exec.abandoned.splice(0)) slots.leftovers.set(step, sinceMs);
  if (exec.phase === "lost") for (const step of exec.stepping) slots.leftovers.set(step, sinceMs);
}

function linger(deps: Deps, slots: Slots, exec: Execution): void {
  slots.lingering.set(exec.run.rowId, exec);
  for (const oldest of slots.lingering.values()) {
    if (slots.lingering.size <= deps.settings.lingerMax) return;
    slots.lingering.delete(oldest.run.rowId);
    loseExecution(oldest, NOBODY_ASKS);
  }
}

/**
 * The store may still hold a lost run for this worker (a lease in doubt, a fault of ours): let it be claimed again.
 * Refused as stale otherwise.
 */
function giveBack(deps: Deps, slots: Slots, exec: Execution): void {
  slots.givingBack += 1;
  afterHold(exec, () => {
    const { owner } = exec;
    const seq = exec.seq + 1;
    const transition = { kind: "release" } as const;
    const write = { kind: "transition", owner, transition, seq, consumes: null, parent: null } as const;
    deps.committer.submit(write, (result) => {
      slots.givingBack -= 1;
      if (result.kind === "stored") deps.worker.nudge();
    });
  });
}
