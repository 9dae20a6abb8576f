/**
 * 4 of 4 · submit ▸ worker ▸ execute ▸ steps
 *
 * Every durable call of a body: look for the checkpoint; else do the work and save
 * its outcome. A step tries, records what failed, waits and tries again; its final
 * failure is a checkpoint too (P2). Nothing is thrown through the body but outcomes.
 */
import { decode } from "../model/json.ts";
import { StepwellError } from "../model/errors.ts";
import { type Failure, failureText, parseFailure, toError, toFailure } from "../model/failure.ts";
import { afterFailure } from "../model/retry.ts";
import type { InboxItem } from "../model/inbox.ts";
import type { Checkpoint, StepOutcome } from "../model/step.ts";
import { type AttemptEnd, runAttempt, shapeFailure, type StepWork } from "./attempt.ts";
import { throughBreaker } from "./breaker.ts";
import { type CallConfig, rejectCall } from "./chain.ts";
import { deliverFresh, queueDelivery, quieten } from "./delivery.ts";
import { syncAttributes } from "./attributes.ts";
import type { Deps } from "./deps.ts";
import {
  added,
  type Execution,
  isGone,
  isHalting,
  loseExecution,
  type OpenCall,
  runName,
  scheduleIdleCheck,
} from "./execution.ts";
import { holdCall } from "./idle.ts";
import { asks, endInTime, endOfInterrupted, noteBegun, saveBegun } from "./uncertain.ts";
import { leaseLost, nextSeq, saveAttempt, saveCheckpoint } from "./record.ts";

/** A durable call of a body (or a compensation), under way. */
export type Call = OpenCall & {
  /** Keys that the call had before, of which the history knows neither a checkpoint nor an attempt. */
  readonly formerly?: readonly string[];
  /** What the call does when no checkpoint answers it. */
  readonly perform: (deps: Deps, call: Call) => void;
};

/** How a call ended: `text` is what is stored, `value` the decoded copy that the body gets, or the Failure. */
export type CallEnd = {
  readonly outcome: StepOutcome;
  readonly text: string;
  readonly value: unknown;
  readonly attempt: number;
  readonly durationMs: number;
};

/** How a call is tried whose outcome is not stored by the group commit, see tx.ts. */
export type Trial = {
  /** Null: the call has ended by itself, or is given up. */
  readonly attempt: (deps: Deps, call: Call, attempt: number) => Promise<AttemptEnd | null>;
};

/** Answer the call from its checkpoint, in its turn; else perform it. */
export function beginCall(deps: Deps, call: Call): void {
  const { exec } = call;
  if (isGone(exec) || isUnheard(call)) return;
  const checkpoint = exec.recorded.get(call.key);
  if (checkpoint !== undefined) return replay(deps, call, checkpoint);
  if (exec.collecting) return void (call.kind === "child" && call.perform(deps, call));
  if (exec.phase !== "running" || isHalting(exec)) {
    return holdCall(deps, exec, { call, begin: () => beginCall(deps, call) });
  }
  if (exec.seq >= deps.settings.eventsMax) return rejectCall(call, historyLimit(deps, exec));
  if (!exec.live) goLive(deps, exec);
  exec.open.set(call.key, call);
  call.perform(deps, call);
}

/** From here on nothing is repeated: what a replay has only said so far is said aloud. */
function goLive(deps: Deps, exec: Execution): void {
  exec.live = true;
  if (!exec.closed) syncAttributes(deps, exec);
}

/** Deliver an outcome that is stored already: a transaction's. */
export function deliverStored(deps: Deps, call: OpenCall, end: Pick<CallEnd, "outcome" | "value">, seq: number): void {
  deliverFresh(deps, call.exec, seq, () => {
    if (call.config.compensate !== null && end.outcome === "completed") rememberCompensation(call, seq, end.value);
    settleCall(call, end.outcome, end.value);
  });
}

/** Save an outcome and deliver it, shaped, to the body. */
export function endCall(deps: Deps, call: OpenCall, end: CallEnd, consumes: InboxItem | null = null): void {
  const { exec } = call;
  const { text, value, outcome, attempt } = end;
  call.config.ended = true;
  const compensable = call.config.compensate !== null && outcome === "completed";
  const seq = nextSeq(exec, consumes);
  const durationMs = Math.round(end.durationMs);
  const checkpoint = { key: call.key, kind: call.kind, outcome, value: text, seq, attempt, durationMs, compensable };
  const clearsCrashes = exec.run.crashes > 0;
  const item = consumes === null ? null : consumes.seq;
  const write = { kind: "checkpoint", owner: exec.owner, checkpoint, consumes: item, clearsCrashes } as const;
  saveCheckpoint(deps, exec, write, () => {
    if (compensable) rememberCompensation(call, seq, value);
    settleCall(call, outcome, value);
  });
}

