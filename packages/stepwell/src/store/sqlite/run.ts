/**
 * Run: reading a run by name, and with all that it remembers.
 */
import { StepwellError } from "../../model/errors.ts";
import type { Run } from "../../model/run.ts";
import {
  type AttemptRow,
  type ItemRow,
  type StandingRow,
  type StepRow,
  toAttempt,
  toCheckpoint,
  toItem,
} from "../rows.ts";
import type { Memory } from "../store.ts";
import type { RunRef } from "../write.ts";
import { type Connection, connected, type Session } from "./connection.ts";
import { listUndone } from "./reopen.ts";
import { readSnapshot } from "./transaction.ts";
import { runOf } from "./version.ts";

/** The newest state of a run; null when there is none of that name. */
export function findRun(session: Session, { namespace, name, id }: RunRef): Run | null {
  const connection = connected(session);
  const row = connection.sql.findRun.get(namespace, name, id);
  return row === undefined ? null : runOf(session, connection, row);
}

/** What a replay needs, of the run's present generation; RUN_NOT_FOUND when there is no such row. */
export function loadMemory(session: Session, rowId: number): Memory {
  return readSnapshot(session, ({ sql }) => {
    const run = sql.findStanding.get(rowId) as unknown as StandingRow | undefined;
    if (run === undefined) throw new StepwellError("RUN_NOT_FOUND", `"${session.path}" has no run of row ${rowId}`);
    return {
      checkpoints: (sql.listCheckpoints.all(rowId, run.generation) as unknown as StepRow[]).map(toCheckpoint),
      attempts: (sql.listAttempts.all(rowId, run.generation) as unknown as AttemptRow[]).map(toAttempt),
      inbox: (sql.listInbox.all(rowId, 0) as unknown as ItemRow[]).map(toItem),
      undone: listUndone({ sql }, rowId, run.generation),
      lastSeq: lastSeqOf({ sql }, rowId),
      inboxSeq: run.inbox_seq,
    };
  });
}

/** Highest history number of a run, in whatever table it stands. */
export function lastSeqOf({ sql }: Pick<Connection, "sql">, rowId: number): number {
  return Number(sql.findLastSeq.get(rowId, rowId, rowId, rowId)?.["seq"]);
}
