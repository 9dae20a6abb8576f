/**
 * Attempt: what failed, what waits, and what has been running for a while.
 *
 * An attempt has one row. It turns when what was running fails; and when a crash cut it
 * off, it begins again, and its earlier beginning stays in the history.
 */
import { StepwellError } from "../../model/errors.ts";
import type { Owner } from "../../model/run.ts";
import type { ActiveStep, NewAttempt } from "../../model/step.ts";
import { refusalOfBeat } from "../../store/refusals.ts";
import type { Write, WriteResult } from "../../store/write.ts";
import { openedApproval } from "./approval.ts";
import { type Batch, checkOneOf, checkTexts, findStanding, STALE, stored } from "./batch.ts";
import { addNote } from "./step.ts";
import { type Book, putBook, type StoredAttempt, type World } from "./world.ts";

type AttemptWrite = Extract<Write, { kind: "attempt" }>;

/** What a row of an attempt says that its owner does not. */
type Beginning = Pick<StoredAttempt, "beganSeq" | "beganAtMs" | "beganFence">;

const STATES = ["failed", "waiting", "running"];

/** Due times are counted from the store's clock, where it is asked to, and rounded up (P7). */
export function saveAttempt(batch: Batch, write: AttemptWrite): WriteResult {
  const { owner } = write;
  const standing = findStanding(batch.world, owner);
  if (standing === null) return STALE;
  const { book, held } = standing;
  const attempt = toStore(batch, write);
  const found = findAttempt(book, attempt.key, attempt.attempt);
  const beginsAgain = found?.state === "running" && attempt.state === "running" && attempt.seq > found.seq;
  if (!held) return found === null || beginsAgain ? STALE : stored(batch);
  check(attempt);
  if (found === null) begin(batch, book, write, attempt);
  else if (beginsAgain) beginAgain(batch, { book, found, owner }, attempt);
  else if (found.state === "running" && attempt.state !== "running") turn(batch, { book, found }, attempt);
  return stored(batch);
}

function toStore({ nowMs }: Batch, { attempt, dueInMs }: AttemptWrite): NewAttempt {
  const dueAtMs = dueInMs === null ? attempt.dueAtMs : nowMs + dueInMs;
  return { ...attempt, dueAtMs: dueAtMs === null ? null : Math.ceil(dueAtMs) };
}

function check({ key, kind, state, dueAtMs }: NewAttempt): void {
  checkTexts({ key, kind });
  checkOneOf("state", state, STATES);
  if (state !== "running" || dueAtMs === null) return;
  throw new StepwellError("STORE_WRITE_REFUSED", "an attempt that runs is not due");
}

function begin(batch: Batch, book: Book, { owner, opens }: AttemptWrite, attempt: NewAttempt): void {
  const { world, nowMs } = batch;
  const { dueAtMs } = attempt;
  const opened = opens === undefined ? [] : [openedApproval(world, book, opens, { nowMs, dueAtMs })];
  const attempts = [...book.attempts, begun(batch, owner, attempt)];
  putBook(world, { ...book, attempts, approvals: [...book.approvals, ...opened] });
}

/** A new row; its code has been running for `durationMs` when its beginning is told. */
function begun({ nowMs }: Batch, { fence }: Owner, attempt: NewAttempt): StoredAttempt {
  const running = attempt.state === "running";
  const beginning: Beginning = {
    beganSeq: running ? attempt.seq : null,
    beganAtMs: running ? Math.floor(nowMs - attempt.durationMs) : null,
    beganFence: running ? fence : null,
  };
  const durationMs = Math.round(attempt.durationMs);
  return { ...attempt, ...beginning, durationMs, atMs: nowMs, beat: null, beatAtMs: null };
}

/** Its last heartbeat stays: it tells how far the work had come. */
function beginAgain(
  batch: Batch,
  { book, found, owner }: { readonly book: Book; readonly found: StoredAttempt; readonly owner: Owner },
  attempt: NewAttempt,
): void {
  const { kind: step, key, attempt: number, seq, beganAtMs, error, dueAtMs, beat, beatAtMs } = found;
  const before = { kind: "attempt_began", seq, atMs: beganAtMs ?? found.atMs, step, key, attempt: number } as const;
  const again = { ...begun(batch, owner, attempt), kind: step, error, dueAtMs, beat, beatAtMs };
  putBook(batch.world, replace(addNote(book, before), found, again));
}

/** It failed: the beginning and the heartbeat stay. */
function turn(
  { world, nowMs }: Batch,
  { book, found }: { readonly book: Book; readonly found: StoredAttempt },
  { state, seq, error, dueAtMs, durationMs }: NewAttempt,
): void {
  const turned = { ...found, state, seq, error, dueAtMs, durationMs: Math.round(durationMs), atMs: nowMs };
  putBook(world, replace(book, found, turned));
}

/** Of an attempt that runs. One that turned meanwhile was submitted again; one that nobody began is a mistake. */
export function saveBeat(batch: Batch, write: Extract<Write, { kind: "beat" }>): WriteResult {
  const { world, nowMs } = batch;
  const standing = findStanding(world, write.owner);
  if (standing === null) return STALE;
  const { book, held } = standing;
  const found = findAttempt(book, write.key, write.attempt);
  if (found === null) return refusalOfBeat(write.key, write.attempt);
  if (held && found.state === "running") {
    putBook(world, replace(book, found, { ...found, beat: write.value, beatAtMs: nowMs }));
  }
  return stored(batch);
}

/** Under an older claim it began in a process that has died since; with a checkpoint it is over. */
export function listActiveSteps({ books }: World, rowId: number): readonly ActiveStep[] {
  const book = books.get(rowId);
  if (book === undefined) return [];
  const { run, steps, attempts } = book;
  const activeFence = run.workerId === null ? null : run.fence;
  return attempts
    .filter(({ state, beganFence }) => state === "running" && beganFence === activeFence)
    .filter(({ key }) => !steps.some((step) => step.key === key))
    .toSorted((a, b) => a.seq - b.seq)
    .map(({ key, kind, attempt, beganAtMs, atMs, beat, beatAtMs }) => {
      return { key, kind, attempt, beganAtMs: beganAtMs ?? atMs, beat, beatAtMs };
    });
}

function findAttempt({ attempts }: Book, key: string, number: number): StoredAttempt | null {
  return attempts.find((one) => one.key === key && one.attempt === number) ?? null;
}

function replace(book: Book, old: StoredAttempt, by: StoredAttempt): Book {
  return { ...book, attempts: book.attempts.map((one) => (one === old ? by : one)) };
}
