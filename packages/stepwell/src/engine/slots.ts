/**
 * Slots: what a worker has in its hands. A run holds a slot while it is executed, and
 * none while it is parked; bodies of parked runs linger in memory.
 */
import type { Execution } from "./execution.ts";

/** All mutable state of one worker. */
export type Slots = {
  /** Runs executed side by side at most. */
  readonly concurrency: number;
  readonly executing: Map<number, Execution>;
  /** Parked bodies, least recently parked first. */
  readonly lingering: Map<number, Execution>;
  reserved: number;
  /** True while runs may wait that are older than one inserted now. */
  backlog: boolean;
  claiming: boolean;
  nudged: boolean;
  draining: boolean;
  /** Runs whose memory is being read, and whether something was posted to them meanwhile. */
  readonly loading: Map<number, { posted: boolean }>;
  /** When the earliest run that was parked here since the last claim is due, by the monotonic clock. */
  parkedDueAtMs: number;
  /** When the next claim is planned, by the monotonic clock; Infinity: one is under way, or none is. */
  pollAtMs: number;
  cancelPoll: () => void;
  onEmpty: (() => void) | null;
};

/** Nothing in hand; until the first claim, older runs may wait. */
export function newSlots(concurrency: number): Slots {
  return {
    concurrency,
    executing: new Map(),
    lingering: new Map(),
    reserved: 0,
    backlog: true,
    claiming: false,
    nudged: false,
    draining: false,
    loading: new Map(),
    parkedDueAtMs: Infinity,
    pollAtMs: Infinity,
    cancelPoll: () => {},
    onEmpty: null,
  };
}

/** How many more runs may be taken. */
export function freeSlots(slots: Slots): number {
  return slots.concurrency - slots.executing.size - slots.reserved;
}

/** True when nothing is executed and nothing is about to be. */
export function isEmpty(slots: Slots): boolean {
  return slots.executing.size === 0 && slots.reserved === 0;
}
