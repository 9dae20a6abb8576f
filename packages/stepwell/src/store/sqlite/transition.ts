/**
 * Transition: the one write that ends, parks or turns a claimed run, with all that
 * belongs to it in the same transaction: the note, the consumed item, the parent's inbox.
 */
import type { Owner, RunState } from "../../model/run.ts";
import { type Ending, toEnding, type Transition } from "../../model/transition.ts";
import type { Write, WriteResult } from "../store.ts";
import { type Batch, findLastHeld, isAlive, STALE } from "./batch.ts";
import { deliver, findDelivered } from "./inbox.ts";

type TransitionWrite = Extract<Write, { kind: "transition" }>;
type Kind = Transition["kind"];

/** Where a run stands after each transition; a park or a release may have been woken or not. */
const STATES_AFTER: { readonly [K in Kind]: readonly RunState[] } = {
  complete: ["completed"],
  fail: ["failed"],
  cancel: ["cancelled"],
  compensate: ["compensating"],
  park: ["waiting", "pending", "compensating"],
  pause: ["paused"],
  release: ["pending", "compensating"],
};

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
    case "release":
      return sql.releaseRun.run(nowMs, seq, rowId, workerId, fence).changes !== 0;
  }
}

function answerUnchanged(batch: Batch, write: TransitionWrite): WriteResult {
  const { owner, transition, parent } = write;
  const standing = findLastHeld(batch, owner);
  if (standing === null) return STALE;
  const keepsClaim = transition.kind === "compensate";
  const applied =
    (standing.worker_id !== null) === keepsClaim && STATES_AFTER[transition.kind].includes(standing.state);
  if (!applied) return transition.kind === "park" && standing.worker_id !== null ? { kind: "unseen" } : STALE;
  const told = parent?.awaited === true ? findDelivered(batch, parent.rowId, operationOf(owner)) : null;
  return told ?? batch.stored;
}

function saveItsNote({ sql, nowMs }: Batch, { owner, transition, seq }: TransitionWrite): void {
  switch (transition.kind) {
    case "compensate":
      return void sql.insertNote.run(owner.rowId, seq, "compensating", nowMs, noteOfError(transition.error));
    case "pause":
      return void sql.insertNote.run(owner.rowId, seq, "paused", nowMs, noteOfError(transition.error));
    case "release":
      return void sql.insertNote.run(owner.rowId, seq, "released", nowMs, "null");
    case "complete":
    case "fail":
    case "cancel":
    case "park":
  }
}

/** `error` is JSON already. */
function noteOfError(error: string): string {
  return `{"error":${error}}`;
}

/** A parent that has ended, or is gone, needs no telling. */
function tellParent(batch: Batch, { owner, parent }: TransitionWrite, ending: Ending): WriteResult {
  if (parent === null) return batch.stored;
  const publicId = String(batch.sql.findPublicId.get(owner.rowId)?.["public_id"]);
  const posted = deliver(batch, parent.rowId, {
    kind: "child",
    name: parent.key,
    payload: JSON.stringify(ending),
    actor: `run:${publicId}`,
    operationId: operationOf(owner),
  });
  return posted ?? batch.stored;
}

/** A run ends once per generation and each has claims of its own, so run and fence name the end. */
function operationOf(owner: Owner): string {
  return `child:${owner.rowId}:${owner.fence}`;
}
