/**
 * Giving up: calls that nobody waits for any longer, because they lost a race. Each is
 * recorded as cancelled, so that no replay runs it again: its code is asked to stop and
 * not waited for, its waits are dropped, its child is asked to cancel. An outcome that is
 * on its way to the store already is kept.
 */
import type { StepwellError } from "../model/errors.ts";
import { failureText, toFailure } from "../model/failure.ts";
import type { CallConfig } from "./chain.ts";
import { cancelChild } from "./children.ts";
import type { Deps } from "./deps.ts";
import { abortStep, type Execution, type OpenCall } from "./execution.ts";
import { nextSeq, saveCheckpoint } from "./record.ts";
import { endCall } from "./steps.ts";

/** Give up what a chain stands for: a call, or the calls that it is made of. */
export function giveUpChain(deps: Deps, exec: Execution, config: CallConfig, reason: StepwellError): void {
  if (config.ended) return;
  config.giveUp?.(reason);
  const call = openCalls(exec).find((open) => open.config === config);
  if (call !== undefined) giveUpCall(deps, call, reason);
}

/** Give up a call that has begun, if it has not ended. */
export function giveUpKey(deps: Deps, exec: Execution, key: string, reason: StepwellError): void {
  const call = exec.open.get(key) ?? exec.held.find((held) => held.call.key === key)?.call;
  if (call !== undefined) giveUpCall(deps, call, reason);
}

/** An item whose turn has not come gets its outcome all the same; one that an earlier execution recorded has it. */
export function giveUpUnbegun(deps: Deps, exec: Execution, key: string, reason: StepwellError): void {
  if (exec.recorded.has(key)) return;
  const attempt = (exec.attempts.get(key)?.attempt ?? 0) + 1;
  const { outcome, text: value, durationMs } = cancelled(reason);
  const seq = nextSeq(exec, null);
  const checkpoint = { key, kind: "step", outcome, value, seq, attempt, durationMs, compensable: false } as const;
  const clearsCrashes = exec.run.crashes > 0;
  const write = { kind: "checkpoint", owner: exec.owner, checkpoint, consumes: null, clearsCrashes } as const;
  saveCheckpoint(deps, exec, write, () => {});
}

function openCalls(exec: Execution): readonly OpenCall[] {
  return [...exec.open.values(), ...exec.held.map((held) => held.call)];
}

function giveUpCall(deps: Deps, call: OpenCall, reason: StepwellError): void {
  const { exec, key, config } = call;
  if (config.ended) return;
  exec.held = exec.held.filter((held) => held.call !== call);
  exec.waits.delete(key);
  exec.approvals.delete(key);
  for (const step of exec.stepping) {
    if (step.context.step !== key) continue;
    abortStep(step, "cancelled", reason);
    exec.stepping.delete(step);
    exec.abandoned.push(step);
  }
  cancelChild(deps, exec, call, reason.message);
  exec.open.delete(key);
  endCall(deps, call, { ...cancelled(reason), attempt: config.attempt });
}

function cancelled(reason: StepwellError) {
  const failure = toFailure(reason);
  return { outcome: "cancelled", text: failureText(failure), value: failure, durationMs: 0 } as const;
}
