/**
 * Worker: leases, deaths, and what becomes of a dead one's runs (P9).
 */
import { isSuspect } from "../../model/run.ts";
import { type Note, quarantineError, quarantineNote, RELEASED_NOTE, takeoverNote } from "../../store/notes.ts";
import type { HeldRun, Offer, Released, Renewal, WorkerProcess, WorkerRow } from "../../store/store.ts";
import { isAlive } from "./batch.ts";
import { addNote } from "./step.ts";
import { allRuns, type Book, lastSeqOf, putBook, type World } from "./world.ts";

/** An id is never given twice. */
export function registerWorker(
  world: World,
  process: WorkerProcess,
  { leaseMs, concurrency, workflows }: Offer & { readonly leaseMs: number },
  nowMs: number,
): number {
  world.newestWorkerId += 1;
  const workerId = world.newestWorkerId;
  world.workers.set(workerId, {
    ...process,
    workerId,
    state: "alive",
    leaseUntilMs: Math.ceil(nowMs + leaseMs),
    concurrency,
    workflows: [...workflows],
    executing: 0,
    startedAtMs: nowMs,
    seenAtMs: nowMs,
  });
  return workerId;
}

/** Everybody is told of the others, also one that is dead or unknown. */
export function renewWorker(
  { workers }: World,
  workerId: number,
  { leaseMs, executing }: { readonly leaseMs: number; readonly executing: number },
  nowMs: number,
): Renewal {
  const worker = workers.get(workerId);
  const alive = worker?.state === "alive";
  if (alive) workers.set(workerId, { ...worker, leaseUntilMs: Math.ceil(nowMs + leaseMs), executing, seenAtMs: nowMs });
  const lapses = [...workers.values()]
    .filter((other) => other.workerId !== workerId)
    .map((other) => (other.state === "dead" ? 0 : Math.max(0, other.leaseUntilMs - nowMs)));
  return {
    alive,
    othersLapseInMs: lapses.length === 0 ? null : Math.min(...lapses),
    newestWorkerId: Math.max(0, ...workers.keys()),
  };
}

/** By id. */
export function listWorkers({ workers }: World, nowMs: number): readonly WorkerRow[] {
  return [...workers.values()].map(({ leaseUntilMs, ...worker }) => ({ ...worker, leaseLeftMs: leaseUntilMs - nowMs }));
}

/** False: it lives. One that is dead already, or has left, counts as buried. */
export function buryWorker(world: World, workerId: number, gone: boolean, nowMs: number): boolean {
  const worker = world.workers.get(workerId);
  if (worker === undefined) return true;
  const lapsed = worker.leaseUntilMs <= nowMs;
  if (gone || lapsed) world.workers.set(workerId, { ...worker, state: "dead" });
  return !isAlive(world, workerId);
}

/** What the worker holds. */
export function listHeldRuns(world: World, workerId: number): readonly HeldRun[] {
  return allRuns(world).flatMap((run) =>
    run.workerId === workerId ? [{ rowId: run.rowId, inboxSeq: run.inboxSeq }] : [],
  );
}

/** Free the runs of a worker that is dead already; those on probation when it died are quarantined. */
export function releaseRuns(world: World, workerId: number, how: "died" | "left", nowMs: number): Released {
  if (world.workers.get(workerId)?.state !== "dead") return { freed: 0, quarantined: [] };
  const held = [...world.books.values()].filter(({ run }) => run.workerId === workerId);
  const poisonous = held.filter(({ run }) => how === "died" && isSuspect(run));
  const setAside = poisonous.map((book) => quarantine(book, nowMs));
  const others = held.filter((book) => !poisonous.includes(book));
  const freed = others.map((book) => (how === "died" ? takenOver(book, nowMs) : left(book, nowMs)));
  for (const book of [...setAside, ...freed]) putBook(world, book);
  return { freed: freed.length, quarantined: setAside.map(({ run }) => run) };
}

function left(book: Book, nowMs: number): Book {
  return unowned(noted(book, RELEASED_NOTE, nowMs), nowMs);
}

function takenOver({ run, ...book }: Book, nowMs: number): Book {
  const crashed = { ...book, run: { ...run, crashes: run.crashes + 1 } };
  return unowned(noted(crashed, takeoverNote(run.workerId!), nowMs), nowMs);
}

/** Due at once, under the next fence. A compensation goes on as one. */
function unowned({ run, ...book }: Book, nowMs: number): Book {
  const state = run.state === "compensating" ? run.state : "pending";
  return { ...book, run: { ...run, state, workerId: null, fence: run.fence + 1, dueAtMs: nowMs } };
}

function quarantine(book: Book, nowMs: number): Book {
  const { fence, crashes } = book.run;
  const error = quarantineError(book.run);
  const taken = noted(book, takeoverNote(book.run.workerId!), nowMs);
  const { run, ...told } = noted(taken, quarantineNote(error), nowMs);
  return {
    ...told,
    run: { ...run, state: "quarantined", error, workerId: null, fence: fence + 1, crashes: crashes + 1 },
  };
}

/** A note with the next free number, which is also the transition's. */
function noted(book: Book, { kind, value }: Note, atMs: number): Book {
  const seq = lastSeqOf(book) + 1;
  const after = addNote(book, { kind: "note", seq, note: kind, value, atMs });
  return { ...after, run: { ...book.run, historySeq: seq } };
}

/** Leave the registry; without effect while it still holds runs. */
export function retireWorker(world: World, workerId: number): void {
  if (listHeldRuns(world, workerId).length === 0) world.workers.delete(workerId);
}
