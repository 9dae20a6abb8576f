/**
 * Transition: the one write that ends, parks or turns a claimed run, with all that
 * belongs to it in the same transaction: the note, the consumed item, the parent's inbox.
 */
import { type Ending, toEnding } from "../../model/transition.ts";
import { isGuarded, wasApplied } from "../after.ts";
import { endingDelivery, endingOperation } from "../delivery.ts";
import { transitionNote } from "../notes.ts";
import type { Write, WriteResult } from "../write.ts";
import { type Batch, findLastHeld, isAlive, STALE } from "./batch.ts";
import { deliver, findDelivered } from "./inbox.ts";

type TransitionWrite = Extract<Write, { kind: "transition" }>;

/** Apply a transition, or answer as the first time when it was applied before (S5). */
export function applyTransition(batch: Batch, write: TransitionWrite): WriteResult {
  const { owner, seq, transition, parent } = write;
  if (!isAlive(batch, owner.workerId)) return STALE;
  if (!changeRun(batch, write)) return answerUnchanged(batch, write);
  if (write.consumes !== null) batch.sql.consumeItem.run(seq - 1, owner.rowId, write.consumes);
  saveItsNote(batch, write);
  const outcome = parent?.awaited === true ? toEnding(transition) : null;
  return outcome === null ? batch.stored : tellParent(batch, write, outcome);
}

/** False: the guard held it back. */
function changeRun({ sql, nowMs }: Batch, { owner, transition: t, seq }: TransitionWrite): boolean {
  const { rowId, workerId, fence } = owner;
  switch (t.kind) {
    case "complete":
      return sql.completeRun.run(t.output, seq, nowMs, rowId, workerId, fence).changes !== 0;
    case "fail":
      return sql.failRun.run("failed", t.error, seq, nowMs, rowId, workerId, fence).changes !== 0;
    case "cancel":
      return sql.failRun.run("cancelled", t.error, seq, nowMs, rowId, workerId, fence).changes !== 0;
    case "compensate":
      return sql.compensateRun.run(t.ending, t.error, seq, rowId, workerId, fence).changes !== 0;
    case "park": {
      const dueAtMs = t.dueAtMs === null ? null : Math.ceil(t.dueAtMs);
      const waitingFor = JSON.stringify(t.waitingFor);
      return sql.parkRun.run(t.state, dueAtMs, waitingFor, seq, rowId, workerId, fence, t.inboxSeen).changes !== 0;
    }
    case "pause":
      return sql.pauseRun.run(t.error, seq, rowId, workerId, fence).changes !== 0;
    case "hold":
      return sql.holdRun.run(seq, rowId, workerId, fence, t.inboxSeen).changes !== 0;
    case "release":
      return sql.releaseRun.run(nowMs, seq, rowId, workerId, fence).changes !== 0;
  }
}

function answerUnchanged(batch: Batch, write: TransitionWrite): WriteResult {
  const { owner, transition, parent } = write;
  const standing = findLastHeld(batch, owner);
  if (standing === null) return STALE;
  if (!wasApplied(transition.kind, standing)) {
    return isGuarded(transition.kind) && standing.worker_id !== null ? { kind: "unseen" } : STALE;
  }
  const told = parent?.awaited === true ? findDelivered(batch, parent.rowId, endingOperation(owner)) : null;
  return told ?? batch.stored;
}

function saveItsNote({ sql, nowMs }: Batch, { owner, transition, seq }: TransitionWrite): void {
  const note = transitionNote(transition);
  if (note !== null) sql.insertNote.run(owner.rowId, seq, note.kind, nowMs, note.value);
}

/** A parent that has ended, or is gone, needs no telling. */
function tellParent(batch: Batch, { owner, parent }: TransitionWrite, ending: Ending): WriteResult {
  if (parent === null) return batch.stored;
  const id = String(batch.sql.findPublicId.get(owner.rowId)?.["public_id"]);
  return deliver(batch, parent.rowId, endingDelivery({ owner, id, parent, ending })) ?? batch.stored;
}
