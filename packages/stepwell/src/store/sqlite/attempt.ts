/**
 * Attempt: failed ones with their next due time, waits that began, code that runs for
 * a while with its heartbeats.
 *
 * A row per attempt. One that is `running` turns when the attempt fails and keeps its
 * beginning, so that its history has both events. When a crash cuts it off, the same
 * attempt begins again: its row takes the new beginning, and the old one becomes a note.
 */
import type { ActiveStep, NewAttempt } from "../../model/step.ts";
import { BEGAN_NOTE, beganNote } from "../events.ts";
import { refusalOfBeat } from "../refusals.ts";
import { type ActiveStepRow, type AttemptRow, toActiveStep } from "../rows.ts";
import type { Write, WriteResult } from "../write.ts";
import { openApproval } from "./approval.ts";
import { answerAgain, type Batch, findLastHeld, isAlive, STALE } from "./batch.ts";
import { connected, type Session } from "./connection.ts";

type AttemptWrite = Extract<Write, { kind: "attempt" }>;

/** What findAttempt answers with. */
type FoundAttempt = Pick<AttemptRow, "state" | "seq" | "kind" | "began_seq" | "began_at_ms">;

/** Save an attempt or the beginning of a wait. Due times are rounded up: never early (P7). */
export function saveAttempt(batch: Batch, write: AttemptWrite): WriteResult {
  const { owner, attempt, dueInMs, opens } = write;
  if (!isAlive(batch, owner.workerId)) return STALE;
  const { nowMs } = batch;
  const due = dueInMs === null ? attempt.dueAtMs : nowMs + dueInMs;
  const dueAtMs = due === null ? null : Math.ceil(due);
  const running = attempt.state === "running";
  const { changes } = batch.sql.saveAttempt.run(
    attempt.key,
    attempt.attempt,
    attempt.seq,
    attempt.kind,
    attempt.state,
    dueAtMs,
    nowMs,
    Math.round(attempt.durationMs),
    running ? attempt.seq : null,
    running ? beganAtMs(batch, attempt) : null,
    running ? owner.fence : null,
    attempt.error,
    owner.rowId,
    owner.workerId,
    owner.fence,
  );
  if (changes === 0) return answerUnchanged(batch, write);
  if (opens !== undefined) openApproval(batch, owner.rowId, opens, dueAtMs);
  return batch.stored;
}

/** Save a heartbeat of a running attempt. */
export function saveBeat(batch: Batch, { owner, key, attempt, value }: Extract<Write, { kind: "beat" }>): WriteResult {
  if (!isAlive(batch, owner.workerId)) return STALE;
  const { rowId, workerId, fence } = owner;
  if (batch.sql.saveBeat.run(value, batch.nowMs, rowId, key, attempt, rowId, workerId, fence).changes !== 0) {
    return batch.stored;
  }
  const held = findLastHeld(batch, owner);
  if (held === null) return STALE;
  const found = batch.sql.findAttempt.get(rowId, key, held.generation, attempt);
  if (found !== undefined) return batch.stored;
  return refusalOfBeat(key, attempt);
}

/** In the order they began. */
export function listActiveSteps(session: Session, rowId: number): readonly ActiveStep[] {
  const rows = connected(session).sql.listActiveSteps.all(rowId) as unknown as readonly ActiveStepRow[];
  return rows.map(toActiveStep);
}

/** The code has been running for `durationMs` when its beginning is told. */
function beganAtMs({ nowMs }: Pick<Batch, "nowMs">, attempt: NewAttempt): number {
  return Math.floor(nowMs - attempt.durationMs);
}

function answerUnchanged(batch: Batch, { owner, attempt }: AttemptWrite): WriteResult {
  const held = findLastHeld(batch, owner);
  if (held === null) return STALE;
  const { key, attempt: number } = attempt;
  const found = batch.sql.findAttempt.get(owner.rowId, key, held.generation, number) as FoundAttempt | undefined;
  const begins = attempt.state === "running" && found?.state === "running" && attempt.seq > found.seq;
  if (!begins) return answerAgain(batch, found);
  if (held.worker_id === null) return STALE;
  beginAgain(batch, { owner, attempt, generation: held.generation }, found);
  return batch.stored;
}

function beginAgain(
  { sql, nowMs }: Batch,
  { owner, attempt, generation }: Pick<AttemptWrite, "owner" | "attempt"> & { readonly generation: number },
  before: FoundAttempt,
): void {
  const { rowId, fence } = owner;
  const began = beganNote(before.kind, attempt.key, attempt.attempt);
  sql.insertNote.run(rowId, before.seq, BEGAN_NOTE, before.began_at_ms, began);
  const atMs = beganAtMs({ nowMs }, attempt);
  const durationMs = Math.round(attempt.durationMs);
  const row = [rowId, attempt.key, generation, attempt.attempt] as const;
  sql.beginAttemptAgain.run(attempt.seq, nowMs, durationMs, attempt.seq, atMs, fence, ...row);
}
