/**
 * Reopen: runs that have ended go on, in their next generation (S9).
 */
import type { UndoneStep } from "../../model/reopening.ts";
import type { Run } from "../../model/run.ts";
import type { ReopenedRun } from "../store.ts";
import { newBatch } from "./batch.ts";
import { type Connection, connected, type Session } from "./connection.ts";
import { deliver } from "./inbox.ts";
import { transact } from "./transaction.ts";
import { runOf } from "./version.ts";

/** All of them or none. */
export function reopenRuns(session: Session, runs: readonly ReopenedRun[], nowMs: number): boolean {
  return transact(session, (connection) => {
    const { sql } = connection;
    const ends = runs.map(({ rowId, generation }) => sql.findEndedRun.get(rowId, generation)?.["history_seq"]);
    if (ends.includes(undefined)) return false;
    for (const [index, run] of runs.entries()) reopen(session, connection, run, { endSeq: Number(ends[index]), nowMs });
    return true;
  });
}

/** @param at where the history ended, and when it goes on */
function reopen(
  session: Session,
  connection: Connection,
  run: ReopenedRun,
  { endSeq, nowMs }: { readonly endSeq: number; readonly nowMs: number },
): void {
  const { sql } = connection;
  const { rowId, generation, reopening, usedUp, note, resolved } = run;
  const forgotten = JSON.stringify(reopening.forgotten);
  sql.keepEnd.run(rowId);
  sql.takeStepsOver.run(rowId, generation, forgotten);
  sql.takeWaitsOver.run(rowId, generation, rowId, forgotten);
  for (const [index, item] of usedUp.entries()) sql.consumeItem.run(endSeq + index + 1, rowId, item);
  let seq = endSeq + usedUp.length + 1;
  const noteSeq = seq;
  if (resolved !== null) {
    seq += 1;
    const { key, kind, attempt, value } = resolved;
    sql.resolveStep.run(rowId, key, generation + 1, seq, kind, attempt, nowMs, value);
  }
  const { ending = null, error = null } = reopening.undoing ?? {};
  sql.reopenRun.run(ending, ending, error, nowMs, nowMs, rowId, seq, rowId);
  sql.insertNote.run(rowId, noteSeq, note.kind, nowMs, note.value);
  const batch = newBatch(session, connection, nowMs);
  for (const delivery of run.deliveries) deliver(batch, rowId, delivery);
}

/** Of a run that awaits, or awaited, them. */
export function listChildren(session: Session, rowId: number): readonly Run[] {
  const connection = connected(session);
  return connection.sql.listChildren.all(rowId).map((row) => runOf(session, connection, row));
}

/** See Memory. */
export function listUndone({ sql }: Pick<Connection, "sql">, rowId: number, generation: number): readonly UndoneStep[] {
  if (generation === 1) return NOTHING;
  return sql.listUndone.all(rowId, generation) as unknown as readonly UndoneStep[];
}

const NOTHING: readonly UndoneStep[] = [];
