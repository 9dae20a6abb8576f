/**
 * Deadline: a run that takes too long as a whole fails, as if its body had thrown: steps
 * are asked to stop, awaited children to cancel, and what was done is undone. It counts
 * from the start, also while the run is parked, waits for a worker or is replayed. Undoing
 * has no deadline.
 */
import { formatDuration } from "../model/duration.ts";
import { StepwellError } from "../model/errors.ts";
import { failureText, toFailure } from "../model/failure.ts";
import type { Deps } from "./deps.ts";
import { abortSteps, type Execution, runName, storeNowMs } from "./execution.ts";

/** @returns whether the run's time is up; if it is, its body hears nothing more */
export function expireIfDue(deps: Deps, exec: Execution): boolean {
  const { deadlineAtMs, createdAtMs, ending, generation } = exec.run;
  if (deadlineAtMs === null || ending !== null || exec.closed || exec.cancel !== null) return false;
  if (storeNowMs(deps.host, exec) < deadlineAtMs) return false;
  // One that was reopened has its time from then on.
  const timeoutMs = generation === 1 ? deadlineAtMs - createdAtMs : null;
  const allowed = timeoutMs === null ? "it may, since it was reopened" : formatDuration(timeoutMs);
  const what = `${runName(exec)} took longer than ${allowed}.`;
  const error = new StepwellError("RUN_TIMEOUT", what, { details: timeoutMs === null ? {} : { timeoutMs } });
  exec.closed = true;
  exec.stop({ kind: "expired", error: failureText(toFailure(error)) });
  exec.waits.clear();
  abortSteps(exec, "cancelled", error);
  return true;
}