/** Carry out a step: attempts until a value, a handled failure or the final one. Most end with the first. */
export function performStep(work: StepWork): Call["perform"] {
  return (deps, call) => {
    const atOnce = isPlain(call.config) && !call.exec.attempts.has(call.key) && holdsLease(deps, call.exec);
    const first = atOnce ? runAttempt(deps, call, work, 1) : null;
    if (first !== null && "kind" in first && first.kind === "value") return endCall(deps, call, first);
    void tryUntilEnded(deps, call, work, first);
  };
}

/** Nobody has to be asked or told before an attempt. */
function isPlain({ breaker, onUncertain }: CallConfig): boolean {
  return breaker === null && onUncertain === null;
}

/** `first`: the first attempt, where it has begun. */
export async function tryUntilEnded(
  deps: Deps,
  call: Call,
  work: StepWork | Trial,
  first: AttemptEnd | Promise<AttemptEnd | null> | null,
): Promise<void> {
  const { exec } = call;
  const earlier = exec.attempts.get(call.key);
  let attempt = (earlier?.attempt ?? 0) + 1;
  let begun: AttemptEnd | Promise<AttemptEnd | null> | null = first;
  call.config.attempt = attempt;
  if (earlier !== undefined) await retryIsDue(deps, exec, call.key, earlier.dueAtMs);
  for (;;) {
    begun ??= endOfInterrupted(call, attempt) ?? nextAttempt(deps, call, work, attempt);
    const made: AttemptEnd | null = await begun;
    if (made === null || isGivenUp(call)) return quieten(deps, exec);
    const end = endInTime(call, made, attempt);
    if (asks(exec, call.config, end)) return quieten(deps, exec);
    if (end.kind === "value") return endCall(deps, call, end);
    if (end.abortedFor === "lost") return quieten(deps, exec);
    const ended = await judge(deps, call, end, attempt);
    if (isGivenUp(call)) return;
    if (ended !== null) return endCall(deps, call, ended);
    attempt += 1;
    call.config.attempt = attempt;
    begun = null;
  }
}

/** @returns null: nobody waits for it any longer, and it was not made */
function nextAttempt(deps: Deps, call: Call, work: StepWork | Trial, attempt: number): Promise<AttemptEnd | null> {
  const make = (): Promise<AttemptEnd | null> => attemptWhenHeld(deps, call, work, attempt);
  const policy = call.config.breaker;
  return policy === null ? make() : throughBreaker(deps, { call, policy, attempt, make });
}

async function attemptWhenHeld(
  deps: Deps,
  call: Call,
  work: StepWork | Trial,
  attempt: number,
): Promise<AttemptEnd | null> {
  const { exec } = call;
  if (!holdsLease(deps, exec) && !(await regainsLease(deps, exec))) {
    loseExecution(exec, leaseLost(exec));
    return null;
  }
  if (exec.phase !== "running" || isUnheard(call) || isGivenUp(call)) return null;
  if (typeof work !== "function") return work.attempt(deps, call, attempt);
  if (call.config.onUncertain === null) return runAttempt(deps, call, work, attempt);
  await saveBegun(deps, call, attempt);
  if (exec.phase !== "running" || isUnheard(call) || isGivenUp(call)) return null;
  const begun = runAttempt(deps, call, work, attempt);
  noteBegun(call);
  return begun;
}

/** L1: no step starts while the lease is in doubt, and none under the id of a worker that was declared dead. */
function holdsLease(deps: Deps, exec: Execution): boolean {
  return deps.worker.workerId() === exec.owner.workerId && deps.worker.leaseHeld();
}

async function regainsLease(deps: Deps, exec: Execution): Promise<boolean> {
  const { workerId } = exec.owner;
  while (deps.worker.workerId() === workerId && !deps.worker.leaseHeld()) await deps.worker.leaseRenewed();
  return deps.worker.workerId() === workerId;
}

/** A body whose outcome is decided, by its end or by a cancel, is left where it stands: it hears nothing more. */
export function isUnheard(call: OpenCall): boolean {
  const { exec } = call;
  return (exec.closed || exec.cancel !== null) && !exec.collecting && call.kind !== "compensation";
}

/** The run is gone, or does not wait for this call any longer: its outcome must not be stored. */
export function isGivenUp(call: OpenCall): boolean {
  return isGone(call.exec) || call.exec.open.get(call.key) !== call;
}

