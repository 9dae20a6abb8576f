/**
 * Tx: a user's statements and a checkpoint in one transaction (P4), on a connection of its own lane.
 *
 * The worker's row is locked from the beginning, as by a flush: whoever declares it dead waits for the commit, or the
 * owner is stale. The run's row is locked with the checkpoint, shortly before the commit, so that signals and the run's
 * other steps do not wait for the user's code. A commit that was sent and is late holds that lock: the doubt about it
 * is settled by waiting for the row.
 *
 * What the user's code may take is told to the server as well, which then lets go of everything by itself.
 */
import type pg from "pg";
import type { StepwellError } from "../../model/errors.ts";
import type { Owner } from "../../model/run.ts";
import { type StepRow, toCheckpoint } from "../rows.ts";
import { brokenFrame, checkStatement } from "../frame.ts";
import type { CheckpointWrite, TxAnswer, TxDoor, TxRow, TxTerms, TxVerdict } from "../tx.ts";
import type { Write, WriteResult } from "../write.ts";
import {
  connectionLost,
  endsConnection,
  isRowFault,
  isTransient,
  sqlState,
  toStoreError,
  unknownOutcome,
} from "./faults.ts";
import { tell } from "./listen.ts";
import { composeFlush, type Draft, enterWrite, parametersOf, type PartName } from "./parts.ts";
import { type QueryName, type Row, statementOf, type Statement, toConfig, type Values } from "./query.ts";
import { checkOut, closedError, type Session } from "./session.ts";
import { knowVersions, toRuns, workflowIdOf } from "./version.ts";

/** By how much the server's patience is longer than the limit, which the engine keeps itself. */
const SPARE_MS = 500;

/** One transaction under way. */
type Open = {
  readonly session: Session;
  readonly client: pg.PoolClient;
  readonly terms: TxTerms;
  /** What another transaction has made of a statement of this one: see isTransient. */
  conflict: unknown;
  /** The connection is gone, and with it everything that was not committed. */
  lost: unknown;
  /** Closed when `work` is done: what comes later would get into somebody else's transaction. */
  gate: boolean;
  started: boolean;
};

/** See Store.transact. */
export async function transact(
  session: Session,
  terms: TxTerms,
  work: (door: TxDoor) => Promise<TxVerdict>,
): Promise<TxAnswer> {
  const client = await checkOut(session, "tx");
  const open: Open = { session, client, terms, conflict: null, lost: null, gate: true, started: false };
  let fit = false;
  try {
    const answer = await carryOut(open, work);
    fit = open.lost === null && (answer.kind === "committed" || (await isRolledBack(open)));
    if (open.started && answer.kind === "committed") {
      tell(session, { due: true, inbox: false, ended: false, workers: false });
    }
    return answer;
  } finally {
    client.release(!fit);
  }
}

async function carryOut(open: Open, work: (door: TxDoor) => Promise<TxVerdict>): Promise<TxAnswer> {
  const { owner, limitMs } = open.terms;
  const patienceMs = Math.ceil(limitMs) + SPARE_MS;
  await own(open, () =>
    open.client.query(
      `BEGIN; SET LOCAL statement_timeout = ${patienceMs}; SET LOCAL idle_in_transaction_session_timeout = ${patienceMs}`,
    ),
  );
  const early = owner === null ? null : await prove(open, owner);
  if (early !== null) return early;
  const verdict = await work(openDoor(open)).finally(() => (open.gate = false));
  if (open.lost !== null) throw lostError(open);
  if (!verdict.commit) return open.conflict === null ? { kind: "rolled_back" } : conflict(open.conflict);
  const refusal = verdict.checkpoint === null ? null : await save(open, verdict.checkpoint);
  return refusal ?? commit(open);
}

/** What answers at once; null: the owner holds the run. */
async function prove(open: Open, owner: Owner): Promise<TxAnswer | null> {
  const { doubt } = open.terms;
  const { rowId, workerId, fence } = owner;
  if (doubt !== null) await askOwn(open, "txLockRun", { rowId });
  const [held] = await askOwn(open, "txProveOwner", { rowId, workerId, fence });
  if (held === undefined) return { kind: "stale" };
  return doubt === null ? null : findRecorded(open, { rowId, generation: held["generation"], key: doubt });
}

async function findRecorded(open: Open, wanted: Values): Promise<TxAnswer | null> {
  const [row] = await askOwn(open, "txFindCheckpoint", wanted);
  return row === undefined ? null : { kind: "recorded", checkpoint: toCheckpoint(row as unknown as StepRow) };
}

/** Store the checkpoint, and hold the run from here on; null: it is stored, if the commit is. */
async function save(open: Open, write: CheckpointWrite): Promise<TxAnswer | null> {
  const { owner, checkpoint } = write;
  try {
    const row = await sendPart(open, write, { changedRunIds: [owner.rowId], workers: [owner.workerId] });
    if (row["steps"] === 1 || row["plain"] === 1) return null;
    const [held] = await askOwn(open, "txProveOwner", { ...owner });
    if (held === undefined) return { kind: "stale" };
    const { rowId } = owner;
    return (
      (await findRecorded(open, { rowId, generation: held["generation"], key: checkpoint.key })) ?? { kind: "stale" }
    );
  } catch (error) {
    return refusalOf(open, error);
  }
}

