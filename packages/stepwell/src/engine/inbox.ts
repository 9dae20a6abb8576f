/**
 * Inbox: what arrives for a run while this worker executes it. Signals, decisions and child
 * outcomes go to the wait that wants them, or stay until one does; what operators ask for stops the run, or lets it go on.
 */
import { decode } from "../model/json.ts";
import { StepwellError } from "../model/errors.ts";
import { failureText, toFailure } from "../model/failure.ts";
import type { InboxItem } from "../model/inbox.ts";
import type { Deps } from "./deps.ts";
import { abortSteps, type Execution, isGone, isRequest, type PendingWait, runName } from "./execution.ts";
import { acceptRequest } from "./hold.ts";

/**
 * Take one item; each is taken once, in order. False: there are older ones that this execution has not seen, read them
 * first.
 */
export function receiveItem(deps: Deps, exec: Execution, item: InboxItem): boolean {
  if (item.seq > exec.inboxSeen + 1) return false;
  if (item.seq === exec.inboxSeen + 1) accept(deps, exec, item);
  return true;
}

/** Read what the inbox holds beyond what was seen. Items that were consumed leave gaps in the numbers. */
export async function readInbox(deps: Deps, exec: Execution): Promise<void> {
  const items = await deps.store.listInbox(exec.run.rowId, exec.inboxSeen);
  for (const item of items) if (item.seq > exec.inboxSeen && !isGone(exec)) accept(deps, exec, item);
}

function accept(deps: Deps, exec: Execution, item: InboxItem): void {
  exec.inboxSeen = item.seq;
  exec.inbox.push(item);
  if (item.kind === "cancel") return cancelRun(exec);
  if (isRequest(item)) return acceptRequest(deps, exec, item);
  for (const wait of exec.waits.values()) {
    if (!wants(wait, item)) continue;
    exec.waits.delete(wait.key);
    exec.inbox.splice(exec.inbox.indexOf(item), 1);
    return wait.fire(item);
  }
}

/** Remove and return the oldest item that such a wait would get. */
export function takeFromInbox(exec: Execution, wait: Pick<PendingWait, "kind" | "key" | "name">): InboxItem | null {
  const index = exec.inbox.findIndex((item) => wants(wait, item));
  return index < 0 ? null : exec.inbox.splice(index, 1)[0]!;
}

/**
 * Act on a cancel request, if there is one and it is not too late: step code is asked to stop, and the body hears
 * nothing more. Compensating or ended runs only keep the record.
 */
export function cancelRun(exec: Execution): void {
  const item = exec.inbox.find((candidate) => candidate.kind === "cancel");
  if (item === undefined || exec.closed || exec.run.ending !== null || exec.cancel !== null) return;
  exec.cancel = item;
  exec.holding = false;
  exec.inbox.splice(exec.inbox.indexOf(item), 1);
  const error = cancelledError(exec, item);
  exec.stop({ kind: "cancelled", error: failureText(toFailure(error)) });
  exec.waits.clear();
  abortSteps(exec, "cancelled", error);
}

/** Why the run ends, and the reason of its steps' AbortSignals. */
function cancelledError(exec: Execution, item: InboxItem): StepwellError {
  const reason = decode(item.payload);
  const because = typeof reason === "string" && reason !== "" ? `: ${reason}` : "";
  return new StepwellError("RUN_CANCELLED", `${runName(exec)} was cancelled by ${item.actor}${because}.`, {
    details: { reason, actor: item.actor },
  });
}

function wants(wait: Pick<PendingWait, "kind" | "key" | "name">, item: InboxItem): boolean {
  if (wait.kind === "approval") return item.kind === "decision" && item.name === wait.key;
  return wait.kind === item.kind && (wait.kind === "child" ? wait.key : wait.name) === item.name;
}
