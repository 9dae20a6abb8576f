/**
 * Tx: a transaction of a user's in the model store. It has the world for itself: every other call waits until it is
 * over. Taken back, it leaves the world as it was.
 *
 * The user's tables have one column, and understand as much SQL as a comparison of stores needs:
 * `CREATE TABLE IF NOT EXISTS t (c TEXT)`, `INSERT INTO t (c) VALUES (?)`, `SELECT c FROM t`, `DELETE FROM t`.
 */
import { StepwellError } from "../../model/errors.ts";
import { brokenFrame, checkStatement } from "../../store/frame.ts";
import type { CheckpointWrite, TxAnswer, TxDoor, TxRow, TxTerms, TxVerdict } from "../../store/tx.ts";
import { type Batch, findStanding } from "./batch.ts";
import { insertRun } from "./run.ts";
import { saveCheckpoint } from "./step.ts";
import type { World } from "./world.ts";

/** See Store.transact. */
export async function transact(
  batch: Batch,
  { owner, doubt }: TxTerms,
  work: (door: TxDoor) => Promise<TxVerdict>,
): Promise<TxAnswer> {
  const { world } = batch;
  const early = owner === null ? null : (prove(batch, owner) ?? findRecorded(batch, owner.rowId, doubt));
  if (early !== null) return early;
  const before = { books: new Map(world.books), tables: new Map(world.tables) };
  const gate = { open: true };
  let answer: TxAnswer = { kind: "rolled_back" };
  try {
    const verdict = await work(openDoor(batch, gate)).finally(() => (gate.open = false));
    if (verdict.commit) answer = commit(batch, verdict.checkpoint);
  } catch (error) {
    answer = { kind: "refused", error };
  }
  if (answer.kind !== "committed") Object.assign(world, before);
  return answer;
}

function prove({ world }: Batch, owner: NonNullable<TxTerms["owner"]>): TxAnswer | null {
  return findStanding(world, owner)?.held === true ? null : { kind: "stale" };
}

/** A key's first checkpoint stays. */
function findRecorded({ world }: Batch, rowId: number, key: string | null): TxAnswer | null {
  const step = world.books.get(rowId)?.steps.find((one) => one.key === key);
  if (step === undefined) return null;
  const { atMs: _, ...checkpoint } = step;
  return { kind: "recorded", checkpoint };
}

function commit(batch: Batch, write: CheckpointWrite | null): TxAnswer {
  if (write === null) return { kind: "committed" };
  const { owner, checkpoint } = write;
  const refusal = prove(batch, owner) ?? findRecorded(batch, owner.rowId, checkpoint.key);
  if (refusal !== null) return refusal;
  saveCheckpoint(batch, write);
  return { kind: "committed" };
}

/** Closed when `work` is done. */
function openDoor(batch: Batch, gate: { readonly open: boolean }): TxDoor {
  const { world } = batch;
  const inside = <T>(work: () => T): T => {
    if (gate.open) return work();
    throw brokenFrame("the transaction has ended.");
  };
  return {
    query: async (sql, params) => inside(() => perform(world, sql, params).rows),
    execute: async (sql, params) => ({ changes: inside(() => perform(world, sql, params).changes) }),
    insertRun: async (write) => inside(() => insertRun(batch, write)),
  };
}

type Done = { readonly rows: readonly TxRow[]; readonly changes: number };

const STATEMENT =
  /^(CREATE TABLE IF NOT EXISTS|INSERT INTO|DELETE FROM|SELECT (?<wanted>\w+) FROM) (?<table>\w+)(?: \((?<column>\w+)[^)]*\))?/;

function perform(world: World, sql: string, params: readonly unknown[]): Done {
  checkStatement(sql);
  const { wanted, table, column } = STATEMENT.exec(sql)?.groups ?? {};
  if (table === undefined) throw new StepwellError("TX_STATEMENT", `the model store does not understand "${sql}"`);
  const rows = world.tables.get(table) ?? [];
  if (wanted !== undefined) return { rows, changes: 0 };
  if (sql.startsWith("CREATE")) return put(world, table, rows, 0);
  if (sql.startsWith("DELETE")) return put(world, table, [], rows.length);
  return put(world, table, [...rows, { [column!]: params[0] }], 1);
}

function put(world: World, table: string, rows: readonly TxRow[], changes: number): Done {
  world.tables.set(table, rows);
  return { rows: [], changes };
}
