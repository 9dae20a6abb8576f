/**
 * Claim: taking what is due, and sleeping until something is. A nudge says that
 * something may have become due; polling is the net below all nudges.
 */
import type { Claim, NextDue } from "../store/store.ts";
import { beginRun } from "./begin.ts";
import type { Deps } from "./deps.ts";
import type { Lease } from "./lease.ts";
import { forgetLook, planLook } from "./look.ts";
import { isSuspectsTurn, noteSuspects, occupy, roomInMs, tendRoom } from "./probation.ts";
import { pollMsOf } from "./settings.ts";
import { freeSlots, isClear, type Slots } from "./slots.ts";

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
  forgetLook(slots);
  let dueInMs: number | null = CLAIM_AGAIN_MS;
  try {
    dueInMs = await claimOnce(deps, slots, lease);
  } catch (error) {
    deps.log?.({ level: "warn", message: `runs could not be claimed: ${String(error)}` });
  }
  slots.claiming = false;
  if (slots.draining) return;
  if (slots.nudged && mayTake(deps, slots)) return nudgeWorker(deps, slots, lease);
  claimIn(deps, slots, lease, dueInMs ?? Infinity);
}

function mayTake({ host }: Deps, slots: Slots): boolean {
  return freeSlots(slots) > 0 || isSuspectsTurn(slots.room, isClear(host, slots));
}

/** A claim is a transaction: as long as nothing is due, the store is only asked when something will be. */
async function poll(deps: Deps, slots: Slots, lease: Lease): Promise<void> {
  forgetLook(slots);
  let dueInMs = 0;
  try {
    if (roomInMs(deps.host, slots.room) === null) dueInMs = earliestInMs(await deps.registry.nextDue());
  } catch (error) {
    deps.log?.({ level: "warn", message: `what is due could not be read: ${String(error)}` });
  }
  claimIn(deps, slots, lease, dueInMs);
}

/** Something is due in `dueInMs`, says the store: claim it then, at the latest. Infinity: nothing is by time alone. */
export function claimIn(deps: Deps, slots: Slots, lease: Lease, dueInMs: number): void {
  if (dueInMs === 0) nudgeWorker(deps, slots, lease);
  else if (!slots.draining) planLook(deps, slots, dueInMs, () => void poll(deps, slots, lease));
}

/** 0: now; Infinity: nothing will be by time alone. */
export function earliestInMs({ runInMs, suspectInMs }: NextDue): number {
  return Math.min(runInMs ?? Infinity, suspectInMs ?? Infinity);
}

/** @returns milliseconds until the next look is worth it */
async function claimOnce(deps: Deps, slots: Slots, lease: Lease): Promise<number | null> {
  slots.nudged = false;
  if (!lease.held()) {
    void lease.renewed().then(() => nudgeWorker(deps, slots, lease));
    return CLAIM_AGAIN_MS;
  }
  tendRoom(deps.host, slots.room);
  const versionIds = deps.registry.claimable();
  if (isSuspectsTurn(slots.room, isClear(deps.host, slots))) {
    await claimSuspect(deps, slots, lease.workerId(), versionIds);
  }
  const limit = Math.min(freeSlots(slots), CLAIM_MAX);
  if (limit > 0) await claimOthers(deps, slots, lease.workerId(), { versionIds, limit });
  else slots.nudged = true;
  return isLookWorthIt(deps, slots, limit) ? lookAhead(deps, slots) : null;
}

/** While nothing can be taken anyway, only suspects are looked for, and no more often than by polling. */
function isLookWorthIt(deps: Deps, { room }: Slots, limit: number): boolean {
  if (room.occupant !== null) return false;
  return limit > 0 || deps.host.monotonicMs() - room.lookedAtMs >= pollMsOf(deps.settings, deps.store) / 2;
}

async function claimOthers(
  deps: Deps,
  slots: Slots,
  workerId: number,
  { versionIds, limit }: { readonly versionIds: readonly number[]; readonly limit: number },
): Promise<void> {
  slots.reserved += limit;
  let claims: readonly Claim[] = [];
  try {
    claims = await deps.store.claimRuns({ workerId, suspects: false, versionIds, limit, nowMs: null });
  } finally {
    slots.reserved -= limit;
  }
  slots.room.turn = "suspects";
  for (const claim of claims) beginRun(deps, slots, claim);
}

/** B1: the room is closed before the store is asked. */
async function claimSuspect(deps: Deps, slots: Slots, workerId: number, versionIds: readonly number[]): Promise<void> {
  const { room } = slots;
  room.occupant = "asked";
  let claims: readonly Claim[] = [];
  try {
    claims = await deps.store.claimRuns({ workerId, suspects: true, versionIds, limit: 1, nowMs: null });
  } finally {
    room.occupant = null;
  }
  for (const claim of claims) {
    const { rowId, namespace, name, id, crashes } = claim.run;
    occupy(deps.host, room, rowId);
    const message = `executed alone: ${crashes} workers in a row died while they executed it.`;
    deps.log?.({ level: "warn", message, run: `${namespace}/${name} ${id}` });
    beginRun(deps, slots, claim);
  }
}

/** What is due next decides how long to sleep, and whether a run inserted now may be executed at once. */
async function lookAhead(deps: Deps, slots: Slots): Promise<number | null> {
  const { host } = deps;
  const { runInMs, suspectInMs } = await deps.registry.nextDue();
  noteSuspects(host, slots.room, suspectInMs);
  if (runInMs === 0 || isSuspectsTurn(slots.room, isClear(host, slots))) slots.nudged = true;
  if (!slots.nudged) slots.backlog = false;
  const laterMs = [runInMs, suspectInMs].filter((inMs) => inMs !== null && inMs > 0) as number[];
  return Math.min(...laterMs, roomInMs(host, slots.room) ?? Infinity);
}
