/**
 * Bare loop on SQLite: same schema (the library creates the file), same statements (read from the store's queries.sql),
 * same driver and durability, one transaction per turn of the event loop.
 */
import { readFileSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { setImmediate as turn } from "node:timers/promises";
import { parseQueries } from "../../scripts/build-sql.ts";
import type { BareStore, BareText } from "./bare-store.ts";
import { checkout } from "./checkout.ts";
import { createDatabase, pathOf, perRun } from "./database.ts";

const QUERIES = new URL("../../packages/stepwell/src/store/sqlite/queries.sql", import.meta.url);

/** Settings of the store's own connections. */
const PRAGMAS = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000";

/** Parameters of the store's statements in the order in which this file binds them. */
const BINDS = {
  insertRun:
    "workflowId, versionId, publicId, state, workerId, fence, dueAtMs, " +
    "input, inputHash, actor, seed, parentId, parentKey, parentAwaits, nowMs, deadlineAtMs",
  saveCheckpoint: "key, seq, kind, outcome, attempt, compensable, nowMs, durationMs, value, rowId, workerId, fence",
  completeRun: "output, seq, nowMs, rowId, workerId, fence",
};

const WORKER_ID = 1;
const FENCE = 1;

/** An open file, prepared. */
type Bare = {
  readonly db: DatabaseSync;
  readonly begin: StatementSync;
  readonly commit: StatementSync;
  readonly statements: { readonly [Name in keyof typeof BINDS]: StatementSync };
  readonly version: { readonly id: number; readonly workflowId: number };
  readonly text: BareText;
};

/** Make the file, and prepare the statements. */
export async function openBareSqlite(url: string, text: BareText): Promise<BareStore> {
  const empty = await createDatabase(url, checkout);
  const bare = openBare(pathOf(url)!, text);
  return {
    insertRuns: (ids) => inOneCommit(bare, ids, (id, nowMs) => insertRun(bare, id, nowMs)),
    saveSteps: async (rowIds, step) => {
      await inOneCommit(bare, rowIds, (rowId, nowMs) => saveCheckpoint(bare, { rowId, nowMs, ...step }));
    },
    completeRuns: async (rowIds, seq) => {
      await inOneCommit(bare, rowIds, (rowId, nowMs) => completeRun(bare, { rowId, nowMs, seq }));
    },
    close: () => {
      bare.db.close();
      return perRun(url, empty.bytes);
    },
  };
}

function openBare(path: string, text: BareText): Bare {
  const db = new DatabaseSync(path);
  db.exec(PRAGMAS);
  const row = db.prepare("SELECT id, workflow_id FROM versions").get();
  return {
    db,
    begin: db.prepare("BEGIN IMMEDIATE"),
    commit: db.prepare("COMMIT"),
    statements: prepareStatements(db),
    version: { id: Number(row?.["id"]), workflowId: Number(row?.["workflow_id"]) },
    text,
  };
}

/** @throws Error when the store's statements have changed; then this file must follow, or the comparison is void */
function prepareStatements(db: DatabaseSync): Bare["statements"] {
  const queries = new Map(parseQueries(readFileSync(QUERIES, "utf8")).map((query) => [query.name, query]));
  const prepared = Object.entries(BINDS).map(([name, binds]) => {
    const query = queries.get(name);
    if (query?.binds.join(", ") !== binds) {
      throw new Error(`queries.sql: ${name} has changed; let bench/workloads/bare-sqlite.ts follow`);
    }
    return [name, db.prepare(query.sql)];
  });
  return Object.fromEntries(prepared) as Bare["statements"];
}

async function inOneCommit<T, R>(bare: Bare, items: readonly T[], write: (item: T, nowMs: number) => R): Promise<R[]> {
  await turn();
  const nowMs = Date.now();
  bare.begin.run();
  const results = items.map((item) => write(item, nowMs));
  bare.commit.run();
  return results;
}

/** @returns the row id */
function insertRun(bare: Bare, id: string, nowMs: number): number {
  const { changes, lastInsertRowid } = bare.statements.insertRun.run(
    bare.version.workflowId,
    bare.version.id,
    id,
    "running",
    WORKER_ID,
    FENCE,
    null,
    bare.text.input,
    null,
    bare.text.actor,
    Math.floor(Math.random() * Number.MAX_SAFE_INTEGER),
    null,
    null,
    0,
    nowMs,
    null,
  );
  expectOne(changes);
  return Number(lastInsertRowid);
}

function saveCheckpoint(
  bare: Bare,
  step: { readonly rowId: number; readonly nowMs: number; readonly key: string; readonly seq: number },
): void {
  const { changes } = bare.statements.saveCheckpoint.run(
    step.key,
    step.seq,
    "step",
    "completed",
    1,
    0,
    step.nowMs,
    0,
    bare.text.value,
    step.rowId,
    WORKER_ID,
    FENCE,
  );
  expectOne(changes);
}

function completeRun(bare: Bare, end: { readonly rowId: number; readonly nowMs: number; readonly seq: number }): void {
  const { rowId, nowMs, seq } = end;
  expectOne(bare.statements.completeRun.run(bare.text.output, seq, nowMs, rowId, WORKER_ID, FENCE).changes);
}

function expectOne(changes: number | bigint): void {
  if (changes !== 1) throw new Error(`a guarded statement changed ${changes} rows`);
}
