/**
 * Slots: what a worker has in its hands. A run holds a slot while it is executed, and
 * none while it is parked; bodies of parked runs linger in memory.
 */
import type { Host } from "./host.ts";
import { isClosed, newRoom, type Room } from "./probation.ts";
import type { Execution, ExecutionHooks, RunningStep } from "./execution.ts";

/** All mutable state of one worker. */
export type Slots = {
  /** Runs executed side by side at most. */
  readonly concurrency: number;
  readonly executing: Map<number, Execution>;
  /** Parked bodies, least recently parked first. */
  readonly lingering: Map<number, Execution>;
  reserved: number;
  /** Whether a suspect is alone here, or about to be. */
  readonly room: Room;
  /** Lost runs whose return to the store is not acknowledged. */
  givingBack: number;
  /** Step code that was given up and may still be running, and since when, by the monotonic clock. */
  readonly leftovers: Map<RunningStep, number>;
  /** True while runs may wait that are older than one inserted now. */
  backlog: boolean;
  claiming: boolean;
  nudged: boolean;
  draining: boolean;
  /** Runs whose memory is being read, and whether something was posted to them meanwhile. */
  readonly loading: Map<number, { posted: boolean }>;
  /** When the next look for due runs is planned, by the monotonic clock; Infinity: none is, see look.ts. */
  lookAtMs: number;
  cancelLook: () => void;
  /** True while the next look at running steps is planned, see beat.ts. */
  watching: boolean;
  cancelWatch: () => void;
  onEmpty: (() => void) | null;
  /** What every execution here is given. */
  hooks: ExecutionHooks;
};

/** Nothing in hand; until the first claim, older runs may wait. */
export function newSlots(concurrency: number): Slots {
  return {
    concurrency,
    executing: new Map(),
    lingering: new Map(),
    reserved: 0,
    room: newRoom(),
    givingBack: 0,
    leftovers: new Map(),
    backlog: true,
    claiming: false,
    nudged: false,
    draining: false,
    loading: new Map(),
    lookAtMs: Infinity,
    cancelLook: () => {},
    watching: false,
    cancelWatch: () => {},
    onEmpty: null,
    hooks: { leave: () => {}, checkIdle: () => {}, beat: () => {} },
  };
}

/** How many more runs may be taken; none while the room is a suspect's (B1). */
export function freeSlots(slots: Slots): number {
  if (isClosed(slots.room)) return 0;
  return slots.concurrency - slots.executing.size - slots.reserved;
}

/** True when nothing is executed and nothing is about to be. */
export function isEmpty(slots: Slots): boolean {
  return slots.executing.size === 0 && slots.reserved === 0;
}

/** Step code that has not ended for so long after it was given up is taken for code that never will. */
const LEFTOVER_MS_MAX = 600_000;

/** True when nothing of any run is under way here, so that a suspect would be alone (B1). */
export function isClear({ monotonicMs }: Host, slots: Slots): boolean {
  if (!isEmpty(slots) || slots.givingBack > 0) return false;
  if (slots.leftovers.size === 0) return true;
  const nowMs = monotonicMs();
  for (const [step, sinceMs] of slots.leftovers) {
    if (step.ended || nowMs - sinceMs >= LEFTOVER_MS_MAX) slots.leftovers.delete(step);
  }
  return slots.leftovers.size === 0;
}
