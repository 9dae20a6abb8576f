/**
 * Events: a run's history, read off the rows that exist anyway and put in order; alike in every database.
 */
import type { HistoryEvent, NoteKind } from "../model/history.ts";
import { isTerminal, type Run } from "../model/run.ts";
import type { StepKind } from "../model/step.ts";
import type { Ending } from "../model/transition.ts";
import type { AttemptRow, ItemRow, StepRow } from "./rows.ts";

/** The note that keeps the beginning of an attempt which began again after a crash. */
export const BEGAN_NOTE = "began";

/** The note that keeps how a generation ended which an operator has reopened. */
export const ENDED_NOTE = "ended";

/** A row of `notes`. */
export type NoteRow = {
  readonly seq: number;
  readonly kind: NoteKind | typeof BEGAN_NOTE | typeof ENDED_NOTE;
  readonly value: string;
  readonly at_ms: number;
};

/** All that tells what happened to a run; items by `seq`, the others in no order. */
export type HistoryRows = {
  readonly run: Run;
  readonly steps: readonly StepRow[];
  readonly attempts: readonly Omit<AttemptRow, "beat" | "beat_at_ms">[];
  readonly items: readonly ItemRow[];
  readonly notes: readonly NoteRow[];
};

/** The value of a BEGAN_NOTE. */
export function beganNote(step: StepKind, key: string, attempt: number): string {
  return JSON.stringify({ step, key, attempt } satisfies Began);
}

type Began = { readonly step: StepKind; readonly key: string; readonly attempt: number };

/** By `seq`; items that are not consumed come last, in their own order. */
export function toEvents({ run, steps, attempts, items, notes }: HistoryRows): readonly HistoryEvent[] {
  const events = [
    ...toRunEvents(run),
    ...steps.map(toStepEvent),
    ...attempts.flatMap(toAttemptEvents),
    ...items.map(toReceivedEvent),
    ...notes.map(toNoteEvent),
  ];
  return events.sort((a, b) => (a.seq ?? Infinity) - (b.seq ?? Infinity) || 0);
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

function toAttemptEvents(row: HistoryRows["attempts"][number]): readonly HistoryEvent[] {
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
  if (note === ENDED_NOTE) return { kind: "ended", seq, atMs, ...(JSON.parse(value) as Ending) };
  return { kind: "note", seq, atMs, note, value };
}
