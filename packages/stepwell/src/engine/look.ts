/**
 * Look: when a worker next looks for runs that are due. It sleeps until the earliest that it knows of, which may be
 * one that it has just parked itself, and never longer than the poll.
 */
import type { Deps } from "./deps.ts";
import type { Slots } from "./slots.ts";

/** Longest pause between two looks: as told, or as the store advises just now. */
export function pollMs({ settings, store }: Pick<Deps, "settings" | "store">): number {
  return settings.pollMs ?? store.pollMs();
}

/** Look in `inMs`, instead of whenever it was planned before. */
export function planLook(deps: Deps, slots: Slots, inMs: number, look: () => void): void {
  const lookInMs = Math.min(inMs, Math.max(0, slots.parkedDueAtMs - deps.host.monotonicMs()), pollMs(deps));
  slots.cancelPoll();
  slots.pollAtMs = deps.host.monotonicMs() + lookInMs;
  slots.cancelPoll = deps.host.timer(lookInMs, look);
}

/** Nothing is planned: a look is under way. */
export function beginLook(slots: Slots): void {
  slots.cancelPoll();
  slots.pollAtMs = Infinity;
  slots.parkedDueAtMs = Infinity;
}

/** A run was parked here that is due in `dueInMs`: look then at the latest. Infinity: not by time alone. */
export function lookForParked(deps: Deps, slots: Slots, dueInMs: number): void {
  const dueAtMs = deps.host.monotonicMs() + dueInMs;
  slots.parkedDueAtMs = Math.min(slots.parkedDueAtMs, dueAtMs);
  if (dueAtMs < slots.pollAtMs) planLook(deps, slots, dueInMs, () => deps.worker.nudge());
}
