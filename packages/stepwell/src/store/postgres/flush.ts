/**
 * Flush: the group commit (S4). One statement, which is its own transaction, for nearly every flush; writes that cannot
 * stand in one statement with an earlier one follow in rounds (rounds.ts), each its own transaction.
 *
 * What the server accepted is told by counts: when all of a kind was, nothing more is asked. Otherwise a second look finds
 * out why (answers.ts): the owner lost the run, or the row was there, because this flush was stored once before (S5).
 *
 * A row that is impossible fails its whole statement. The round is then halved until that row stands alone, and only it is
 * refused (S6).
 */
import { refusalOf } from "../refusals.ts";
import type { Change, NowMs } from "../store.ts";
import type { Write, WriteResult } from "../write.ts";
import { answerRound } from "./answers.ts";
import { isRowFault, toStoreError, unknownOutcome } from "./faults.ts";
import { tell } from "./listen.ts";
import { composeFlush, type Draft, enterWrite, orderChanges, parametersOf } from "./parts.ts";
import { type Round, toRounds } from "./rounds.ts";
import { ask, sendPatiently, type Session } from "./session.ts";
import type { Batch } from "./told.ts";
import { knowVersions, workflowIdOf } from "./version.ts";

/**
 * Store `writes`.
 *
 * @throws a store's error when nothing was stored; STORE_OUTCOME_UNKNOWN when that is not known, and then for every
 *   failure until a flush succeeds, because this batch may be one that is submitted again (P1)
 */
export async function flush(session: Session, writes: readonly Write[], nowMs: NowMs): Promise<readonly WriteResult[]> {
  const batch: Batch = { session, writes, nowMs, results: Array.from({ length: writes.length }), begun: false };
  try {
    await knowVersions(session, versionsOf(writes));
    for (const round of toRounds(writes)) await saveRound(batch, round);
  } catch (error) {
    const coded = toStoreError(error, session.place);
    if (coded.code === "STORE_OUTCOME_UNKNOWN") session.inDoubt = true;
    else if ((session.inDoubt || batch.begun) && coded.code !== "ENGINE_CLOSED") {
      throw unknownOutcome(coded, session.place);
    }
    throw coded;
  }
  session.inDoubt = false;
  tellOthers(session, writes, batch.results);
  return batch.results;
}

function versionsOf(writes: readonly Write[]): readonly number[] {
  return writes.flatMap((write) => (write.kind === "insert_run" ? [write.run.versionId] : []));
}

async function saveRound(batch: Batch, round: Round): Promise<void> {
  const { session, writes, nowMs } = batch;
  const draft: Draft = { parts: new Set(), rows: {} };
  const entered: number[] = [];
  const ends: number[] = [];
  const workers = new Set<number>();
  for (const index of round) {
    const write = writes[index]!;
    try {
      enterWrite(draft, write, write.kind === "insert_run" ? workflowIdOf(session, write.run.versionId) : 0);
    } catch (error) {
      await refuse(batch, index, error);
      continue;
    }
    entered.push(index);
    if ((draft.rows.childEnds?.length ?? 0) > ends.length) ends.push(index);
    addWorkers(workers, write);
  }
  if (entered.length === 0) return;
  orderEnds(draft, ends);
  const changedRunIds = orderChanges(draft);
  try {
    const values = { ...parametersOf(draft), changedRunIds, workers: [...workers], nowMs };
    const [row] = await sendPatiently(session, "flush", composeFlush(draft.parts), values);
    batch.begun = true;
    await answerRound(batch, entered, draft, row!);
  } catch (error) {
    if (!isRowFault(error)) throw error;
    await saveHalves(batch, entered, error);
  }
}

/** What children tell one parent arrives in the order given, not in that of their rows. `ends`: where each stood. */
function orderEnds({ rows }: Draft, ends: readonly number[]): void {
  if (rows.childEnds === undefined || ends.length < 2) return;
  const placed = rows.childEnds.map((row, place) => ({ row, at: ends[place]! }));
  rows.childEnds = placed.sort((a, b) => a.at - b.at).map(({ row }) => row);
}

async function saveHalves(batch: Batch, round: Round, error: unknown): Promise<void> {
  if (round.length === 1) return refuse(batch, round[0]!, error);
  const middle = round.length >> 1;
  await saveRound(batch, round.slice(0, middle));
  await saveRound(batch, round.slice(middle));
}

/** An impossible row. What its owner says of a run that he does not hold is answered as if it were possible (S2). */
async function refuse(batch: Batch, index: number, error: unknown): Promise<void> {
  const { session, writes, results, nowMs } = batch;
  const write = writes[index]!;
  results[index] = refusalOf(write, error);
  if (!("owner" in write) || write.kind === "insert_run") return;
  const { rowId, workerId, fence } = write.owner;
  const nothing: Draft = { parts: new Set(), rows: {} };
  const [head] = await sendPatiently(session, "flush", composeFlush(nothing.parts), { workers: [workerId], nowMs });
  const alive = (head!["alive"] as readonly unknown[]).length > 0;
  const [run] = await ask(session, "flush", "listStandings", { rowIds: [rowId] });
  if (alive && run?.["worker_id"] === workerId && run["fence"] === fence) return;
  await answerRound(batch, [index], nothing, head!);
}

/** Whose life the writes depend on. */
function addWorkers(workers: Set<number>, write: Write): void {
  if (write.kind === "post" || write.kind === "wake") return;
  if (write.owner !== null) workers.add(write.owner.workerId);
  if (write.kind === "insert_run" && write.claimFor !== null) workers.add(write.claimFor);
}

function tellOthers(session: Session, writes: readonly Write[], results: readonly WriteResult[]): void {
  const change = { due: false, inbox: false, ended: false, workers: false };
  for (let index = 0; index < writes.length; index += 1) note(change, writes[index]!, results[index]!);
  if (change.due || change.inbox || change.ended) tell(session, change);
}

/** Runs that this worker parks or ends are no news to others, but for those who wait for the end. */
function note(change: { -readonly [K in keyof Change]: boolean }, write: Write, result: WriteResult): void {
  if (result.kind === "inserted") change.due ||= !result.claimed;
  else if (result.kind === "posted") {
    change.due ||= result.claimable;
    change.inbox ||= !result.claimable;
  }
  if (write.kind === "transition" && (result.kind === "stored" || result.kind === "posted")) {
    const { kind } = write.transition;
    change.ended ||= kind === "complete" || kind === "fail" || kind === "cancel";
    change.due ||= kind === "release";
  }
  if (write.kind === "wake" && result.kind === "stored") change.due = true;
}
