/**
 * Probation: a run that is suspected of killing its workers is executed alone (F18).
 *
 *   B1. A suspect is claimed only while its worker executes nothing and reserves nothing, and no
 *       step code is left behind that was given up and still runs. From then on the worker takes
 *       nothing else, until the suspect has left or has stored a checkpoint, which proves that it
 *       gets on. So when that worker dies, nobody else can be the cause, and nobody is harmed.
 *   B2. No run is stopped for a suspect's sake.
 *   B3. A suspect is not kept waiting for ever: when a busy worker has not been empty for
 *       PATIENCE_MS, it clears the room, that is, takes nothing new until it is empty.
 *   B4. Nor is the work stopped for ever: clearing has an end, even when the room has not become
 *       empty by then. The next one comes after a pause three times as long, and may last twice
 *       as long, up to CLEARING_MS_MAX: at most a quarter of the time is given to it.
 *   B5. When suspects and other runs are due at an empty worker, they take turns.
 *
 * "Worker" is this process's. Another may execute a suspect of its own at the same time.
 */
import type { Host } from "./host.ts";

/** For so long a busy worker waits for an empty moment, half as much more or less, so that peers differ. */
export const PATIENCE_MS = 5_000;

/** How long the first clearing lasts at most, and any one after it. */
export const CLEARING_MS_MIN = 10_000;
const CLEARING_MS_MAX = 300_000;

/** Pause after a clearing, as a multiple of it. */
const PAUSE_FACTOR = 3;

/** A room that was cleared at this price stays with the suspects for so long, one after another. */
const SUSPECTS_MS = 2_000;

/** Who may be in. Moments are of the host's monotonic clock. */
export type Room = {
  /** The suspect that is executed alone, or `asked` while one is claimed; null: there is none. */
  occupant: number | "asked" | null;
  /** When a clearing is to begin for a suspect that is due; null: none is due as far as this worker knows. */
  clearAtMs: number | null;
  /** When the present clearing ends; null: nothing is being cleared. */
  clearingUntilMs: number | null;
  /** Whether the present clearing has brought a suspect in. */
  brought: boolean;
  /** How long the next clearing may last. */
  clearingMs: number;
  /** No clearing begins before. */
  pausedUntilMs: number;
  /** When suspects were last looked for. */
  lookedAtMs: number;
  /** Whose turn it is at an empty worker. */
  turn: "suspects" | "others";
};

/** Open, and nobody waits. */
export function newRoom(): Room {
  return {
    occupant: null,
    clearAtMs: null,
    clearingUntilMs: null,
    brought: false,
    clearingMs: CLEARING_MS_MIN,
    pausedUntilMs: -Infinity,
    lookedAtMs: -Infinity,
    turn: "others",
  };
}

/** True while nothing but a suspect may be taken. */
export function isClosed(room: Room): boolean {
  return room.occupant !== null || room.clearingUntilMs !== null;
}

/** Whether a suspect is to be claimed now; `clear`: nothing is under way here. */
export function isSuspectsTurn(room: Room, clear: boolean): boolean {
  if (!clear || room.occupant !== null || room.clearAtMs === null) return false;
  return room.turn === "suspects" || room.clearingUntilMs !== null;
}

/** Begin a clearing whose time has come, and end one whose time is over. */
export function tendRoom({ monotonicMs }: Host, room: Room): void {
  const nowMs = monotonicMs();
  if (room.clearingUntilMs !== null && nowMs >= room.clearingUntilMs) endClearing(room, nowMs);
  if (room.clearingUntilMs !== null || room.occupant !== null || room.clearAtMs === null) return;
  if (nowMs < room.clearAtMs || nowMs < room.pausedUntilMs) return;
  room.clearingUntilMs = nowMs + room.clearingMs;
  room.brought = false;
}

/** Take note of when the next suspect is due; what another worker has taken needs no clearing. */
export function noteSuspects({ monotonicMs, random }: Host, room: Room, suspectInMs: number | null): void {
  const nowMs = monotonicMs();
  room.lookedAtMs = nowMs;
  if (suspectInMs === 0) {
    room.clearAtMs ??= nowMs + PATIENCE_MS * (0.5 + random());
    return;
  }
  room.clearAtMs = null;
  if (room.clearingUntilMs !== null) endClearing(room, nowMs);
}

/** Milliseconds until `tendRoom` has something to do; null: nothing. */
export function roomInMs({ monotonicMs }: Host, room: Room): number | null {
  const atMs = room.clearingUntilMs ?? (room.clearAtMs === null ? null : Math.max(room.clearAtMs, room.pausedUntilMs));
  return atMs === null ? null : Math.max(0, atMs - monotonicMs());
}

/** A suspect has been claimed: it has the room. */
export function occupy({ monotonicMs }: Host, room: Room, rowId: number): void {
  room.occupant = rowId;
  room.clearAtMs = null;
  room.turn = "others";
  if (room.clearingUntilMs === null || room.brought) return;
  room.brought = true;
  room.clearingUntilMs = monotonicMs() + SUSPECTS_MS;
}

/** The suspect of that row has left, or has proved itself. False: it was not the occupant. */
export function vacate(room: Room, rowId: number): boolean {
  if (room.occupant !== rowId) return false;
  room.occupant = null;
  return true;
}

function endClearing(room: Room, nowMs: number): void {
  room.clearingUntilMs = null;
  room.pausedUntilMs = nowMs + PAUSE_FACTOR * room.clearingMs;
  room.clearingMs = room.brought ? CLEARING_MS_MIN : Math.min(2 * room.clearingMs, CLEARING_MS_MAX);
}
