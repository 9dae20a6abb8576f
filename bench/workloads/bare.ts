/**
 * Bare: the rows of `checkout`, written by a plain loop in the same batches. No engine: what
 * this file needs for a run is what SQLite and the disk ask for; the rest is the engine's.
 *
 * Same schema (the library creates the file), same statements (read from the store's
 * queries.sql), same driver and durability, one transaction per turn of the event loop.
 * `concurrency` runs go in lock-step: all are inserted, then all save their first step, …
 */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { setImmediate as turn } from "node:timers/promises";
import { parseQueries } from "../../scripts/build-sql.ts";
import type { Figures, Task } from "../job.ts";
import { checkout, ORDER, OUTPUT, RESULT, STEPS } from "./checkout.ts";
import { createDatabase } from "./database.ts";
import { type Limit, measure, perRun } from "./measure.ts";

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

/** Texts are made once: serialising is the engine's work. */
const TEXT = { input: JSON.stringify(ORDER), value: JSON.stringify(RESULT), output: JSON.stringify(OUTPUT) };

/** An open file, prepared. */
type Bare = {
  readonly db: DatabaseSync;
  readonly begin: StatementSync;
  readonly commit: StatementSync;
  readonly statements: { readonly [Name in keyof typeof BINDS]: StatementSync };
  readonly version: { readonly id: number; readonly workflowId: number };
  commits: number;
  ids: number;
};

/** Batches of `concurrency` runs, one after another. */
export async function measureBare(task: Task): Promise<Figures> {
  const empty = await createDatabase(task.path, checkout);
  const bare = openBare(task.path);
  const loop = (limit: Limit): Promise<readonly number[]> => batches(bare, task.concurrency, limit);
  const measured = await measure(task, { loop, flushes: () => bare.commits });
  bare.db.close();
  return { ...measured, ...perRun(task.path, empty.bytes) };
}

function openBare(path: string): Bare {
  const db = new DatabaseSync(path);
  db.exec(PRAGMAS);
  const row = db.prepare("SELECT id, workflow_id FROM versions").get();
  return {
    db,
    begin: db.prepare("BEGIN IMMEDIATE"),
    commit: db.prepare("COMMIT"),
    statements: prepareStatements(db),
    version: { id: Number(row?.["id"]), workflowId: Number(row?.["workflow_id"]) },
    commits: 0,
    ids: 0,
  };
}

/** @throws Error when the store's statements have changed; then this file must follow, or the comparison is void */
function prepareStatements(db: DatabaseSync): Bare["statements"] {
  const queries = new Map(parseQueries(readFileSync(QUERIES, "utf8")).map((query) => [query.name, query]));
  const prepared = Object.entries(BINDS).map(([name, binds]) => {
    const query = queries.get(name);
    if (query?.binds.join(", ") !== binds) {
      throw new Error(`queries.sql: ${name} has changed; let bench/workloads/bare.ts follow`);
    }
    return [name, db.prepare(query.sql)];
  });
  return Object.fromEntries(prepared) as Bare["statements"];
}

async function batches(bare: Bare, concurrency: number, limit: Limit): Promise<readonly number[]> {
  const latencies: number[] = [];
  while (performance.now() < limit.untilMs && latencies.length < limit.runsMax) {
    const startedMs = performance.now();
    const size = Math.min(concurrency, limit.runsMax - latencies.length);
    const rowIds = await inOneCommit(bare, Array.from({ length: size }), (_, nowMs) => insertRun(bare, nowMs));
    for (const [index, key] of STEPS.entries()) {
      await inOneCommit(bare, rowIds, (rowId, nowMs) => saveCheckpoint(bare, { rowId, nowMs, key, seq: index + 2 }));
    }
    await inOneCommit(bare, rowIds, (rowId, nowMs) => completeRun(bare, rowId, nowMs));
    const latencyMs = performance.now() - startedMs;
    for (let run = 0; run < size; run += 1) latencies.push(latencyMs);
  }
  return latencies;
}

async function inOneCommit<T, R>(bare: Bare, items: readonly T[], write: (item: T, nowMs: number) => R): Promise<R[]> {
  await turn();
  const nowMs = Date.now();
  bare.begin.run();
  const results = items.map((item) => write(item, nowMs));
  bare.commit.run();
  bare.commits += 1;
  return results;
}

/** @returns the row id */
function insertRun(bare: Bare, nowMs: number): number {
  const { changes, lastInsertRowid } = bare.statements.insertRun.run(
    bare.version.workflowId,
    bare.version.id,
    freshId(bare, nowMs),
    "running",
    WORKER_ID,
    FENCE,
    null,
    TEXT.input,
    null,
    ACTOR,
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
    TEXT.value,
    step.rowId,
    WORKER_ID,
    FENCE,
  );
  expectOne(changes);
}

function completeRun(bare: Bare, rowId: number, nowMs: number): void {
  const seq = STEPS.length + 2;
  const { changes } = bare.statements.completeRun.run(TEXT.output, seq, nowMs, rowId, WORKER_ID, FENCE);
  expectOne(changes);
}

/** As long as the engine's own default. */
const ACTOR = `process:${hostname()}:${process.pid}`;

/** 36 characters that increase in time, like the engine's ids. */
function freshId(bare: Bare, nowMs: number): string {
  const time = nowMs.toString(16).padStart(12, "0");
  const count = (bare.ids += 1).toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${count}`;
}

function expectOne(changes: number | bigint): void {
  if (changes !== 1) throw new Error(`a guarded statement changed ${changes} rows`);
}