/** @returns the step's outcome; null: try again now, the failure is stored and its delay has passed */
async function judge(
  deps: Deps,
  call: Call,
  end: Extract<AttemptEnd, { kind: "failure" }>,
  attempt: number,
): Promise<CallEnd | null> {
  const { durationMs } = end;
  const stopped = end.abortedFor === "cancelled" || end.abortedFor === "floating";
  if (stopped) return failed("cancelled", end.failure, attempt, durationMs);
  const next = afterFailure(call.config.retry, attempt, end.failure, deps.host.random());
  const shaped = await shapeFailure(deps, call, end.failure, next.kind === "final");
  if (shaped?.kind === "value") {
    return { outcome: "handled", text: shaped.text, value: shaped.value, attempt, durationMs };
  }
  if (shaped?.kind === "failure") return failed("failed", shaped.failure, attempt, durationMs);
  if (next.kind === "final") return failed("failed", end.failure, attempt, durationMs);
  const dueAtMs = await saveFailedAttempt(deps, call, {
    failure: end.failure,
    attempt,
    durationMs,
    dueInMs: next.dueInMs,
  });
  if (!isGivenUp(call)) await retryIsDue(deps, call.exec, call.key, dueAtMs);
  return null;
}

function failed(outcome: StepOutcome, failure: Failure, attempt: number, durationMs: number): CallEnd {
  return { outcome, text: failureText(failure), value: failure, attempt, durationMs };
}

/** The failure and the next due time are one row (P10). */
function saveFailedAttempt(
  deps: Deps,
  call: Call,
  failed: {
    readonly failure: Failure;
    readonly attempt: number;
    readonly durationMs: number;
    readonly dueInMs: number;
  },
): Promise<number | null> {
  const { failure, attempt, durationMs, dueInMs } = failed;
  const row = { key: call.key, kind: call.kind, attempt, error: failureText(failure), durationMs };
  const write = { attempt: { ...row, state: "failed" }, due: { dueInMs } } as const;
  return new Promise((resolve) => saveAttempt(deps, call.exec, write, resolve));
}

function retryIsDue(deps: Deps, exec: Execution, key: string, dueAtMs: number | null): Promise<void> {
  return new Promise((resolve) => {
    exec.waits = added(exec.waits, key, { kind: "retry", key, name: key, dueAtMs, fire: () => resolve() });
    scheduleIdleCheck(deps.host, exec);
  });
}

/**
 * A recorded call answers without running anything. Asking for another kind means that the code has changed: nothing
 * is written past it.
 */
function replay(deps: Deps, call: Call, checkpoint: Checkpoint): void {
  const { exec } = call;
  if (checkpoint.kind !== call.kind) {
    return exec.stop({ kind: "stuck", error: failureText(diverged(call, checkpoint)) });
  }
  exec.recorded.delete(call.key);
  exec.open.set(call.key, call);
  call.config.ended = true;
  const failed = checkpoint.outcome === "failed" || checkpoint.outcome === "cancelled";
  const value = failed ? parseFailure(checkpoint.value) : decode(checkpoint.value);
  if (checkpoint.compensable) rememberCompensation(call, checkpoint.seq, value);
  exec.replaying += 1;
  queueDelivery(deps, exec, checkpoint.seq, () => {
    exec.replaying -= 1;
    settleCall(call, checkpoint.outcome, value);
  });
}

function settleCall(call: OpenCall, outcome: StepOutcome, value: unknown): void {
  call.exec.open.delete(call.key);
  if (isUnheard(call)) return;
  const failed = outcome === "failed" || outcome === "cancelled";
  const result = failed ? toError(value as Failure) : value;
  if (call.config.settled) return call.resolve(failed ? { ok: false, error: result } : { ok: true, value: result });
  if (failed) return rejectCall(call, result);
  call.resolve(result);
}

function rememberCompensation(call: OpenCall, seq: number, value: unknown): void {
  const { compensate } = call.config;
  if (compensate === null) return;
  const undo = compensate.undo as (value: unknown, step: unknown) => unknown;
  const { exec, key } = call;
  const compensation = { key, seq, retry: compensate.retry, undo: (step: unknown) => undo(value, step) };
  exec.compensations = added(exec.compensations, key, compensation);
}

function diverged(call: Call, checkpoint: Checkpoint): Failure {
  const { key, kind, exec } = call;
  const what = `"${key}" of ${runName(exec)} was recorded as a ${checkpoint.kind}, but the code asks for a ${kind}.`;
  const error = new StepwellError("REPLAY_DIVERGED", what, {
    details: { key, expected: checkpoint.kind, got: kind },
  });
  return toFailure(error);
}

/** What has begun may still end, so that a history grows a little beyond its limit, by as much as is under way. */
export function historyLimit({ settings }: Deps, exec: Execution): StepwellError {
  const { eventsMax } = settings;
  return new StepwellError("HISTORY_LIMIT", `${runName(exec)} has reached ${eventsMax} history events.`, {
    details: { eventsMax },
  });
}
