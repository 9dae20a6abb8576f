/**
 * History: what a book tells, as events in their order.
 */
import type { HistoryEvent } from "../../model/history.ts";
import { isTerminal, type Run } from "../../model/run.ts";
import type { Book, StoredAttempt, StoredItem, StoredStep, World } from "./world.ts";

/** By number; items that are not consumed come last, in their own order. Nothing is known of a run that never was. */
export function listHistory({ books }: World, rowId: number): readonly HistoryEvent[] {
  const book = books.get(rowId);
  if (book === undefined) return [];
  const events = listEvents(book);
  const told = events.filter((event): event is HistoryEvent & { readonly seq: number } => event.seq !== null);
  return [...told.toSorted((a, b) => a.seq - b.seq), ...events.filter((event) => event.seq === null)];
}

function listEvents({ run, steps, attempts, past, inbox, notes }: Book): readonly HistoryEvent[] {
  return [
    ...runEvents(run),
    ...[...past.steps, ...steps].map(stepEvent),
    ...[...past.attempts, ...attempts].flatMap(attemptEvents),
    ...inbox.map(received),
    ...notes,
  ];
}

function runEvents(run: Run): readonly HistoryEvent[] {
  const { createdAtMs, actor, input, state, endedAtMs, historySeq, output, error } = run;
  const started: HistoryEvent = { kind: "started", seq: 1, atMs: createdAtMs, actor, input };
  if (!isTerminal(state) || endedAtMs === null) return [started];
  return [started, { kind: "ended", seq: historySeq, atMs: endedAtMs, state, value: output ?? error ?? "null" }];
}

function stepEvent({ kind: step, key, outcome, value, seq, attempt, durationMs, atMs }: StoredStep): HistoryEvent {
  return { kind: "step", step, key, outcome, value, seq, attempt, durationMs, atMs };
}

/** What runs has begun and no more; what failed tells both, if its beginning was told. */
function attemptEvents(row: StoredAttempt): readonly HistoryEvent[] {
  const { kind: step, key, attempt, seq, atMs, dueAtMs, durationMs, error, beganSeq, beganAtMs } = row;
  if (row.state === "waiting") return [{ kind: "wait_began", seq, atMs, step, key, dueAtMs }];
  const began: readonly HistoryEvent[] =
    beganSeq === null || beganAtMs === null
      ? []
      : [{ kind: "attempt_began", seq: beganSeq, atMs: beganAtMs, step, key, attempt }];
  if (row.state === "running") return began;
  const failed = { kind: "attempt_failed", seq, atMs, step, key, attempt, error: error ?? "null", dueAtMs } as const;
  return [...began, { ...failed, durationMs }];
}

function received({ kind: item, name, payload: value, actor, atMs, consumedSeq: seq }: StoredItem): HistoryEvent {
  return { kind: "received", seq, atMs, item, name, value, actor };
}
