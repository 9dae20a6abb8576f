/**
 * Database: what a workload writes, from outside the engine.
 */
import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { Client } from "pg";
import { openEngine, type Workflow } from "stepwell";

/** What a database holds. */
export type Contents = {
  readonly bytes: number;
  readonly runs: number;
  /** Of all tables that hold runs and what belongs to them. */
  readonly rows: number;
};

/** The tables of a run beside `runs`. */
const BELONGINGS = ["steps", "attempts", "inbox", "notes"];

/** Create the library's schema and the workflow's version, and nothing else. */
export async function createDatabase<Raw, Output>(url: string, workflow: Workflow<Raw, Output>): Promise<Contents> {
  const engine = await openEngine({ store: url, workflows: [workflow], work: false });
  await engine.close();
  return readContents(url);
}

/** Look into it. Nobody else may have it open. */
export async function readContents(url: string): Promise<Contents> {
  const path = pathOf(url);
  return path === null ? readServer(url) : readFile(path);
}

/** The file of a SQLite store; null for a server. */
export function pathOf(url: string): string | null {
  return url.startsWith("sqlite:") ? url.slice("sqlite:".length) : null;
}

/** What each run has left, in a database that had `emptyBytes` without any. */
export async function perRun(
  url: string,
  emptyBytes: number,
): Promise<{ readonly bytesPerRun: number; readonly rowsPerRun: number }> {
  const { bytes, runs, rows } = await readContents(url);
  return { bytesPerRun: (bytes - emptyBytes) / runs, rowsPerRun: rows / runs };
}

/** One connection, in the library's schema. */
export async function withClient<T>(url: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, options: "-c search_path=stepwell" });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

function readFile(path: string): Contents {
  const db = new DatabaseSync(path);
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const count = (table: string): number => Number(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"]);
  const runs = count("runs");
  const rows = BELONGINGS.reduce((sum, table) => sum + count(table), runs);
  db.close();
  return { bytes: statSync(path).size, runs, rows };
}

/** Bytes of the library's tables and their indexes; nothing that the server keeps for itself. */
function readServer(url: string): Promise<Contents> {
  return withClient(url, async (client) => {
    const one = async (text: string): Promise<number> =>
      Number((await client.query<unknown[]>({ text, rowMode: "array" })).rows[0]?.[0]);
    const runs = await one("SELECT count(*) FROM runs");
    const counts = BELONGINGS.map((table) => `(SELECT count(*) FROM ${table})`);
    const rows = runs + (await one(`SELECT ${counts.join(" + ")}`));
    const bytes = await one(
      "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relnamespace = 'stepwell'::regnamespace AND relkind = 'r'",
    );
    return { bytes, runs, rows };
  });
}
