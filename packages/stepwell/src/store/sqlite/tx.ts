/**
 * Tx: a user's statements and a checkpoint in one transaction (P4).
 *
 * It owns the writer: it is on the connection of all other calls, which wait until it is over, see turn.ts. What takes
 * place between two statements of the user's is his time, and nobody else's writes get into his transaction.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { StepwellError } from "../../model/errors.ts";
import { type StepRow, toCheckpoint } from "../rows.ts";
import { brokenFrame, checkStatement } from "../frame.ts";
import type { CheckpointWrite, TxAnswer, TxDoor, TxTerms, TxVerdict } from "../tx.ts";
import { type Batch, findLastHeld, isAlive, newBatch } from "./batch.ts";
import type { Session } from "./connection.ts";
import { isConnectionFault, isRowFault, primaryCode, SQLITE } from "./faults.ts";
import { begin, commit, rollback } from "./transaction.ts";
import type { Turn } from "./turn.ts";
import { insertRun, saveCheckpoint } from "./write.ts";

/** What a transaction is told. `now`: the moment at which it begins, which is later than it was asked for. */
type Terms = TxTerms & { readonly now: () => number };

/** Called by the store with whatever makes an error one of its own. */
export type Coded = <T>(work: () => T) => T;

/**
 * Carry out a transaction of a user's; see Store.transact.
 *
 * @throws a store's error; STORE_OUTCOME_UNKNOWN when the commit may have taken place
 */
export function transactFor(
  session: Session,
  { turn, coded }: { readonly turn: Turn; readonly coded: Coded },
  terms: Terms,
  work: (door: TxDoor) => Promise<TxVerdict>,
): Promise<TxAnswer> {
  return turn.own(
    () => coded(() => begin(session)),
    async (connection) => {
      const batch = newBatch(session, connection, terms.now());
      try {
        const early = coded(() => prove(batch, terms));
        return early ?? end(batch, coded, await verdictOf(batch, coded, work));
      } finally {
        // Unless it was committed.
        rollback(session, batch);
      }
    },
  );
}

/** What answers at once; null: the owner holds the run. */
function prove(batch: Batch, { owner, doubt }: Pick<TxTerms, "owner" | "doubt">): TxAnswer | null {
  if (owner === null) return null;
  const held = findLastHeld(batch, owner);
  if (held?.worker_id !== owner.workerId || !isAlive(batch, owner.workerId)) return { kind: "stale" };
  if (doubt === null) return null;
  return recorded(batch, owner.rowId, held.generation, doubt);
}

/** Null: there is no checkpoint of that key. Rare enough to read all. */
function recorded({ sql }: Batch, rowId: number, generation: number, key: string): TxAnswer | null {
  if (sql.findCheckpoint.get(rowId, key, generation) === undefined) return null;
  const rows = sql.listCheckpoints.all(rowId, generation) as unknown as readonly StepRow[];
  return { kind: "recorded", checkpoint: toCheckpoint(rows.find((row) => row.key === key)!) };
}

/** @throws a store's error when it was the database that failed, whatever `work` has made of it */
async function verdictOf(batch: Batch, coded: Coded, work: (door: TxDoor) => Promise<TxVerdict>): Promise<TxVerdict> {
  const gate: Gate = { open: true, fault: null };
  const verdict = await work(openDoor(batch, gate)).finally(() => (gate.open = false));
  const { fault } = gate;
  if (fault === null) return verdict;
  return coded(() => {
    throw fault;
  });
}

function end(batch: Batch, coded: Coded, verdict: TxVerdict): TxAnswer {
  if (!verdict.commit) return { kind: "rolled_back" };
  if (!isOpen(batch.db)) return { kind: "refused", error: broken() };
  try {
    return coded(() => store(batch, verdict.checkpoint));
  } catch (error) {
    const { code, cause } = error as StepwellError;
    if (code !== "STORE_OUTCOME_UNKNOWN" && cause !== undefined && isRowFault(cause)) {
      return { kind: "refused", error: cause };
    }
    throw error;
  }
}

/** In one go, so that nothing comes in between. */
function store(batch: Batch, write: CheckpointWrite | null): TxAnswer {
  const refusal =
    write === null ? null : (prove(batch, { ...write, doubt: write.checkpoint.key }) ?? save(batch, write));
  if (refusal !== null) return refusal;
  commit(batch.session, batch);
  return { kind: "committed" };
}

function save(batch: Batch, write: CheckpointWrite): TxAnswer | null {
  return saveCheckpoint(batch, write).kind === "stored" ? null : { kind: "stale" };
}

/**
 * Closed when `work` is done: what comes later would get into somebody else's transaction. `fault`: what has befallen the
 * database itself, such as a full disk; it is no failure of the code.
 */
type Gate = { open: boolean; fault: Error | null };

function openDoor(batch: Batch, gate: Gate): TxDoor {
  const { db } = batch;
  const perform = <T>(sql: string, how: (statement: StatementSync) => T): T => {
    checkOpen(db, gate);
    try {
      return how(prepareOne(db, sql));
    } catch (error) {
      if (isConnectionFault(error) || primaryCode(error) === SQLITE.full) gate.fault = error as Error;
      throw error;
    }
  };
  return {
    query: async (sql, params) => perform(sql, (one) => one.all(...(params as SQLInputValue[]))),
    execute: async (sql, params) => {
      const { changes } = perform(sql, (one) => one.run(...(params as SQLInputValue[])));
      return { changes: Number(changes) };
    },
    insertRun: async (write) => {
      checkOpen(db, gate);
      return insertRun(batch, write);
    },
  };
}

/** SQLite compiles the first statement of a text and passes over the rest, silently. */
function prepareOne(db: DatabaseSync, sql: string): StatementSync {
  checkStatement(sql);
  const statement = db.prepare(sql);
  if (NOTHING.test(sql.slice(statement.sourceSQL.length))) return statement;
  throw new StepwellError("TX_STATEMENT", "a transaction was given several statements at once.", {
    details: { sql: sql.slice(0, 200) },
  });
}

/** Space and comments. */
const NOTHING = /^(?:\s|;|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*$/;

/** Outside of the transaction a statement would be committed by itself. */
function checkOpen(db: DatabaseSync, gate: Gate): void {
  if (!gate.open || !isOpen(db)) throw broken();
}

function isOpen(db: DatabaseSync): boolean {
  return db.isOpen && db.isTransaction;
}

function broken(): StepwellError {
  return brokenFrame("the transaction was ended by one of its own statements, or by the database, before its time.");
}
