/**
 * Claim: taking what is due, and sleeping until something is. A nudge says that
 * something may have become due; polling is the net below all nudges.
 */
import type { Claim } from "../store/store.ts";
import { beginRun } from "./begin.ts";
import type { Deps } from "./deps.ts";
import type { Lease } from "./lease.ts";
import { beginLook, planLook } from "./look.ts";
import { freeSlots, type Slots } from "./slots.ts";

/** Runs taken by one claim at most. */
const CLAIM_MAX = 256;

/** Pause before a claim that failed, or was not allowed for want of a lease, is tried again. */
const CLAIM_AGAIN_MS = 1_000;

/** Claim in a later macrotask, unless that is planned already. */
export function nudgeWorker(deps: Deps, slots: Slots, lease: Lease): void {
  slots.nudged = true;
  slots.backlog = true;
  if (slots.claiming || slots.draining) return;
  slots.claiming = true;
  deps.host.defer(() => void claimDue(deps, slots, lease));
}

/** Claim until nothing is due or no slot is free, then sleep until the next run is due. */
async function claimDue(deps: Deps, slots: Slots, lease: Lease): Promise<void> {
  beginLook(slots);
  let dueInMs: number | null = CLAIM_AGAIN_MS;
  try {
    dueInMs = await claimOnce(deps, slots, lease);
  } catch (error) {
    deps.log?.({ level: "warn", message: `runs could not be claimed: ${String(error)}` });
  }
  slots.claiming = false;
  if (slots.draining) return;
  if (slots.nudged && freeSlots(slots) > 0) return nudgeWorker(deps, slots, lease);
  planLook(deps, slots, dueInMs ?? Infinity, () => void poll(deps, slots, lease));
}

/** Other processes may have brought versions that this worker can continue. */
async function poll(deps: Deps, slots: Slots, lease: Lease): Promise<void> {
  try {
    await deps.registry.refresh();
  } catch (error) {
    deps.log?.({ level: "warn", message: `versions could not be read: ${String(error)}` });
  }
  nudgeWorker(deps, slots, lease);
}

/** @returns milliseconds until the next look is worth it */
async function claimOnce(deps: Deps, slots: Slots, lease: Lease): Promise<number | null> {
  slots.nudged = false;
  if (!lease.held()) return CLAIM_AGAIN_MS;
  const limit = Math.min(freeSlots(slots), CLAIM_MAX);
  if (limit <= 0) {
    slots.nudged = true;
    return null;
  }
  const versionIds = deps.registry.claimable();
  slots.reserved += limit;
  let claims: readonly Claim[] = [];
  try {
    claims = await deps.store.claimRuns({ workerId: lease.workerId(), versionIds, limit, nowMs: deps.host.nowMs() });
  } finally {
    slots.reserved -= limit;
  }
  for (const claim of claims) beginRun(deps, slots, claim);
  const nextInMs = await deps.store.nextDueInMs(versionIds, deps.host.nowMs());
  if (nextInMs === 0) slots.nudged = true;
  if (!slots.nudged) slots.backlog = false;
  return nextInMs;
}
