/**
 * Uncertain: an attempt that began and has no outcome, because its process died or it ran out of time. Nobody can know whether
 * it took effect. By default it is made again; a step that must not be repeated says `onUncertain`.
 *
 *   U1. Each attempt of such a step is stored as begun before its code runs.
 *   U2. One that has begun and has no outcome is never made again by itself. `fail` fails the step with STEP_UNCERTAIN;
 *       `ask` sets the run aside until an operator says that it is to be made again (a retry), gives its value (a step
 *       resolved by hand), or cancels the run.
 *   U3. A timeout is no outcome: the code may have called somebody, and may still do so. An error that the code throws is.
 */
import { StepwellError } from "../model/errors.ts";
import { type Failure, failureText, toFailure } from "../model/failure.ts";
import type { AttemptEnd } from "./attempt.ts";
import type { CallConfig } from "./chain.ts";
import type { Deps } from "./deps.ts";
import { type Execution, type OpenCall, runName } from "./execution.ts";
import { nextSeq, submit } from "./record.ts";

/** U1. Resolves when it is stored; never when the execution is lost. */
export function saveBegun(deps: Deps, { exec, key, kind }: OpenCall, attempt: number): Promise<void> {
  const seq = nextSeq(exec, null);
  const begun = { key, kind, state: "running", attempt, seq, error: null, dueAtMs: null, durationMs: 0 } as const;
  const write = { kind: "attempt", owner: exec.owner, attempt: begun, dueInMs: null } as const;
  return new Promise((resolve) => submit(deps, exec, write, () => resolve()));
}

/** Its code runs: that it has begun is told already. */
export function noteBegun({ exec, key }: OpenCall): void {
  for (const step of exec.stepping) if (step.key === key) step.told = true;
}

/** U2: how the attempt that an earlier execution began is taken; null: there is none, or its step is made again. */
export function endOfInterrupted(call: OpenCall, attempt: number): AttemptEnd | null {
  const { exec, key, config } = call;
  if (config.onUncertain === null || exec.interrupted?.get(key) !== attempt) return null;
  return { kind: "failure", failure: uncertain(call, attempt), abortedFor: null, durationMs: 0 };
}

/** U3 */
export function endInTime(call: OpenCall, end: AttemptEnd, attempt: number): AttemptEnd {
  if (call.config.onUncertain === null || end.kind === "value" || end.abortedFor !== "timeout") return end;
  return { ...end, failure: { ...uncertain(call, attempt), cause: end.failure } };
}

/** Ask an operator, if that is what the step says. True: the run stands still, and nobody waits for the call any more. */
export function asks(exec: Execution, config: CallConfig, end: AttemptEnd): boolean {
  if (config.onUncertain !== "ask" || end.kind === "value" || end.failure.code !== "STEP_UNCERTAIN") return false;
  exec.stop({ kind: "stuck", error: failureText(end.failure) });
  return true;
}

function uncertain({ exec, key }: OpenCall, attempt: number): Failure {
  const what = `attempt ${attempt} of "${key}" of ${runName(exec)} began, and nobody knows whether it took effect.`;
  return toFailure(new StepwellError("STEP_UNCERTAIN", what, { details: { step: key, attempt } }));
}
