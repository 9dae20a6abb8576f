/**
 * History: the rows that tell what happened to a run, read at one moment; and what it does now.
 */
import type { HistoryEvent } from "../../model/history.ts";
import type { ActiveStep } from "../../model/step.ts";
import { toEvents } from "../events.ts";
import { type ActiveStepRow, type RunRow, toActiveStep } from "../rows.ts";
import { type Piece, toAttempts, toItems, toNotes, toSteps } from "./piece.ts";
import { read, type Session } from "./session.ts";
import { toRuns } from "./version.ts";

/** All events of a run, over all its generations. */
export async function listHistory(session: Session, rowId: number): Promise<readonly HistoryEvent[]> {
  const pieces = (await read(session, "listHistory", { rowId })) as readonly Piece[];
  const row = pieces.find(({ piece }) => piece === "run");
  if (row === undefined) return [];
  const [run] = await toRuns(session, [JSON.parse(row.value) as RunRow]);
  return toEvents({
    run: run!,
    steps: toSteps(pieces),
    attempts: toAttempts(pieces),
    items: toItems(pieces),
    notes: toNotes(pieces),
  });
}

/** In the order they began. */
export async function listActiveSteps(session: Session, rowId: number): Promise<readonly ActiveStep[]> {
  const rows = await read(session, "listActiveSteps", { rowId });
  return (rows as unknown as readonly ActiveStepRow[]).map(toActiveStep);
}
