/**
 * Fill: rows that are there before anything is measured, written by SQL in the library's own schema. The database has the
 * workflow's version, and nobody else has it open.
 */
import type { Client } from "pg";
import { DatabaseSync } from "node:sqlite";
import { pathOf, withClient } from "./database.ts";

/** Steps of each run that is there already. */
const OLD_STEPS = 5;

/** Runs per transaction. */
const CHUNK_RUNS = 50_000;

/** Completed runs of {@link OLD_STEPS} checkpoints each, `rows` in all, of that value. */
export async function fillSteps(url: string, rows: number, value: string): Promise<void> {
  const runs = Math.ceil(rows / OLD_STEPS);
  const path = pathOf(url);
  if (path !== null) return fillFile(path, runs, value);
  await withClient(url, async (client) => {
    await inChunks(client, runs, async (first, last) => {
      await client.query(OLD_RUNS, [first, last, OLD_STEPS + 2]);
      await client.query(OLD_CHECKPOINTS, [first, last, OLD_STEPS, value]);
    });
  });
}

/** Runs that are due, the oldest first, on PostgreSQL. */
export async function fillDue(url: string, runs: number, input: string): Promise<void> {
  await withClient(url, (client) =>
    inChunks(client, runs, async (first, last) => {
      await client.query(DUE_RUNS, [first, last, input, runs]);
    }),
  );
}

const OLD_RUNS = `
  INSERT INTO runs (state, workflow_id, version_id, public_id, history_seq, created_at_ms, ended_at_ms, seed, actor,
                    output, input)
  SELECT 'completed', versions.workflow_id, versions.id, '01990000-0000-7000-8000-' || lpad(n::text, 12, '0'), $3,
         0, 0, n, 'process:old:1', '{"ok":true}', '5'
  FROM versions, generate_series($1::bigint, $2::bigint) AS n`;

/** Identities are given in the order of the rows, from 1 on. */
const OLD_CHECKPOINTS = `
  INSERT INTO steps (run_id, key, generation, seq, kind, outcome, attempt, compensable, at_ms, duration_ms, value)
  SELECT n, 'page/' || p, 1, p + 2, 'step', 'completed', 1, false, 0, 0, $4
  FROM generate_series($1::bigint, $2::bigint) AS n, generate_series(0, $3::bigint - 1) AS p`;

const DUE_RUNS = `
  INSERT INTO runs (state, due_at_ms, workflow_id, version_id, public_id, created_at_ms, seed, actor, input)
  SELECT 'pending', now_ms - $4 + n, versions.workflow_id, versions.id,
         '01990000-0000-7000-8000-' || lpad(n::text, 12, '0'), now_ms - $4 + n, n, 'process:starter:1', $3
  FROM versions, generate_series($1::bigint, $2::bigint) AS n,
       floor(extract(epoch FROM now()) * 1000) AS now_ms`;

/** As a database is that has been in use for long: looked at, swept, and its log on disk. */
async function inChunks(
  client: Client,
  runs: number,
  fill: (first: number, last: number) => Promise<void>,
): Promise<void> {
  await client.query("SET synchronous_commit = off");
  for (let first = 1; first <= runs; first += CHUNK_RUNS) {
    await fill(first, Math.min(first + CHUNK_RUNS - 1, runs));
  }
  await client.query("VACUUM ANALYZE runs, steps");
  await client.query("CHECKPOINT");
}

/** Without a log: nobody else has the file yet. */
function fillFile(path: string, last: number, value: string): void {
  const db = new DatabaseSync(path);
  db.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -100000");
  const version = db.prepare("SELECT id, workflow_id FROM versions").get();
  const insertRuns = db.prepare(`
    INSERT INTO runs (id, state, workflow_id, version_id, public_id, history_seq, created_at_ms, ended_at_ms, seed, actor,
                      output, input)
    WITH RECURSIVE numbers (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2)
    SELECT n, 'completed', ?3, ?4, printf('01990000-0000-7000-8000-%012d', n), ?5, 0, 0, n, 'process:old:1', '{"ok":true}', '5'
    FROM numbers`);
  const insertSteps = db.prepare(`
    INSERT INTO steps (run_id, key, generation, seq, kind, outcome, attempt, compensable, at_ms, duration_ms, value)
    WITH RECURSIVE
      runs (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM runs WHERE n < ?2),
      pages (p) AS (SELECT 0 UNION ALL SELECT p + 1 FROM pages WHERE p < ?3 - 1)
    SELECT n, 'page/' || p, 1, p + 2, 'step', 'completed', 1, 0, 0, 0, ?4 FROM runs CROSS JOIN pages`);
  for (let first = 1; first <= last; first += CHUNK_RUNS) {
    const end = Math.min(first + CHUNK_RUNS - 1, last);
    db.exec("BEGIN");
    insertRuns.run(first, end, Number(version?.["workflow_id"]), Number(version?.["id"]), OLD_STEPS + 2);
    insertSteps.run(first, end, OLD_STEPS, value);
    db.exec("COMMIT");
  }
  db.close();
}
