/**
 * Hold: an operator's requests to pause a run and to resume it.
 *
 *   O1. A run that nobody holds is paused by the request itself, in the store. Whoever holds one begins no step and
 *       fires no timer any more, lets running steps end and be recorded, and then gives it up as on hold.
 *   O2. The newest request counts. A pause is refused by the store when there is one that was not seen (S7).
 *   O3. Each request is a line of the history, with who asked and why, and so is what came of it. What was asked while
 *       nobody held the run is written down by whoever takes it next.
 *
 * A cancel comes before both: a run on hold is taken up again to be cancelled.
 */
import type { InboxItem } from "../model/inbox.ts";
import type { Deps } from "./deps.ts";
import { type Execution, isRequest, releaseHeld, scheduleIdleCheck } from "./execution.ts";
import { saveNote } from "./record.ts";

/** Take note of a request that has come in, the newest of them. */
export function acceptRequest(deps: Deps, exec: Execution, item: InboxItem): void {
  exec.holding = item.kind === "pause";
  if (exec.finishing) return;
  if (!exec.holding) {
    tellRequests(deps, exec, null);
    if (!exec.draining) releaseHeld(exec);
  }
  scheduleIdleCheck(deps.host, exec);
}

/** The request that makes the run stand still. */
export function findPause(exec: Execution): InboxItem | null {
  return exec.holding ? (exec.inbox.findLast(isRequest) ?? null) : null;
}

/** O3. `but`: the one that the next transition tells of. */
export function tellRequests(deps: Deps, exec: Execution, but: InboxItem | null): void {
  for (const item of exec.inbox.filter((one) => isRequest(one) && one !== but)) {
    exec.inbox.splice(exec.inbox.indexOf(item), 1);
    saveNote(deps, exec, { note: item.kind === "pause" ? "held" : "resumed", value: "null", consumes: item });
  }
}
