/**
 * History: read off the rows that exist anyway, and put in order.
 */
import type { HistoryEvent, NoteKind } from "../../model/history.ts";
import { isTerminal, type Run } from "../../model/run.ts";
import type { StepKind } from "../../model/step.ts";
import type { Connection, Session } from "./connection.ts";
import type { AttemptRow, ItemRow, StepRow } from "./rows.ts";
import { readSnapshot } from "./transaction.ts";
import { runOf } from "./version.ts";

/** The note that keeps the beginning of an attempt which began again after a crash. */
export const BEGAN_NOTE = "began";

type NoteRow = {
  readonly seq: number;
  readonly kind: NoteKind | typeof BEGAN_NOTE;
  readonly value: string;
  readonly at_ms: number;
};

type Began = { readonly step: StepKind; readonly key: string; readonly attempt: number };

/** All events of a run, over all its generations; items that are not consumed come last, in their own order. */
export function listHistory(session: Session, rowId: number): readonly HistoryEvent[] {
  const events = readSnapshot(session, (connection) => readEvents(session, connection, rowId));
  return events.sort((a, b) => (a.seq ?? Infinity) - (b.seq ?? Infinity) || 0);
}

function readEvents(session: Session, connection: Connection, rowId: number): HistoryEvent[] {
  const { sql } = connection;
  const row = sql.findRunById.get(rowId);
  if (row === undefined) return [];
  return [
    ...toRunEvents(runOf(session, connection, row)),
    ...(sql.listSteps.all(rowId) as unknown as StepRow[]).map(toStepEvent),
    ...(sql.listAllAttempts.all(rowId) as unknown as AttemptRow[]).flatMap(toAttemptEvents),
    ...(sql.listItems.all(rowId) as unknown as ItemRow[]).map(toReceivedEvent),
    ...(sql.listNotes.all(rowId) as unknown as NoteRow[]).map(toNoteEvent),
  ];
}

function toRunEvents(run: Run): readonly HistoryEvent[] {
  const { actor, input, state, endedAtMs, historySeq } = run;
  const started: HistoryEvent = { kind: "started", seq: 1, atMs: run.createdAtMs, actor, input };
  if (!isTerminal(state) || endedAtMs === null) return [started];
  return [
    started,
    { kind: "ended", seq: historySeq, atMs: endedAtMs, state, value: run.output ?? run.error ?? "null" },
  ];
}

function toStepEvent(row: StepRow): HistoryEvent {
  return {
    kind: "step",
    seq: row.seq,
    atMs: row.at_ms,
    step: row.kind,
    key: row.key,
    outcome: row.outcome,
    value: row.value,
    attempt: row.attempt,
    durationMs: row.duration_ms,
  };
}

function toAttemptEvents(row: AttemptRow): readonly HistoryEvent[] {
  const { seq, at_ms: atMs, kind: step, key, attempt, due_at_ms: dueAtMs } = row;
  if (row.state === "waiting") return [{ kind: "wait_began", seq, atMs, step, key, dueAtMs }];
  const { began_seq: beganSeq, began_at_ms: beganAtMs, duration_ms: durationMs } = row;
  const events: HistoryEvent[] = [];
  if (beganSeq !== null && beganAtMs !== null) {
    events.push({ kind: "attempt_began", seq: beganSeq, atMs: beganAtMs, step, key, attempt });
  }
  if (row.state === "failed") {
    const error = row.error ?? "null";
    events.push({ kind: "attempt_failed", seq, atMs, step, key, attempt, error, dueAtMs, durationMs });
  }
  return events;
}

function toReceivedEvent(row: ItemRow): HistoryEvent {
  const { consumed_seq: seq, at_ms: atMs, kind: item, name, payload: value, actor } = row;
  return { kind: "received", seq, atMs, item, name, value, actor };
}

function toNoteEvent({ seq, at_ms: atMs, kind: note, value }: NoteRow): HistoryEvent {
  if (note === BEGAN_NOTE) return { kind: "attempt_began", seq, atMs, ...(JSON.parse(value) as Began) };
  return { kind: "note", seq, atMs, note, value };
}
