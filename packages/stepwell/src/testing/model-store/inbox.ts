/**
 * Inbox: items are numbered, arrive once per operation, and wake their run (S7).
 */
import type { InboxItem } from "../../model/inbox.ts";
import { isTerminal, type Run } from "../../model/run.ts";
import type { Delivery } from "../../store/delivery.ts";
import type { Write, WriteResult } from "../../store/write.ts";
import { type Batch, checkTexts, STALE, stored } from "./batch.ts";
import { type Book, CLAIMABLE, findBook, putBook, putRun, type World } from "./world.ts";

/** Leave an outsider's item, or answer with the one that its operation left before (S5). */
export function postItem(batch: Batch, { to, item }: Extract<Write, { kind: "post" }>): WriteResult {
  const book = findBook(batch.world, to);
  if (book === null) return { kind: "unknown_run" };
  const before = findDelivered(batch, book, item.operationId);
  if (before !== null) return before;
  return deliver(batch, book, item) ?? { kind: "ended", state: book.run.state };
}

/** Append an item and wake its run; null: the run has ended. */
export function deliver({ world, nowMs }: Batch, book: Book, delivery: Delivery): WriteResult | null {
  if (isTerminal(book.run.state)) return null;
  const { kind, name, payload, actor, operationId } = delivery;
  checkTexts({ name, payload, actor, operationId });
  const item: InboxItem = { seq: book.run.inboxSeq + 1, kind, name, payload, actor, atMs: nowMs };
  const run = { ...wokenBy(book.run, kind, nowMs), inboxSeq: item.seq };
  putBook(world, { ...book, run, inbox: [...book.inbox, { ...item, operationId, consumedSeq: null }] });
  return { kind: "posted", atMs: nowMs, rowId: run.rowId, item, claimable: run.dueAtMs !== null };
}

/** Who is held stays held. A paused run, or one in quarantine, is woken by a cancel or a resume alone. */
function wokenBy(run: Run, kind: InboxItem["kind"], nowMs: number): Run {
  if (run.workerId !== null) return run;
  if (kind === "pause") return run.state === "quarantined" ? run : { ...run, ...PAUSED };
  if (CLAIMABLE.includes(run.state)) return { ...run, ...wokenAt(run, nowMs) };
  if (kind !== "cancel" && kind !== "resume") return run;
  const crashes = kind === "resume" && run.state === "quarantined" ? 0 : run.crashes;
  return { ...run, ...revivedAt(run, nowMs), crashes };
}

const PAUSED = { state: "paused", onHold: true, dueAtMs: null, waitingFor: [] } as const satisfies Partial<Run>;

/** What an operation has left in the inbox already; null: nothing. */
export function findDelivered({ nowMs }: Batch, { run, inbox }: Book, operationId: string): WriteResult | null {
  const found = inbox.find((item) => item.operationId === operationId);
  if (found === undefined) return null;
  const { operationId: _, consumedSeq: _seq, ...item } = found;
  const claimable = run.dueAtMs !== null && run.dueAtMs <= nowMs;
  return { kind: "posted", atMs: nowMs, rowId: run.rowId, item, claimable };
}

/** Make a parked run due now, unless it was taken since. */
export function wakeRun(batch: Batch, { rowId, fence }: Extract<Write, { kind: "wake" }>): WriteResult {
  const book = batch.world.books.get(rowId);
  const unowned = book?.run.fence === fence && book.run.workerId === null;
  if (!unowned || !CLAIMABLE.includes(book.run.state)) return STALE;
  putRun(batch.world, book, wokenAt(book.run, batch.nowMs));
  return stored(batch);
}

/** Of a run that may be claimed when it is due: it is, now or since earlier. */
function wokenAt({ state, waitingFor, dueAtMs }: Run, nowMs: number): Partial<Run> {
  const due = { dueAtMs: Math.min(dueAtMs ?? nowMs, nowMs) };
  return state === "waiting" ? { ...due, state: "pending", waitingFor: [] } : { ...due, state, waitingFor };
}

/** Of a run that stands still or is given up: due, and it goes on with what it did. */
export function revivedAt({ ending }: Run, nowMs: number): Partial<Run> {
  return { state: ending === null ? "pending" : "compensating", onHold: false, dueAtMs: nowMs };
}

/** Not consumed, above `afterSeq`, by `seq`. */
export function listInbox({ books }: World, rowId: number, afterSeq: number): readonly InboxItem[] {
  const inbox = books.get(rowId)?.inbox ?? [];
  return inbox
    .filter(({ seq, consumedSeq }) => seq > afterSeq && consumedSeq === null)
    .map(({ operationId: _, consumedSeq: _seq, ...item }) => item);
}
