/**
 * Notice: others have committed something, as the store says, or may have. What is due is claimed, and the inboxes
 * of the runs executed here are read: requests of other processes reach a run this way.
 */
import { nudgeWorker } from "./claim.ts";
import type { Deps } from "./deps.ts";
import { readInbox } from "./inbox.ts";
import type { Lease } from "./lease.ts";
import { freeSlots, type Slots } from "./slots.ts";

/** Look around; asked again during a look, it looks once more after it. Resolves when that is done; never rejects. */
export function openNotice(deps: Deps, slots: Slots, lease: Lease): () => Promise<void> {
  let looking: Promise<void> | null = null;
  let again = false;
  const look = async (): Promise<void> => {
    do {
      again = false;
      await lookAround(deps, slots, lease);
    } while (again);
    looking = null;
  };
  return () => {
    if (looking === null) return (looking = look());
    again = true;
    return looking;
  };
}

async function lookAround(deps: Deps, slots: Slots, lease: Lease): Promise<void> {
  try {
    if (await isSomethingDue(deps, slots)) nudgeWorker(deps, slots, lease);
    if (slots.executing.size > 0) await readInboxes(deps, slots, lease);
  } catch (error) {
    deps.log?.({ level: "warn", message: `what others have stored could not be read: ${String(error)}` });
  }
}

/** A claim is a transaction, and holds up those who start runs here: not without need. */
async function isSomethingDue(deps: Deps, slots: Slots): Promise<boolean> {
  if (slots.draining) return false;
  if (freeSlots(slots) <= 0) {
    // Whoever frees a slot claims then.
    slots.nudged = true;
    return false;
  }
  const { runInMs, suspectInMs } = await deps.store.nextDue(deps.registry.claimable(), deps.host.nowMs());
  return runInMs === 0 || suspectInMs === 0;
}

async function readInboxes(deps: Deps, slots: Slots, lease: Lease): Promise<void> {
  for (const held of await deps.store.listHeldRuns(lease.workerId())) {
    const exec = slots.executing.get(held.rowId);
    if (exec?.phase === "running" && held.inboxSeq > exec.inboxSeen) await readInbox(deps, exec);
  }
}
