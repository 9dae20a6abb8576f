/**
 * Migrate: bring a database file to the schema that this version knows, and back.
 *
 * Each migration is one transaction together with its number, so that a crash in
 * the middle of one leaves the version before it, and the next open goes on (F7).
 * Migrations are never edited; the number stands in the file as `user_version`.
 */
import type { DatabaseSync } from "node:sqlite";
import { StepwellError } from "../../model/errors.ts";
import { type Migration, wayDown } from "../migration.ts";
import { MIGRATIONS } from "./sql.generated.ts";

/**
 * Apply what is missing. Several processes may do so at once: each looks again under the write lock.
 *
 * @throws STORE_NEWER when the file has a version that `migrations` do not reach; nothing is changed
 * @throws STORE_FOREIGN when the file is another program's
 */
export function migrate(db: DatabaseSync, path: string, migrations: readonly Migration[] = MIGRATIONS): void {
  for (const migration of migrations.slice(findVersion(db, path, migrations.length))) {
    inTransaction(db, () => {
      if (readVersion(db) >= migration.number) return;
      if (migration.number === 1 && hasRuns(db)) throw foreign(path, 'it has a table "runs" of its own');
      db.exec(migration.sql);
      db.exec(`PRAGMA user_version = ${migration.number}`);
    });
  }
}

/**
 * Undo the newest migrations until `to` is the newest.
 *
 * @throws STORE_BUSY while workers are alive at `nowMs`: they would go on as before
 */
export function migrateDown(
  db: DatabaseSync,
  path: string,
  { to, nowMs }: { readonly to: number; readonly nowMs: number },
  migrations: readonly Migration[] = MIGRATIONS,
): void {
  const from = findVersion(db, path, migrations.length);
  for (const { number, down } of wayDown(migrations, { from, to })) {
    inTransaction(db, () => {
      if (readVersion(db) !== number) return;
      checkNobodyWorks(db, path, nowMs);
      db.exec(down);
      db.exec(`PRAGMA user_version = ${number - 1}`);
    });
  }
}

function inTransaction(db: DatabaseSync, work: () => void): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    work();
    db.exec("COMMIT");
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

/** Of a file that is ours and that this version knows. */
function findVersion(db: DatabaseSync, path: string, newest: number): number {
  const found = readVersion(db);
  if (found > newest) throw newer(path, found, newest);
  if (found > 0 && !hasRuns(db)) throw foreign(path, `its user_version is ${found}, but it has no table "runs"`);
  return found;
}

function checkNobodyWorks(db: DatabaseSync, path: string, nowMs: number): void {
  const alive = "SELECT count(*) AS workers FROM workers WHERE state = 'alive' AND lease_until_ms > ?";
  const workers = Number(db.prepare(alive).get(nowMs)?.["workers"]);
  if (workers > 0) throw new StepwellError("STORE_BUSY", `"${path}": ${workers} workers are alive; stop them first`);
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
  return new StepwellError("STORE_FOREIGN", `"${path}" belongs to another program: ${why}`, { details: { path } });
}
