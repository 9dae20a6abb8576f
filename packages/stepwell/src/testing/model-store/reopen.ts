/**
 * Reopen: runs that have ended go on, in their next generation (S9). What that is to forget is past.
 */
import type { UndoneStep } from "../../model/reopening.ts";
import { isTerminal, type Run } from "../../model/run.ts";
import type { ReopenedRun } from "../../store/store.ts";
import { deliver } from "./inbox.ts";
import { consumeItem } from "./step.ts";
import { allRuns, type Book, putBook, type World } from "./world.ts";

/** All of them or none. */
export function reopenRuns(world: World, runs: readonly ReopenedRun[], nowMs: number): boolean {
  const ended = runs.every(({ rowId, generation }) => {
    const run = world.books.get(rowId)?.run;
    return run?.generation === generation && (isTerminal(run.state) || isPaused(run));
  });
  if (!ended) return false;
  for (const reopened of runs) {
    putBook(world, reopen(world.books.get(reopened.rowId)!, reopened, nowMs));
    for (const delivery of reopened.deliveries) {
      deliver({ world, nowMs }, world.books.get(reopened.rowId)!, delivery);
    }
  }
  return true;
}

/** Not by an operator. */
function isPaused({ state, onHold }: Run): boolean {
  return state === "paused" && !onHold;
}

function reopen(book: Book, { reopening, usedUp, note, resolved }: ReopenedRun, nowMs: number): Book {
  const { run } = book;
  const noteSeq = run.historySeq + usedUp.length + 1;
  const seq = resolved === null ? noteSeq : noteSeq + 1;
  const kept = divide(book, reopening.forgotten);
  const step = { seq, outcome: "resolved", compensable: false, durationMs: 0, atMs: nowMs } as const;
  return {
    ...kept,
    run: { ...run, ...reopenedRun(book, reopening, nowMs), historySeq: seq },
    steps: resolved === null ? kept.steps : [...kept.steps, { ...resolved, ...step }],
    inbox: usedUp.reduce(
      (inbox, item, index) => consumeItem({ ...book, inbox }, item, run.historySeq + index + 1),
      book.inbox,
    ),
    notes: [
      ...book.notes,
      ...endsOf(run),
      { kind: "note", seq: noteSeq, atMs: nowMs, note: note.kind, value: note.value },
    ],
  };
}

/** The book with what is forgotten in its past. Failed attempts are, unless the run was only paused; what ran is, always. */
function divide(book: Book, forgotten: readonly string[]): Book {
  const { steps, attempts, past, run } = book;
  const goes = ({ key }: { readonly key: string }): boolean => forgotten.includes(key);
  const paused = isPaused(run);
  const waits = attempts.filter(
    (attempt) => (attempt.state === "waiting" || (paused && attempt.state === "failed")) && !goes(attempt),
  );
  return {
    ...book,
    steps: steps.filter((step) => !goes(step)),
    attempts: waits,
    past: {
      steps: [...past.steps, ...steps.filter(goes).map((step) => ({ ...step, generation: run.generation }))],
      attempts: [...past.attempts, ...attempts.filter((attempt) => !waits.includes(attempt))],
    },
  };
}

/** A pause has a note already. */
function endsOf({ historySeq, endedAtMs, state, output, error }: Run): Book["notes"] {
  if (endedAtMs === null) return [];
  const ended = { kind: "ended", seq: historySeq, atMs: endedAtMs } as const;
  return [{ ...ended, state: state as "failed", value: output ?? error ?? "null" }];
}

/** It has as much time as it had at first; where it was paused, what is left of that. */
function reopenedRun({ run, notes }: Book, { undoing }: ReopenedRun["reopening"], nowMs: number): Partial<Run> {
  const reopenings = notes.filter((one) => one.kind === "note" && (one.note === "retried" || one.note === "resolved"));
  const last = reopenings.toSorted((a, b) => a.seq - b.seq).at(-1);
  const sinceMs = last?.atMs ?? run.createdAtMs;
  return {
    state: undoing === null ? "pending" : "compensating",
    ending: undoing?.ending ?? null,
    error: undoing?.error ?? null,
    output: null,
    generation: run.generation + 1,
    crashes: 0,
    waitingFor: [],
    dueAtMs: nowMs,
    endedAtMs: null,
    deadlineAtMs:
      run.deadlineAtMs === null || run.endedAtMs === null ? run.deadlineAtMs : nowMs + run.deadlineAtMs - sinceMs,
  };
}

/** See Memory. */
export function undoneOf({ past }: Book): readonly UndoneStep[] {
  const undone = new Map<string, number>();
  for (const { key, kind, outcome, generation } of past.steps) {
    const done = outcome === "completed" || outcome === "resolved";
    if (kind === "compensation" && done) undone.set(key, generation);
  }
  return [...undone].map(([key, generation]) => ({ key, generation }));
}

/** Of a run that awaits, or awaited, them. */
export function listChildren(world: World, rowId: number): readonly Run[] {
  return allRuns(world).filter(({ parent }) => parent?.rowId === rowId && parent.awaited);
}
