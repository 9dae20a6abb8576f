/**
 * History: the rows that tell what happened to a run, read at one moment.
 */
import type { HistoryEvent } from "../../model/history.ts";
import { type NoteRow, toEvents } from "../events.ts";
import type { AttemptRow, ItemRow, StepRow } from "../rows.ts";
import type { Session } from "./connection.ts";
import { readSnapshot } from "./transaction.ts";
import { runOf } from "./version.ts";

/** All events of a run, over all its generations. */
export function listHistory(session: Session, rowId: number): readonly HistoryEvent[] {
  return readSnapshot(session, (connection) => {
    const { sql } = connection;
    const row = sql.findRunById.get(rowId);
    if (row === undefined) return [];
    return toEvents({
      run: runOf(session, connection, row),
      steps: sql.listSteps.all(rowId) as unknown as StepRow[],
      attempts: sql.listAllAttempts.all(rowId) as unknown as AttemptRow[],
      items: sql.listItems.all(rowId) as unknown as ItemRow[],
      notes: sql.listNotes.all(rowId) as unknown as NoteRow[],
    });
  });
}
