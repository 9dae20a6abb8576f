/**
 * Migrate: bring a database file to the schema that this version knows.
 *
 * Each migration is one transaction together with its number, so that a crash in
 * the middle of one leaves the version before it, and the next open goes on (F7).
 * Migrations are never edited; the number stands in the file as `user_version`.
 */
import type { DatabaseSync } from "node:sqlite";
import { StepwellError } from "../../model/errors.ts";
import { MIGRATIONS } from "./sql.generated.ts";

/** One numbered step of the schema; numbers run 1, 2, 3, … */
export type Migration = { readonly number: number; readonly name: string; readonly sql: string };

/**
 * Apply what is missing. Several processes may do so at once: each looks again under the write lock.
 *
 * @throws STORE_NEWER when the file has a version that `migrations` do not reach; nothing is changed
 * @throws STORE_FAILED when the file is another program's
 */
export function migrate(db: DatabaseSync, path: string, migrations: readonly Migration[] = MIGRATIONS): void {
  const newest = migrations.length;
  const found = readVersion(db);
  if (found > newest) throw newer(path, found, newest);
  if (found > 0 && !hasRuns(db)) throw foreign(path, `its user_version is ${found}, but it has no table "runs"`);
  for (const migration of migrations.slice(found)) applyMigration(db, path, migration);
}

function applyMigration(db: DatabaseSync, path: string, migration: Migration): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    if (readVersion(db) < migration.number) {
      if (migration.number === 1 && hasRuns(db)) throw foreign(path, 'it has a table "runs" of its own');
      db.exec(migration.sql);
      db.exec(`PRAGMA user_version = ${migration.number}`);
    }
    db.exec("COMMIT");
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

function readVersion(db: DatabaseSync): number {
  return Number(db.prepare("PRAGMA user_version").get()?.["user_version"]);
}

function hasRuns(db: DatabaseSync): boolean {
  return db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'runs'").get() !== undefined;
}

function newer(path: string, found: number, newest: number): StepwellError {
  const what = `"${path}" has schema ${found}, this version of Stepwell knows schemas up to ${newest}`;
  return new StepwellError("STORE_NEWER", what, { details: { path, found, newest } });
}

function foreign(path: string, why: string): StepwellError {
  const what = `"${path}" belongs to another program: ${why}; give Stepwell a file of its own`;
  return new StepwellError("STORE_FAILED", what, { details: { path } });
}
