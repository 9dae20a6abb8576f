/**
 * Timeout: how long an attempt may take, and for how long it may be silent. An attempt
 * whose time is up is over for the engine; its code is told by the signal, and its late
 * outcome ignored.
 */
import { StepwellError } from "../model/errors.ts";
import type { CallConfig } from "./chain.ts";
import type { Deps } from "./deps.ts";
import { abortStep, type RunningStep } from "./execution.ts";

/** Whether an attempt has bounds at all. */
export function isTimed({ timeoutMs, heartbeatMs }: CallConfig): boolean {
  return timeoutMs !== null || heartbeatMs !== null;
}

/** The outcome, or STEP_TIMEOUT, or STEP_HEARTBEAT_MISSED. */
export function inTime(deps: Deps, step: RunningStep, config: CallConfig, outcome: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const fail = (error: StepwellError): void => {
      abortStep(step, "timeout", error);
      if (step.abortedFor === "timeout") step.exec.abandoned.push(step);
      reject(error);
    };
    const cancels = [limit(deps, config, fail), listen(deps, step, config, fail)];
    Promise.resolve(outcome)
      .then(resolve, reject)
      .finally(() => {
        step.ended = true;
        cancels.forEach((cancel) => cancel());
      });
  });
}

type Fail = (error: StepwellError) => void;

function limit(deps: Deps, { timeoutMs, where, timeoutCode }: CallConfig, fail: Fail): () => void {
  if (timeoutMs === null) return () => {};
  const what = `${where} took longer than ${timeoutMs} ms.`;
  const code = timeoutCode ?? "STEP_TIMEOUT";
  return deps.host.timer(timeoutMs, () => fail(new StepwellError(code, what, { details: { timeoutMs } })));
}

/** One timer per silence, not per heartbeat: when it fires it waits for the rest. */
function listen(deps: Deps, step: RunningStep, { heartbeatMs, where }: CallConfig, fail: Fail): () => void {
  if (heartbeatMs === null) return () => {};
  let cancel = (): void => {};
  const wait = (): void => {
    const heardMs = step.beat?.atMs ?? step.startedMs;
    const leftMs = heardMs + heartbeatMs - deps.host.monotonicMs();
    if (leftMs > 0) return void (cancel = deps.host.timer(leftMs, wait));
    const what = `${where} gave no heartbeat for ${heartbeatMs} ms.`;
    fail(new StepwellError("STEP_HEARTBEAT_MISSED", what, { details: { heartbeatMs } }));
  };
  wait();
  return () => cancel();
}
