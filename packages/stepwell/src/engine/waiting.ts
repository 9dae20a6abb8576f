/**
 * Waiting: what `ctx.sleep`, `ctx.waitFor` and `ctx.now` do. A wait with an end is
 * stored when it begins, so that a crash does not begin it anew; its outcome, also a
 * timeout, is a checkpoint (P6, P7).
 */
import type { NewApproval } from "../model/approval.ts";
import { decode, encode } from "../model/json.ts";
import type { InboxItem } from "../model/inbox.ts";
import type { Deps } from "./deps.ts";
import { added, scheduleIdleCheck, storeNowMs } from "./execution.ts";
import { takeFromInbox } from "./inbox.ts";
import { type Due, saveAttempt } from "./record.ts";
import { type Call, endCall, isGivenUp } from "./steps.ts";

/** Outcome of a call that needed no work: first attempt, no time. */
const WAITED = { outcome: "completed", attempt: 1, durationMs: 0 } as const;

/** A durable timer. */
export function performSleep(durationMs: number): Call["perform"] {
  return (deps, call) =>
    beginWait(deps, call, { due: { dueInMs: durationMs } }, (dueAtMs) => awaitTimer(deps, call, dueAtMs));
}

/** A durable timer that ends at a moment, in epoch milliseconds; one that has passed ends it at once. */
export function performSleepUntil(atMs: number): Call["perform"] {
  return (deps, call) => {
    const past = !call.exec.attempts.has(call.key) && atMs <= storeNowMs(deps.host, call.exec);
    if (past) return endCall(deps, call, { ...WAITED, ...encode(undefined) });
    beginWait(deps, call, { due: { dueAtMs: atMs } }, (dueAtMs) => awaitTimer(deps, call, dueAtMs));
  };
}

function awaitTimer(deps: Deps, call: Call, dueAtMs: number | null): void {
  const { exec, key } = call;
  const fire = (): void => endCall(deps, call, { ...WAITED, ...encode(undefined) });
  exec.waits = added(exec.waits, key, { kind: "timer", key, name: key, dueAtMs, fire });
  scheduleIdleCheck(deps.host, exec);
}

/** The next unconsumed signal of that name; `timeoutMs` null: however long it takes. */
export function performWaitFor(name: string, timeoutMs: number | null): Call["perform"] {
  return (deps, call) => {
    const { exec } = call;
    const wanted = { kind: "signal", key: call.key, name } as const;
    const fire = (item: InboxItem | null): void => endWaitFor(deps, call, item);
    const early = takeFromInbox(exec, wanted);
    if (early !== null) return fire(early);
    beginWait(deps, call, { due: timeoutMs === null ? null : { dueInMs: timeoutMs } }, (dueAtMs) => {
      const arrived = takeFromInbox(exec, wanted);
      if (arrived !== null) return fire(arrived);
      exec.waits = added(exec.waits, call.key, { ...wanted, dueAtMs, fire });
      scheduleIdleCheck(deps.host, exec);
    });
  };
}

/** The clock that timers go by, once: that of the store, whatever the worker's own says (F13). */
export function performNow(deps: Deps, call: Call): void {
  endCall(deps, call, { ...WAITED, ...encode(new Date(Math.floor(storeNowMs(deps.host, call.exec)))) });
}

/** The payload stands encoded in the inbox and is stored as it is, inside the answer. */
function endWaitFor(deps: Deps, call: Call, item: InboxItem | null): void {
  if (item === null) return endCall(deps, call, { ...WAITED, ...encode({ ok: false, reason: "timeout" }) });
  const text = `{"ok":true,"value":${item.payload}}`;
  endCall(deps, call, { ...WAITED, text, value: decode(text) }, item);
}

/**
 * Store the beginning of a wait, with the approval that it opens, unless an earlier execution did; then go on with the moment when it is due, if anybody
 * still waits.
 */
export function beginWait(
  deps: Deps,
  call: Call,
  { due, opens }: { readonly due: Due | null; readonly opens?: NewApproval },
  begun: (dueAtMs: number | null) => void,
): void {
  const earlier = call.exec.attempts.get(call.key);
  if (earlier !== undefined) return begun(earlier.dueAtMs);
  if (due === null) return begun(null);
  const row = { key: call.key, kind: call.kind, attempt: 1, error: null, durationMs: 0, state: "waiting" } as const;
  saveAttempt(deps, call.exec, { attempt: row, due, opens }, (dueAtMs) => {
    if (!isGivenUp(call)) begun(dueAtMs);
  });
}
