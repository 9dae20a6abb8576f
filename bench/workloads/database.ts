/**
 * Database: the file that a workload writes, from outside the engine.
 */
import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { openEngine, type Workflow } from "stepwell";

/** What a file holds. */
export type Contents = {
  readonly bytes: number;
  readonly runs: number;
  /** Of all tables that hold runs and what belongs to them. */
  readonly rows: number;
};

/** Create the file with the library's schema and the workflow's version, and nothing else. */
export async function createDatabase<Raw, Output>(path: string, workflow: Workflow<Raw, Output>): Promise<Contents> {
  const engine = await openEngine({ store: `sqlite:${path}`, workflows: [workflow], work: false });
  await engine.close();
  return readContents(path);
}

/** Checkpoint the file and look into it. Nobody else may have it open. */
export function readContents(path: string): Contents {
  const db = new DatabaseSync(path);
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const count = (table: string): number => Number(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"]);
  const runs = count("runs");
  const rows = ["steps", "attempts", "inbox", "notes"].reduce((sum, table) => sum + count(table), runs);
  db.close();
  return { bytes: statSync(path).size, runs, rows };
}
