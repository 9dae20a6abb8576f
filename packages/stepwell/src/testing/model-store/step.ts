/**
 * Step: the writes of an owner that add to its run: checkpoints, notes, progress, attributes.
 */
import { stateAfter } from "../../model/approval.ts";
import type { InboxItem } from "../../model/inbox.ts";
import type { Attributes } from "../../model/run.ts";
import type { Checkpoint } from "../../model/step.ts";
import { attributeEntries } from "../../store/attributes.ts";
import type { Write, WriteResult } from "../../store/write.ts";
import { isOpen } from "./approval.ts";
import { type Batch, checkOneOf, checkTexts, findStanding, STALE, stored } from "./batch.ts";
import { type Book, putBook, putRun, type StoredItem } from "./world.ts";

type Of<Kind extends Write["kind"]> = Extract<Write, { kind: Kind }>;

const OUTCOMES = ["completed", "handled", "resolved", "failed", "cancelled"];

/** A key's first checkpoint stays (P2); it uses up its item, and may prove that the run makes progress. */
export function saveCheckpoint(batch: Batch, write: Of<"checkpoint">): WriteResult {
  const { world, nowMs } = batch;
  const { checkpoint, consumes } = write;
  const standing = findStanding(world, write.owner);
  if (standing === null) return STALE;
  const { book, held } = standing;
  const known = book.steps.some((step) => step.key === checkpoint.key);
  if (!held) return known ? stored(batch) : STALE;
  checkTexts({ key: checkpoint.key, kind: checkpoint.kind, value: checkpoint.value });
  checkOneOf("outcome", checkpoint.outcome, OUTCOMES);
  if (known) return stored(batch);
  putBook(world, {
    ...book,
    run: write.clearsCrashes ? { ...book.run, crashes: 0 } : book.run,
    steps: [...book.steps, { ...checkpoint, durationMs: Math.round(checkpoint.durationMs), atMs: nowMs }],
    inbox: consumeItem(book, consumes, checkpoint.seq - 1),
    approvals: checkpoint.kind === "approval" ? closeApproval(book, checkpoint, nowMs) : book.approvals,
  });
  return stored(batch);
}

/** The inbox with the item of that number consumed as `consumedSeq`, unless it was before; null: none is. */
export function consumeItem({ inbox }: Book, seq: InboxItem["seq"] | null, consumedSeq: number): readonly StoredItem[] {
  return inbox.map((item) => (item.seq === seq && item.consumedSeq === null ? { ...item, consumedSeq } : item));
}

function closeApproval(book: Book, { key, outcome, value }: Checkpoint, nowMs: number): Book["approvals"] {
  const closed = { state: stateAfter(outcome, value), closedAtMs: nowMs };
  return book.approvals.map((one) => (isOpen(book, one, key) ? { ...one, ...closed } : one));
}

/** A number's first note stays. */
export function saveNote(batch: Batch, { owner, note, value, seq, consumes }: Of<"note">): WriteResult {
  const standing = findStanding(batch.world, owner);
  if (standing === null) return STALE;
  const { book, held } = standing;
  const known = book.notes.some((one) => one.seq === seq);
  if (!held) return known ? stored(batch) : STALE;
  checkTexts({ note, value });
  if (known) return stored(batch);
  const inbox = consumeItem(book, consumes, seq - 1);
  putBook(batch.world, addNote({ ...book, inbox }, { kind: "note", seq, note, value, atMs: batch.nowMs }));
  return stored(batch);
}

/** The book with a note more, unless it has one of that number. */
export function addNote(book: Book, note: Book["notes"][number]): Book {
  const known = book.notes.some(({ seq }) => seq === note.seq);
  return known ? book : { ...book, notes: [...book.notes, note] };
}

/** The last one counts. */
export function saveProgress(batch: Batch, { owner, value }: Of<"progress">): WriteResult {
  const standing = findStanding(batch.world, owner);
  if (standing === null) return STALE;
  if (standing.held) putRun(batch.world, standing.book, { progress: value });
  return stored(batch);
}

/** The last ones count, as a whole. */
export function saveAttributes(batch: Batch, { owner, values }: Of<"attributes">): WriteResult {
  const standing = findStanding(batch.world, owner);
  if (standing === null) return STALE;
  if (!standing.held) return stored(batch);
  attributeEntries(values);
  putRun(batch.world, standing.book, { attributes: JSON.parse(values) as Attributes });
  return stored(batch);
}