/** A transaction that one of its statements has aborted says no more than that; why, was said before. */
function refusalOf(open: Open, error: unknown): TxAnswer {
  const { cause } = error as StepwellError;
  if (open.lost !== null) throw error;
  if (isTransient(error)) return conflict(cause);
  if (sqlState(cause) === ABORTED) {
    return open.conflict === null ? { kind: "refused", error: brokenFrame(FAILED) } : conflict(open.conflict);
  }
  if (isRowFault(error) || isConstraint(cause)) return { kind: "refused", error: cause };
  throw error;
}

/** in_failed_sql_transaction */
const ABORTED = "25P02";
const FAILED = "a statement of the transaction had failed, so that the server does not commit it.";

function isConstraint(error: unknown): boolean {
  return sqlState(error)?.startsWith("23") === true;
}

function conflict(error: unknown): TxAnswer {
  return { kind: "conflict", error };
}

/** The server answers a COMMIT of an aborted transaction with ROLLBACK, and that is no error to it. */
async function commit(open: Open): Promise<TxAnswer> {
  const { session, client } = open;
  let command: string;
  try {
    ({ command } = await client.query("COMMIT"));
  } catch (error) {
    if (endsConnection(error) || !(await isAnswering(client))) {
      open.lost = error;
      throw unknownOutcome(error, session.place);
    }
    return refusalOf(open, toStoreError(error, session.place));
  }
  if (command === "COMMIT") return { kind: "committed" };
  return open.conflict === null ? { kind: "refused", error: brokenFrame(FAILED) } : conflict(open.conflict);
}

async function isRolledBack(open: Open): Promise<boolean> {
  try {
    await open.client.query("ROLLBACK");
    return true;
  } catch {
    return false;
  }
}

function openDoor(open: Open): TxDoor {
  return {
    query: async (sql, params) => (await sendTheirs(open, sql, params)).rows,
    execute: async (sql, params) => ({ changes: (await sendTheirs(open, sql, params)).rowCount ?? 0 }),
    insertRun: async (write) => {
      checkGate(open);
      return insertRun(open, write);
    },
  };
}

function checkGate({ gate, session }: Open): void {
  if (!gate) throw brokenFrame(`${session.place}: the transaction has ended.`);
}

/** Errors are the driver's own. One statement at a time: that is what the extended protocol takes. */
async function sendTheirs(open: Open, sql: string, params: readonly unknown[]): Promise<pg.QueryResult<TxRow>> {
  checkGate(open);
  checkStatement(sql);
  const config = { text: sql, values: [...params], queryMode: "extended" };
  try {
    return await open.client.query<TxRow>(config);
  } catch (error) {
    if (isTransient(error)) open.conflict = error;
    // An error that is not the server's may be the driver's, of a value that it cannot send.
    else if (endsConnection(error) && !(await isAnswering(open.client))) open.lost = error;
    throw error;
  }
}

async function insertRun(open: Open, write: Extract<Write, { kind: "insert_run" }>): Promise<WriteResult> {
  const { session } = open;
  const { versionId, id } = write.run;
  await knowVersions(session, [versionId]);
  const row = await sendPart(open, write, { workers: [] });
  const [rowId] = (row["runs"] ?? []) as readonly number[];
  if (rowId !== undefined) {
    open.started = true;
    return { kind: "inserted", atMs: row["now_ms"] as number, rowId: Number(rowId), claimed: false };
  }
  const wanted = { workflowIds: [workflowIdOf(session, versionId)], publicIds: [id] };
  const [run] = await toRuns(session, await askOwn(open, "listRunsByPublicId", wanted));
  return run === undefined ? { kind: "stale" } : { kind: "exists", run };
}

/** As a flush of this one write; with `changedRunIds` their rows are locked first. */
async function sendPart(open: Open, write: Write, more: Values): Promise<Row> {
  const { session, terms } = open;
  const parts = new Set<PartName>("changedRunIds" in more ? ["order"] : []);
  const draft: Draft = { parts, rows: {} };
  enterWrite(draft, write, write.kind === "insert_run" ? workflowIdOf(session, write.run.versionId) : 0);
  const values = { ...parametersOf(draft), ...more, nowMs: terms.nowMs };
  const [row] = await sendOwn(open, composeFlush(draft.parts), values);
  return row!;
}

function askOwn(open: Open, name: QueryName, values: Values): Promise<readonly Row[]> {
  return sendOwn(open, statementOf(name), values);
}

/** Not prepared: a statement of one plan would be planned as for the user's tables. */
async function sendOwn(open: Open, statement: Statement, values: Values): Promise<readonly Row[]> {
  const config = toConfig(open.session.naming(statement), values, false);
  const { rows } = await own(open, () => open.client.query<Row>(config));
  return rows;
}

/** Errors are the store's, and tell a lost connection, with which everything was taken back. */
async function own<T>(open: Open, query: () => Promise<T>): Promise<T> {
  try {
    return await query();
  } catch (error) {
    if (endsConnection(error)) {
      open.lost = error;
      throw lostError(open);
    }
    if (isTransient(error)) open.conflict = error;
    throw toStoreError(error, open.session.place);
  }
}

function lostError({ session, lost }: Open): StepwellError {
  return session.closed ? closedError(session) : connectionLost(lost, session.place);
}

/** A connection in an aborted transaction answers, too. */
async function isAnswering(client: pg.PoolClient): Promise<boolean> {
  try {
    await client.query("SELECT 1");
    return true;
  } catch (error) {
    return sqlState(error) === ABORTED;
  }
}
