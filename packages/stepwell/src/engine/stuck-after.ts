/**
 * Stuck after: how long a run may stand still before it is reported (stuck.ts); told by the
 * engine's options, and by a workflow's.
 */
import { type Duration, parseDuration } from "../model/duration.ts";
import { StepwellError } from "../model/errors.ts";

/** Shorter ones would report every pause. */
const STUCK_MS_MIN = 100;

/**
 * Milliseconds; null for false, which is never.
 *
 * @param where names the place in the error
 * @throws StepwellError DURATION_INVALID, OPTION_INVALID
 */
export function toStuckAfter(stuckAfter: Duration | false, where: string): number | null {
  if (stuckAfter === false) return null;
  const ms = parseDuration(stuckAfter, where);
  if (ms >= STUCK_MS_MIN) return ms;
  throw new StepwellError("OPTION_INVALID", `${where} must be ${STUCK_MS_MIN} ms at least, or false; got ${ms} ms.`);
}
