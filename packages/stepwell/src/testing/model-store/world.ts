/**
 * World: all that a model store holds, as plain values.
 *
 * What is kept of one run is its book. Books are never changed: a write puts a newer one
 * in the place of the old, so an answer that was given stays as it was.
 */
import type { Approval } from "../../model/approval.ts";
import { StepwellError } from "../../model/errors.ts";
import type { Breaker } from "../../model/breaker.ts";
import type { HistoryEvent } from "../../model/history.ts";
import type { InboxItem } from "../../model/inbox.ts";
import { isTerminal, type Run, RUN_STATES } from "../../model/run.ts";
import type { Attempt, Checkpoint } from "../../model/step.ts";
import type { RemarkOf, Version, WorkerRow } from "../../store/store.ts";
import type { TxRow } from "../../store/tx.ts";
import type { RunRef } from "../../store/write.ts";

/** A checkpoint, and when it was stored. */
export type StoredStep = Checkpoint & { readonly atMs: number };

/** An attempt, when its row was last written, and under which claim it began to run; null: nobody told. */
export type StoredAttempt = Attempt & { readonly atMs: number; readonly beganFence: number | null };

/** An inbox item, the operation that left it, and the history number of its consumption; null: not consumed. */
export type StoredItem = InboxItem & { readonly operationId: string; readonly consumedSeq: number | null };

/** An event that nothing else tells; a run has one of each number at most. */
export type StoredNote = Extract<HistoryEvent, { kind: "note" | "attempt_began" | "ended" }> & { readonly seq: number };

/** An approval, and in which life of its run it was opened. */
export type StoredApproval = Approval & { readonly generation: number };

/** What a generation left behind. */
export type Past = {
  readonly steps: readonly (StoredStep & { readonly generation: number })[];
  readonly attempts: readonly StoredAttempt[];
};

/** All about one run; `steps` and `attempts` are those of its present generation. */
export type Book = {
  readonly run: Run;
  readonly steps: readonly StoredStep[];
  readonly attempts: readonly StoredAttempt[];
  readonly past: Past;
  /** By `seq`. */
  readonly inbox: readonly StoredItem[];
  readonly notes: readonly StoredNote[];
  /** In the order they were opened. */
  /** In the order in which they were opened. */
  readonly approvals: readonly StoredApproval[];
};

/** A worker, its lease as a moment. */
export type StoredWorker = Omit<WorkerRow, "leaseLeftMs"> & { readonly leaseUntilMs: number };

/** The store's content. Row ids count from 1, so maps are in their order. */
export type World = {
  readonly versions: Version[];
  readonly workers: Map<number, StoredWorker>;
  /** Also of workers that have left. */
  newestWorkerId: number;
  books: Map<number, Book>;
  /** In the order in which they were made. */
  readonly remarks: (RemarkOf & { readonly operationId: string })[];
  readonly breakers: Map<string, Breaker>;
  /** Of users, see tx.ts. */
  tables: Map<string, readonly TxRow[]>;
};

/** A world in which nothing has happened. */
export function emptyWorld(): World {
  return {
    versions: [],
    workers: new Map(),
    newestWorkerId: 0,
    books: new Map(),
    remarks: [],
    breakers: new Map(),
    tables: new Map(),
  };
}

/** Every run that is kept, in the order they were inserted. */
export function allRuns({ books }: World): readonly Run[] {
  return [...books.values()].map((book) => book.run);
}

/** The book of the run of that name; null when there is none. */
export function findBook({ books }: World, { namespace, name, id }: RunRef): Book | null {
  const found = [...books.values()].find(
    ({ run }) => run.namespace === namespace && run.name === name && run.id === id,
  );
  return found ?? null;
}

/** Highest history number of anything in the book. The consumption of an item stands one below its checkpoint. */
export function lastSeqOf({ run, steps, attempts, notes }: Book): number {
  // What is past came before the end that `historySeq` was then.
  return Math.max(run.historySeq, ...[...steps, ...attempts, ...notes].map(({ seq }) => seq));
}

/** Put a newer book in its place; STORE_WRITE_REFUSED when its run contradicts itself. */
export function putBook({ books }: World, book: Book): void {
  const broken = RULES.find(([, holds]) => !holds(book.run));
  if (broken !== undefined) throw new StepwellError("STORE_WRITE_REFUSED", `a run breaks a rule: ${broken[0]}`);
  books.set(book.run.rowId, book);
}

/** As putBook, where nothing changes but some fields of the run. */
export function putRun(world: World, book: Book, fields: Partial<Run>): void {
  putBook(world, { ...book, run: { ...book.run, ...fields } });
}

/** What holds for every run at any time. */
const RULES: readonly (readonly [rule: string, holds: (run: Run) => boolean])[] = [
  ["its state is one of those there are", ({ state }) => RUN_STATES.includes(state)],
  ["who runs is held", ({ state, workerId }) => state !== "running" || workerId !== null],
  ["who is held runs or compensates", ({ state, workerId }) => workerId === null || IN_HAND.includes(state)],
  ["who is held is not due", ({ workerId, dueAtMs }) => workerId === null || dueAtMs === null],
  ["who is due may be claimed", ({ state, dueAtMs }) => dueAtMs === null || CLAIMABLE.includes(state)],
  ["who compensates knows its ending", ({ state, ending }) => state !== "compensating" || ending !== null],
  ["an ending lies ahead", ({ state, ending }) => ending === null || COMPENSATES.includes(state)],
  ["who has ended knows when", ({ state, endedAtMs }) => isTerminal(state) === (endedAtMs !== null)],
  ["who is on hold is paused", ({ onHold, state }) => !onHold || state === "paused"],
  ["an output is of a completed run", ({ state, output }) => output === null || state === "completed"],
];

const IN_HAND: readonly Run["state"][] = ["running", "compensating"];

/** States in which an unowned run may be due. */
export const CLAIMABLE: readonly Run["state"][] = ["pending", "waiting", "compensating"];

/** While it compensates, and where that can be interrupted. */
const COMPENSATES: readonly Run["state"][] = ["compensating", "paused", "quarantined"];
