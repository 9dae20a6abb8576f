/**
 * Transition: the one write that ends, parks or turns a claimed run, with its note, the item
 * it uses up, and the news for the parent.
 */
import type { Run, RunState } from "../../model/run.ts";
import { toEnding, type Transition } from "../../model/transition.ts";
import { endingDelivery, endingOperation } from "../../store/delivery.ts";
import { transitionNote } from "../../store/notes.ts";
import type { Write, WriteResult } from "../../store/write.ts";
import { type Batch, findStanding, STALE, type Standing, stored } from "./batch.ts";
import { deliver, findDelivered, revivedAt } from "./inbox.ts";
import { addNote, consumeItem } from "./step.ts";
import { putBook } from "./world.ts";

type TransitionWrite = Extract<Write, { kind: "transition" }>;

/** Apply it, or answer as the first time (S5). A park that has not seen the newest item keeps the claim (S7). */
export function applyTransition(batch: Batch, write: TransitionWrite): WriteResult {
  const { transition } = write;
  const standing = findStanding(batch.world, write.owner);
  if (standing === null) return STALE;
  if (wasApplied(standing, transition)) return findTold(batch, write) ?? stored(batch);
  if (!standing.held) return STALE;
  const { inboxSeq } = standing.book.run;
  const guarded = transition.kind === "park" || transition.kind === "hold";
  if (guarded && transition.inboxSeen !== inboxSeq) return { kind: "unseen" };
  change(batch, write, standing);
  return tellParent(batch, write) ?? stored(batch);
}

/** Where a run stands once its owner has given it up, unless it is on hold; its inbox may have moved it since. */
const STATES_AFTER: { readonly [K in Exclude<Transition["kind"], "compensate">]: readonly RunState[] } = {
  complete: ["completed"],
  fail: ["failed"],
  cancel: ["cancelled"],
  park: ["waiting", "pending", "compensating"],
  pause: ["paused", "pending", "compensating"],
  hold: ["pending", "compensating"],
  release: ["pending", "compensating"],
};

/** What leaves a run that may then be put on hold. */
const GIVES_UP: readonly Transition["kind"][] = ["park", "pause", "hold", "release"];

/** Only the beginning of a compensation keeps the claim. */
function wasApplied({ book: { run }, held }: Standing, { kind }: Transition): boolean {
  if (kind === "compensate") return held && run.state === "compensating";
  if (!held && run.onHold) return GIVES_UP.includes(kind);
  return !held && STATES_AFTER[kind].includes(run.state);
}

function change({ world, nowMs }: Batch, { transition, seq, consumes }: TransitionWrite, { book }: Standing): void {
  const run = { ...book.run, ...changesOf(book.run, transition, nowMs), historySeq: seq };
  const changed = { ...book, run, inbox: consumeItem(book, consumes, seq - 1) };
  const note = transitionNote(transition);
  if (note === null) putBook(world, changed);
  else putBook(world, addNote(changed, { kind: "note", seq, note: note.kind, value: note.value, atMs: nowMs }));
}

function changesOf(run: Run, transition: Transition, nowMs: number): Partial<Run> {
  const over = { workerId: null, ending: null, endedAtMs: nowMs };
  switch (transition.kind) {
    case "complete":
      return { ...over, state: "completed", output: transition.output, error: null };
    case "fail":
      return { ...over, state: "failed", error: transition.error };
    case "cancel":
      return { ...over, state: "cancelled", error: transition.error };
    case "compensate":
      return { state: "compensating", ending: transition.ending, error: transition.error };
    case "park": {
      const { state, dueAtMs, waitingFor } = transition;
      return { workerId: null, state, waitingFor, dueAtMs: dueAtMs === null ? null : Math.ceil(dueAtMs) };
    }
    case "pause":
      return { workerId: null, state: "paused", error: transition.error };
    case "hold":
      return { workerId: null, state: "paused", onHold: true };
    case "release":
      return { workerId: null, ...revivedAt(run, nowMs) };
  }
}

/** Null: the run goes on, nobody waits for it, or who did has ended or is gone. */
function tellParent(batch: Batch, { owner, transition, parent }: TransitionWrite): WriteResult | null {
  const ending = toEnding(transition);
  if (ending === null || parent?.awaited !== true) return null;
  const { books } = batch.world;
  const inbox = books.get(parent.rowId);
  const { id } = books.get(owner.rowId)!.run;
  return inbox === undefined ? null : deliver(batch, inbox, endingDelivery({ owner, id, parent, ending }));
}

/** What tellParent answered when the transition was applied. */
function findTold(batch: Batch, { owner, parent }: TransitionWrite): WriteResult | null {
  const inbox = parent?.awaited === true ? batch.world.books.get(parent.rowId) : undefined;
  return inbox === undefined ? null : findDelivered(batch, inbox, endingOperation(owner));
}
