/** Title: which runtime this is, with the SQLite in it: "Bun 1.4.5 (SQLite 3.54.1)". */
import { DatabaseSync } from "node:sqlite";

/** See the header. */
export function runtimeTitle(): string {
  const { bun, node } = process.versions;
  const database = new DatabaseSync(":memory:");
  const row = database.prepare("SELECT sqlite_version() AS version").get();
  database.close();
  return `${bun === undefined ? `Node ${node}` : `Bun ${bun}`} (SQLite ${String(row?.["version"])})`;
}
