/**
 * Look: when a worker next looks for runs that are due. It sleeps until the earliest that it knows of, which may be
 * one that it has just parked itself, and never longer than the poll.
 */
import type { Deps } from "./deps.ts";
import { pollMsOf } from "./settings.ts";
import type { Slots } from "./slots.ts";

/** Look in `inMs` at the latest: what is planned for an earlier moment stays. Infinity: not by time alone. */
export function planLook(deps: Deps, slots: Slots, inMs: number, look: () => void): void {
  const lookInMs = Math.min(inMs, pollMsOf(deps.settings, deps.store));
  const lookAtMs = deps.host.monotonicMs() + lookInMs;
  if (lookAtMs >= slots.lookAtMs) return;
  forgetLook(slots);
  slots.lookAtMs = lookAtMs;
  slots.cancelLook = deps.host.timer(lookInMs, () => {
    slots.lookAtMs = Infinity;
    look();
  });
}

/** Withdraw what is planned: a look is under way, or there will be none. */
export function forgetLook(slots: Slots): void {
  slots.cancelLook();
  slots.lookAtMs = Infinity;
}
