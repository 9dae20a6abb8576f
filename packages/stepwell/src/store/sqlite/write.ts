/**
 * Write: the writes of a flush that add to a run: its own row, checkpoints,
 * notes, progress; and the wake of a parked one.
 *
 * Each tries its statement first. Only when that changed nothing does it ask why,
 * see batch.ts.
 */
import type { Write, WriteResult } from "../write.ts";
import { closeApproval } from "./approval.ts";
import { answerAgain, type Batch, findLastHeld, isAlive, STALE } from "./batch.ts";
import { getVersion, runOf } from "./version.ts";

type Of<Kind extends Write["kind"]> = Extract<Write, { kind: Kind }>;

/** Insert a run, claimed for `claimFor` while that worker lives, else due now. */
export function insertRun(batch: Batch, { run, claimFor, owner }: Of<"insert_run">): WriteResult {
  const { nowMs, sql } = batch;
  const workflowId = getVersion(batch.session, batch, run.versionId).workflow_id;
  if (owner !== null) {
    const standing = isAlive(batch, owner.workerId) ? findLastHeld(batch, owner) : null;
    if (standing === null) return STALE;
    if (standing.worker_id === null) return findExisting(batch, workflowId, run.id) ?? STALE;
  }
  const holder = claimFor !== null && isAlive(batch, claimFor) ? claimFor : null;
  const { changes, lastInsertRowid } = sql.insertRun.run(
    workflowId,
    run.versionId,
    run.id,
    holder === null ? "pending" : "running",
    holder,
    holder === null ? 0 : 1,
    holder === null ? nowMs : null,
    run.input,
    run.inputHash,
    run.actor,
    run.seed,
    run.parent === null ? null : run.parent.rowId,
    run.parent === null ? null : run.parent.key,
    run.parent?.awaited === true ? 1 : 0,
    nowMs,
    run.timeoutMs === null ? null : Math.ceil(nowMs + run.timeoutMs),
  );
  if (changes === 0) return findExisting(batch, workflowId, run.id) ?? STALE;
  return { kind: "inserted", atMs: nowMs, rowId: Number(lastInsertRowid), claimed: holder !== null };
}

function findExisting(batch: Batch, workflowId: number, publicId: string): WriteResult | null {
  const row = batch.sql.findRunByPublicId.get(workflowId, publicId);
  return row === undefined ? null : { kind: "exists", run: runOf(batch.session, batch, row) };
}

/** Save a step's outcome, once per generation (P2), and use up the inbox item it came from. */
export function saveCheckpoint(batch: Batch, write: Of<"checkpoint">): WriteResult {
  const { owner, checkpoint, consumes } = write;
  if (!isAlive(batch, owner.workerId)) return STALE;
  const { sql } = batch;
  const { changes } = sql.saveCheckpoint.run(
    checkpoint.key,
    checkpoint.seq,
    checkpoint.kind,
    checkpoint.outcome,
    checkpoint.attempt,
    checkpoint.compensable ? 1 : 0,
    batch.nowMs,
    Math.round(checkpoint.durationMs),
    checkpoint.value,
    owner.rowId,
    owner.workerId,
    owner.fence,
  );
  if (changes === 0) {
    const held = findLastHeld(batch, owner);
    return answerAgain(batch, held !== null && sql.findCheckpoint.get(owner.rowId, checkpoint.key, held.generation));
  }
  if (consumes !== null) sql.consumeItem.run(checkpoint.seq - 1, owner.rowId, consumes);
  if (write.clearsCrashes) sql.clearCrashes.run(owner.rowId, owner.workerId, owner.fence);
  if (checkpoint.kind === "approval") closeApproval(batch, owner.rowId, checkpoint);
  return batch.stored;
}

/** Save a history event that no other row tells. */
export function saveNote(batch: Batch, { owner, note, value, seq, consumes }: Of<"note">): WriteResult {
  if (!isAlive(batch, owner.workerId)) return STALE;
  const { sql, nowMs } = batch;
  const { changes } = sql.saveNote.run(seq, note, nowMs, value, owner.rowId, owner.workerId, owner.fence);
  if (changes !== 0) {
    if (consumes !== null) sql.consumeItem.run(seq - 1, owner.rowId, consumes);
    return batch.stored;
  }
  return answerAgain(batch, findLastHeld(batch, owner) !== null && sql.findNote.get(owner.rowId, seq));
}

/** Overwrite the run's progress. */
export function saveProgress(batch: Batch, { owner, value }: Of<"progress">): WriteResult {
  if (!isAlive(batch, owner.workerId)) return STALE;
  const { changes } = batch.sql.saveProgress.run(value, owner.rowId, owner.workerId, owner.fence);
  return answerAgain(batch, changes !== 0 || findLastHeld(batch, owner));
}

/** Make a parked run due now, unless it was taken since. */
export function wakeRun({ sql, nowMs, stored }: Batch, { rowId, fence }: Of<"wake">): WriteResult {
  const { changes } = sql.wakeRun.run(nowMs, nowMs, rowId, fence);
  return changes === 0 ? STALE : stored;
}
