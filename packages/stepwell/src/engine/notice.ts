/**
 * Notice: others have committed something, as the store says, or may have. What is due is claimed, and the inboxes
 * of the runs executed here are read: requests of other processes reach a run this way.
 */
import type { Change } from "../store/store.ts";
import { claimIn, earliestInMs } from "./claim.ts";
import type { Deps } from "./deps.ts";
import { readInbox } from "./inbox.ts";
import type { Lease } from "./lease.ts";
import { freeSlots, type Slots } from "./slots.ts";

/** Look for what has changed; resolves when that is done, never rejects. What is asked during a look follows it. */
export function openNotice(deps: Deps, slots: Slots, lease: Lease): (change: Change) => Promise<void> {
  let looking: Promise<void> | null = null;
  const wanted: Wanted = { due: false, inbox: false };
  const look = async (): Promise<void> => {
    while (wanted.due || wanted.inbox) await lookAround(deps, slots, lease, takeAll(wanted));
    looking = null;
  };
  return async (change) => {
    // A look for nothing would be over before it is kept in `looking`, and stay there for ever.
    if (!change.due && !change.inbox) return;
    wanted.due ||= change.due;
    wanted.inbox ||= change.inbox;
    await (looking ??= look());
  };
}

type Wanted = { due: boolean; inbox: boolean };

function takeAll(wanted: Wanted): Wanted {
  const taken = { ...wanted };
  wanted.due = false;
  wanted.inbox = false;
  return taken;
}

async function lookAround(deps: Deps, slots: Slots, lease: Lease, { due, inbox }: Wanted): Promise<void> {
  try {
    if (due) await lookForDue(deps, slots, lease);
    if (inbox && slots.executing.size > 0) await readInboxes(deps, slots, lease);
  } catch (error) {
    deps.log?.({ level: "warn", message: `what others have stored could not be read: ${String(error)}` });
  }
}

/** A claim is a transaction, and holds up those who start runs here: not without need. */
async function lookForDue(deps: Deps, slots: Slots, lease: Lease): Promise<void> {
  if (slots.draining) return;
  if (freeSlots(slots) > 0) return claimIn(deps, slots, lease, earliestInMs(await deps.registry.nextDue()));
  // Whoever frees a slot claims then.
  slots.nudged = true;
}

async function readInboxes(deps: Deps, slots: Slots, lease: Lease): Promise<void> {
  for (const held of await deps.store.listHeldRuns(lease.workerId())) {
    const exec = slots.executing.get(held.rowId);
    if (exec?.phase === "running" && held.inboxSeq > exec.inboxSeen) await readInbox(deps, exec);
  }
}
