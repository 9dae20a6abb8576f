/**
 * Flush: the group commit. One transaction, one answer per write, in order (S4).
 *
 * Row by row, one prepared statement per kind; PostgreSQL does the same in one
 * statement. CPU us per checkpoint, commit apart, batches of 512, Node 24.21 on two
 * shared cores:
 *
 *     1.4  bare INSERT, without proof of ownership
 *     1.7  this
 *     2.2  this without OR FAIL, see saveCheckpoint in queries.sql
 *     2.4  the owner read by a statement of its own, then a bare INSERT
 *     2.7  this with a savepoint around each write
 *     1.1  eight rows per statement: what plain steps get, see plain-steps.ts
 *
 * So the hot path has no savepoints. When one row is impossible, the batch is
 * rolled back and done again with one around every write, so that only that write
 * is refused (S6).
 */
import { applyInOrder } from "../order.ts";
import { refusalOf } from "../refusals.ts";
import type { Write, WriteResult } from "../write.ts";
import { type Batch, newBatch } from "./batch.ts";
import type { Session } from "./connection.ts";
import { isRowFault, toStoreError, unknownOutcome } from "./faults.ts";
import { postItem } from "./inbox.ts";
import { savePlainSteps } from "./plain-steps.ts";
import { transact } from "./transaction.ts";
import { applyTransition } from "./transition.ts";
import { saveAttempt, saveBeat } from "./attempt.ts";
import { saveAttributes } from "./attributes.ts";
import { insertRun, saveCheckpoint, saveNote, saveProgress, wakeRun } from "./write.ts";

/**
 * Apply `writes` in one transaction.
 *
 * @throws a store's error when nothing was stored; STORE_OUTCOME_UNKNOWN when that is not known, and then for every
 *   failure until a flush succeeds, because this batch may be one that is submitted again (P1)
 */
export function flush(session: Session, writes: readonly Write[], nowMs: number): readonly WriteResult[] {
  try {
    const results = applyBatch(session, writes, nowMs);
    session.inDoubt = false;
    return results;
  } catch (error) {
    const coded = toStoreError(error, session.path);
    if (coded.code === "STORE_OUTCOME_UNKNOWN") session.inDoubt = true;
    else if (session.inDoubt && coded.code !== "ENGINE_CLOSED") throw unknownOutcome(coded, session.path);
    throw coded;
  }
}

function applyBatch(session: Session, writes: readonly Write[], nowMs: number): readonly WriteResult[] {
  try {
    return transact(session, (connection) => {
      const batch = newBatch(session, connection, nowMs);
      const saved = savePlainSteps(batch, writes);
      return applyInOrder(writes, (write, index) => saved[index] ?? applyWrite(batch, write));
    });
  } catch (error) {
    if (!isRowFault(error)) throw error;
  }
  return transact(session, (connection) => {
    const batch = newBatch(session, connection, nowMs);
    return applyInOrder(writes, (write) => applyAlone(batch, write));
  });
}

function applyWrite(batch: Batch, write: Write): WriteResult {
  switch (write.kind) {
    case "checkpoint":
      return saveCheckpoint(batch, write);
    case "insert_run":
      return insertRun(batch, write);
    case "transition":
      return applyTransition(batch, write);
    case "attempt":
      return saveAttempt(batch, write);
    case "beat":
      return saveBeat(batch, write);
    case "attributes":
      return saveAttributes(batch, write);
    case "note":
      return saveNote(batch, write);
    case "progress":
      return saveProgress(batch, write);
    case "post":
      return postItem(batch, write);
    case "wake":
      return wakeRun(batch, write);
  }
}

function applyAlone(batch: Batch, write: Write): WriteResult {
  const { sql } = batch;
  sql.savepoint.run();
  try {
    const result = applyWrite(batch, write);
    sql.releaseSavepoint.run();
    return result;
  } catch (error) {
    if (!isRowFault(error)) throw error;
    sql.rollbackToSavepoint.run();
    sql.releaseSavepoint.run();
    return refusalOf(write, error);
  }
}
