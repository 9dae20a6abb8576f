/**
 * Bare loop on PostgreSQL: each commit is one prepared statement of many rows, sent on one connection and acknowledged
 * when the server has flushed it.
 *
 * The tables have the columns that tell something of a run and a step, with the engine's names and values, and the keys
 * by which both are found. They have nothing that the engine's features ask for: no claims and fences, no due times, no
 * index for any of them. On SQLite the bare loop uses the store's own statements, which are plain; here they check the
 * owner of every row, and what that costs is to be seen.
 */
import { Client } from "pg";
import type { BareStore, BareText } from "./bare-store.ts";

const TABLES = `
  CREATE TABLE runs (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state          text   NOT NULL,
    public_id      text COLLATE "C" NOT NULL UNIQUE,
    history_seq    bigint NOT NULL DEFAULT 1,
    created_at_ms  bigint NOT NULL,
    ended_at_ms    bigint,
    seed           bigint NOT NULL,
    actor          text   NOT NULL,
    output         text,
    input          text   NOT NULL
  ) WITH (fillfactor = 80);
  CREATE TABLE steps (
    run_id       bigint NOT NULL,
    seq          bigint NOT NULL,
    at_ms        bigint NOT NULL,
    duration_ms  bigint NOT NULL,
    kind         text   NOT NULL,
    outcome      text   NOT NULL,
    key          text COLLATE "C" NOT NULL,
    value        text   NOT NULL,
    PRIMARY KEY (run_id, key)
  )`;

/** The tables are empty when the statements are planned; a plan that reads all of them would stay. */
const PLANS_FOR_LARGE_TABLES = "SET enable_seqscan = off";

const NOW_MS = "floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint";

/** Identities are given in the order of the rows. */
const INSERT_RUNS = `
  INSERT INTO runs (state, public_id, created_at_ms, seed, actor, input)
  SELECT 'running', public_id, ${NOW_MS}, seed, actor, input
  FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[]) AS given (public_id, seed, actor, input)
  RETURNING id`;

const SAVE_STEPS = `
  INSERT INTO steps (run_id, seq, at_ms, duration_ms, kind, outcome, key, value)
  SELECT run_id, seq, ${NOW_MS}, duration_ms, 'step', 'completed', key, value
  FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[])
    AS given (run_id, seq, duration_ms, key, value)`;

const COMPLETE_RUNS = `
  UPDATE runs SET state = 'completed', history_seq = given.seq, ended_at_ms = ${NOW_MS}, output = given.output
  FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS given (id, seq, output)
  WHERE runs.id = given.id`;

/** Make the tables, beside which there is nothing in the database. */
export async function openBarePostgres(url: string, text: BareText): Promise<BareStore> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(TABLES);
  await client.query(PLANS_FOR_LARGE_TABLES);
  const emptyBytes = await readBytes(client);
  return {
    insertRuns: async (ids) => {
      const columns = [ids, ids.map(freshSeed), ids.map(() => text.actor), ids.map(() => text.input)];
      const { rows } = await client.query(statement("insert", INSERT_RUNS, columns));
      return expectAll(ids, rows as readonly { id: string }[]).map(({ id }) => Number(id));
    },
    saveSteps: async (rowIds, { key, seq }) => {
      const moments = [rowIds.map(() => seq), rowIds.map(() => 0)];
      const columns = [rowIds, ...moments, rowIds.map(() => key), rowIds.map(() => text.value)];
      const { rowCount } = await client.query(statement("save", SAVE_STEPS, columns));
      expectAll(rowIds, { length: rowCount ?? 0 });
    },
    completeRuns: async (rowIds, seq) => {
      const columns = [rowIds, rowIds.map(() => seq), rowIds.map(() => text.output)];
      const { rowCount } = await client.query(statement("complete", COMPLETE_RUNS, columns));
      expectAll(rowIds, { length: rowCount ?? 0 });
    },
    close: async () => {
      const [bytes, runs, steps] = [await readBytes(client), await count(client, "runs"), await count(client, "steps")];
      await client.end();
      return { bytesPerRun: (bytes - emptyBytes) / runs, rowsPerRun: (runs + steps) / runs };
    },
  };
}

type Column = readonly (string | number)[];

/** Columns are put into words here: the driver's own way takes longer than the statement. */
function statement(
  name: string,
  text: string,
  columns: readonly Column[],
): { name: string; text: string; values: string[] } {
  return { name, text, values: columns.map((column) => `{${column.map(toElement).join(",")}}`) };
}

function toElement(value: string | number): string {
  return typeof value === "number" ? String(value) : `"${value.replace(/["\\]/g, "\\$&")}"`;
}

function freshSeed(): number {
  return Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);
}

function expectAll<Rows extends { readonly length: number }>(wanted: { readonly length: number }, found: Rows): Rows {
  if (found.length !== wanted.length) throw new Error(`a statement of ${wanted.length} rows changed ${found.length}`);
  return found;
}

async function readBytes(client: Client): Promise<number> {
  const text = "SELECT pg_total_relation_size('runs') + pg_total_relation_size('steps') AS bytes";
  return Number((await client.query<{ bytes: string }>(text)).rows[0]?.bytes);
}

async function count(client: Client, table: string): Promise<number> {
  return Number((await client.query<{ count: string }>(`SELECT count(*) FROM ${table}`)).rows[0]?.count);
}
