/**
 * Idle: firing what is due, staying hot, parking.
 *
 * A run is idle when no step code runs, no write is unanswered, no outcome is on its
 * way and every open ctx call is a durable wait, or a race, which only follows others. That is decided in a macrotask, when
 * the body has had its say. An idle run whose next wait is due soon stays hot; any
 * other parks: it gives its claim up until a wait is due or the inbox has something.
 *
 * What is due fires also while steps run and writes are under way, or a step could not be
 * raced against a timer; but not while recorded outcomes are on their way: those were first.
 */
import { decide } from "../model/transition.ts";
import type { Claim } from "../store/store.ts";
import { syncAttributes } from "./attributes.ts";
import { expireIfDue } from "./deadline.ts";
import { quieten } from "./delivery.ts";
import type { Deps } from "./deps.ts";
import {
  countAnswer,
  type Execution,
  type HeldCall,
  isBusy,
  isGone,
  isHalting,
  loseExecution,
  observeClock,
  ownerOf,
  type PendingWait,
  releaseHeld,
  scheduleIdleCheck,
  storeNowMs,
} from "./execution.ts";
import { readInbox } from "./inbox.ts";
import { saveTransition } from "./record.ts";

/** Fire what is due; else park, stay hot until the next wait is due, or let a drain or an operator take the run. */
export function checkIdle(deps: Deps, exec: Execution): void {
  exec.cancelTimer?.();
  exec.cancelTimer = null;
  if (exec.finishing || expireIfDue(deps, exec) || exec.replaying > 0) return;
  if (exec.holding) {
    if (!isBusy(exec)) exec.stop({ kind: "held", inboxSeen: exec.inboxSeen });
    return;
  }
  if (fireDue(deps, exec)) return scheduleIdleCheck(deps.host, exec);
  const dueInMs = nextDueInMs(deps, exec);
  const busy = isBusy(exec);
  const idle = !busy && exec.waits.size > 0 && exec.held.length === 0 && onlyWaits(exec);
  if (idle && (exec.draining || dueInMs === null || dueInMs > deps.settings.hotWaitMs)) {
    park(deps, exec).catch((error: unknown) => loseExecution(exec, error));
    return;
  }
  if (exec.draining && !busy) return exec.stop({ kind: "drained" });
  if (dueInMs !== null) exec.cancelTimer = deps.host.timer(dueInMs, () => scheduleIdleCheck(deps.host, exec));
}

function onlyWaits(exec: Execution): boolean {
  if (exec.open.size === exec.waits.size) return true;
  let races = 0;
  for (const { kind } of exec.open.values()) if (kind === "race") races += 1;
  return exec.open.size === exec.waits.size + races;
}

/** A call of a body whose claim is not held waits here until it is; a parked run is taken back for it. */
export function holdCall(deps: Deps, exec: Execution, call: HeldCall): void {
  exec.held.push(call);
  if (exec.phase === "parked" && exec.held.length === 1) wakeRun(deps, exec);
  if (isHalting(exec)) scheduleIdleCheck(deps.host, exec);
}

/** Continue a parked execution in memory. Only valid when nobody held the run meanwhile: new fence = old + 1. */
export async function continueExecution(deps: Deps, exec: Execution, claim: Claim): Promise<void> {
  exec.run = claim.run;
  exec.owner = ownerOf(claim.run);
  exec.phase = "running";
  observeClock(deps.host, exec, claim.nowMs);
  syncAttributes(deps, exec);
  if (claim.run.inboxSeq > exec.inboxSeen) await readInbox(deps, exec);
  if (!isHalting(exec)) releaseHeld(exec);
  scheduleIdleCheck(deps.host, exec);
}

/** @returns whether a wait fired; that makes the run busy again */
function fireDue(deps: Deps, exec: Execution): boolean {
  const nowMs = storeNowMs(deps.host, exec);
  const due = [...exec.waits.values()].filter((wait) => wait.dueAtMs !== null && wait.dueAtMs <= nowMs);
  const addressed = exec.timingOut ? [] : due.filter(isAddressed);
  const others = due.filter((wait) => !isAddressed(wait));
  for (const wait of others) fireWait(exec, wait);
  if (addressed.length > 0) timeOut(deps, exec, addressed).catch((error: unknown) => loseExecution(exec, error));
  return addressed.length + others.length > 0;
}

/** Outsiders may end it as well as time. */
function isAddressed({ kind }: PendingWait): boolean {
  return kind === "signal" || kind === "approval";
}

/** A signal or a decision that was stored before the deadline, by another process, comes before the timeout (P6). */
async function timeOut(deps: Deps, exec: Execution, waits: readonly PendingWait[]): Promise<void> {
  exec.unanswered += 1;
  exec.timingOut = true;
  await readInbox(deps, exec);
  exec.timingOut = false;
  countAnswer(exec);
  for (const wait of waits) if (exec.waits.get(wait.key) === wait && !isGone(exec)) fireWait(exec, wait);
  quieten(deps, exec);
}

function fireWait(exec: Execution, wait: PendingWait): void {
  exec.waits.delete(wait.key);
  wait.fire(null);
}

/** When a wait is due, or the time of the run as a whole is up; null: not by time alone. */
export function nextDueInMs(deps: Deps, exec: Execution): number | null {
  let dueAtMs = (exec.run.ending === null ? exec.run.deadlineAtMs : null) ?? Infinity;
  for (const wait of exec.waits.values()) {
    const beingLookedAt = exec.timingOut && isAddressed(wait);
    if (!beingLookedAt) dueAtMs = Math.min(dueAtMs, wait.dueAtMs ?? Infinity);
  }
  return dueAtMs === Infinity ? null : Math.max(0, dueAtMs - storeNowMs(deps.host, exec));
}

/** Refused when the inbox holds more than was seen: then the run stays hot and reads it (P6). */
async function park(deps: Deps, exec: Execution): Promise<void> {
  exec.phase = "parking";
  const waits = [...exec.waits.values()].map(({ kind, key, name, dueAtMs }) => ({ kind, key, name, dueAtMs }));
  const { ending, error, deadlineAtMs } = exec.run;
  const standing = { compensable: 0, ending, error, deadlineAtMs };
  const transition = decide(standing, { kind: "idle", waits, inboxSeen: exec.inboxSeen });
  const result = await saveTransition(deps, exec, transition);
  if (exec.phase !== "parking") return;
  if (result.kind === "unseen") return stayAwake(deps, exec);
  exec.phase = "parked";
  exec.leave(exec, "parked");
  if (exec.held.length > 0) wakeRun(deps, exec);
}

async function stayAwake(deps: Deps, exec: Execution): Promise<void> {
  // A cancel that came while the park was under way waits for this answer.
  quieten(deps, exec);
  await readInbox(deps, exec);
  if (exec.phase !== "parking") return;
  exec.phase = "running";
  releaseHeld(exec);
  scheduleIdleCheck(deps.host, exec);
}

/** Make a parked run due now, so that this worker (or another) claims it. */
function wakeRun(deps: Deps, exec: Execution): void {
  const write = { kind: "wake", rowId: exec.run.rowId, fence: exec.owner.fence } as const;
  deps.committer.submit(write, () => deps.worker.nudge());
}
