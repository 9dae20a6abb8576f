/**
 * 2 of 4 · submit ▸ worker ▸ execute ▸ steps
 *
 * Claim what is due (claim.ts), give each run its execution (begin.ts), side by side in
 * so many slots (slots.ts), while the lease is held (lease.ts), and look when others have
 * stored something (notice.ts). This file is the door: what the rest of the engine asks of
 * the local worker.
 */
import type { InboxItem } from "../model/inbox.ts";
import type { Change } from "../store/store.ts";
import { beginInserted, executionHooks, follow } from "./begin.ts";
import { nudgeWorker } from "./claim.ts";
import type { Deps, WorkerDoor } from "./deps.ts";
import { loseExecution, scheduleIdleCheck } from "./execution.ts";
import { readInbox, receiveItem } from "./inbox.ts";
import { openLease, type Lease } from "./lease.ts";
import { forgetLook } from "./look.ts";
import { openNotice } from "./notice.ts";
import { leaseLost } from "./record.ts";
import { vacate } from "./probation.ts";
import { watchStuck } from "./stuck.ts";
import { freeSlots, isEmpty, newSlots, type Slots } from "./slots.ts";

/** A running worker. */
export type Worker = WorkerDoor & {
  /** Stop claiming, let running steps end within `graceMs`, give every run back. */
  readonly drain: (graceMs: number) => Promise<void>;
  /** Leave the registry. */
  readonly stop: () => Promise<void>;
};

/** What a renewal is an occasion to look for. */
const NEWS_OF_HELD: Change = { due: false, inbox: true, ended: false, workers: false };

/** Register a worker and begin to claim. */
export async function openWorker(deps: Deps): Promise<Worker> {
  const slots = newSlots(deps.settings.concurrency);
  slots.hooks = executionHooks(deps, slots);
  let opened = false;
  const nudge = (): void => {
    if (opened) nudgeWorker(deps, slots, lease);
  };
  const lease = await openLease(deps, {
    lost: () => dropAll(slots),
    renewed: async () => {
      if (opened) await look(NEWS_OF_HELD);
    },
    freed: () => nudge(),
    executing: () => slots.executing.size,
  });
  const look = openNotice(deps, slots, lease);
  try {
    await deps.registry.refresh();
    await deps.store.resumePaused(deps.registry.claimable(), null);
  } catch (error) {
    lease.stop();
    throw error;
  }
  const unwatch = deps.store.watch((change) => void look(change));
  const unscan = watchStuck(deps, slots);
  opened = true;
  nudge();
  return {
    reserve: () => reserve(slots, lease),
    unreserve: () => void (slots.reserved -= 1),
    begin: (claim, input) => {
      slots.reserved -= 1;
      beginInserted(deps, slots, claim, input);
    },
    executes: (rowId) => slots.executing.has(rowId),
    proved: (rowId) => {
      if (vacate(slots.room, rowId)) nudge();
    },
    nudge,
    receive: (posted) => receive(deps, slots, nudge, posted),
    workerId: lease.workerId,
    leaseHeld: lease.held,
    leaseRenewed: lease.renewed,
    drain: (graceMs) => drain(deps, slots, graceMs),
    stop: async () => {
      lease.stop();
      unwatch();
      unscan();
      forgetLook(slots);
      slots.cancelWatch();
      await leaveRegistry(deps, lease.workerId());
    },
  };
}

/**
 * What this worker could not give back one by one is freed at once, and counts as no crash. If that fails too, its lease
 * lapses.
 */
async function leaveRegistry(deps: Deps, workerId: number): Promise<void> {
  try {
    await deps.store.buryWorker(workerId, true, null);
    await deps.store.releaseRuns(workerId, "left", null);
    await deps.store.retireWorker(workerId);
  } catch (error) {
    deps.log?.({ level: "warn", message: `the worker could not leave the registry: ${String(error)}` });
  }
}

function reserve(slots: Slots, lease: Lease): number | null {
  if (slots.draining || slots.backlog || !lease.held()) return null;
  if (freeSlots(slots) <= 0) return null;
  slots.reserved += 1;
  return lease.workerId();
}

function dropAll(slots: Slots): void {
  for (const exec of [...slots.executing.values()]) loseExecution(exec, leaseLost(exec));
}

/**
 * An item stored by this process: for a run executed here it is handed over; for a parked one it is a reason to claim.
 */
function receive(
  deps: Deps,
  slots: Slots,
  nudge: () => void,
  posted: { readonly rowId: number; readonly item: InboxItem; readonly claimable: boolean },
): void {
  const exec = slots.executing.get(posted.rowId);
  if (exec?.phase === "running" && !receiveItem(deps, exec, posted.item)) follow(deps, exec, readInbox(deps, exec));
  const loading = slots.loading.get(posted.rowId);
  if (loading !== undefined) loading.posted = true;
  if (posted.claimable) nudge();
}

/** Running steps may end within the grace time, no new one begins; then every run parks or is released. */
async function drain(deps: Deps, slots: Slots, graceMs: number): Promise<void> {
  slots.draining = true;
  forgetLook(slots);
  for (const exec of slots.executing.values()) {
    exec.draining = true;
    scheduleIdleCheck(deps.host, exec);
  }
  if (!isEmpty(slots)) await emptied(deps, slots, graceMs);
  dropAll(slots);
}

function emptied(deps: Deps, slots: Slots, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cancel = deps.host.timer(graceMs, resolve);
    slots.onEmpty = () => {
      cancel();
      resolve();
    };
  });
}
