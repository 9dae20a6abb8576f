/**
 * Run: reading runs by name, in lists, and with all that they remember.
 */
import { StepwellError } from "../../model/errors.ts";
import type { Run } from "../../model/run.ts";
import type { Memory, RunFilter, RunRef } from "../store.ts";
import { type Connection, connected, type Session } from "./connection.ts";
import {
  type AttemptRow,
  type ItemRow,
  type StandingRow,
  type StepRow,
  toAttempt,
  toCheckpoint,
  toItem,
} from "./rows.ts";
import { readSnapshot } from "./transaction.ts";
import { listVersions, runOf } from "./version.ts";

/** Rows of one page at most (P11). */
export const LIST_RUNS_MAX = 1_000;

/** The newest state of a run; null when there is none of that name. */
export function findRun(session: Session, { namespace, name, id }: RunRef): Run | null {
  const connection = connected(session);
  const row = connection.sql.findRun.get(namespace, name, id);
  return row === undefined ? null : runOf(session, connection, row);
}

/** Newest first. OPTION_INVALID for a limit outside 1 to LIST_RUNS_MAX. */
export function listRuns(session: Session, filter: RunFilter): readonly Run[] {
  const { limit, states } = filter;
  if (!Number.isInteger(limit) || limit < 1 || limit > LIST_RUNS_MAX) {
    throw new StepwellError("OPTION_INVALID", `limit must be a whole number from 1 to ${LIST_RUNS_MAX}, got ${limit}`);
  }
  const connection = connected(session);
  const workflowIds = listWorkflowIds(session, filter);
  const filtered = states === undefined ? null : JSON.stringify(states);
  const rows = connection.sql.listRuns.all(workflowIds, workflowIds, filtered, filtered, limit);
  return rows.map((row) => runOf(session, connection, row));
}

/** JSON array, read in SQL so that a long list is no problem; null: all. */
function listWorkflowIds(session: Session, { namespace, name }: RunFilter): string | null {
  if (namespace === undefined && name === undefined) return null;
  const ids = new Set<number>();
  listVersions(session);
  for (const version of session.versions.values()) {
    const fits = (namespace ?? version.namespace) === version.namespace && (name ?? version.name) === version.name;
    if (fits) ids.add(version.workflow_id);
  }
  return JSON.stringify([...ids]);
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
      lastSeq: lastSeqOf({ sql }, rowId),
      inboxSeq: run.inbox_seq,
    };
  });
}

/** Highest history number of a run, in whatever table it stands. */
export function lastSeqOf({ sql }: Pick<Connection, "sql">, rowId: number): number {
  return Number(sql.findLastSeq.get(rowId, rowId, rowId, rowId)?.["seq"]);
}
