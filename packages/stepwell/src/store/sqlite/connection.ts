/**
 * Connection: one open database with its prepared statements, and the session that
 * replaces it when a commit has left it in doubt.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { StepwellError } from "../../model/errors.ts";
import type { VersionRow } from "../rows.ts";
import { primaryCode, SQLITE } from "./faults.ts";
import { migrate } from "./migrate.ts";
import { RUN_QUERIES } from "./run-row.ts";
import { MIGRATIONS, QUERIES } from "./sql.generated.ts";

/** Every query of queries.sql, prepared. What to bind is said in sql.generated.ts. */
export type Statements = { readonly [Name in keyof typeof QUERIES]: StatementSync };

/** An open database of the newest schema. */
export type Connection = { readonly db: DatabaseSync; readonly sql: Statements };

/** A claim whose commit is in doubt; `suspect`: of a run on probation, which a claim of others must not bring. */
export type DoubtfulClaim = {
  readonly rowId: number;
  readonly workerId: number;
  readonly fence: number;
  readonly suspect: boolean;
};

/** What lives as long as the store. */
export type Session = {
  readonly path: string;
  readonly clock: (() => number) | null;
  readonly connect: (path: string) => DatabaseSync;
  /** Null after a commit in doubt, until the next call. */
  connection: Connection | null;
  closed: boolean;
  /** From a commit in doubt until the next flush succeeds: a batch submitted again may be stored already. */
  inDoubt: boolean;
  /** Perhaps ours; the next claim looks. */
  doubtfulClaims: readonly DoubtfulClaim[];
  /** Committed versions; they never change. */
  readonly versions: Map<number, VersionRow>;
};

/** Older ones can corrupt a database when two processes checkpoint at once (sqlite.org/wal.html#walresetbug). */
export const SQLITE_VERSION_MIN = "3.51.3";

/** Below this size the whole file is checked at open (2 ms per MiB), above it the edges of its tables. */
const CHECK_PAGES_MAX = 1_024;

/**
 * Open with the driver's settings that this store relies on. Its own wait for locks is off, see turn.ts. Foreign keys cost 0.2 us per inserted run (of 18 per run
 * of five steps, measured), and keep runs from pointing to versions of another file.
 */
export function connectFile(path: string): DatabaseSync {
  return new DatabaseSync(path, { timeout: 0, enableForeignKeyConstraints: true });
}

/** The session's connection, opened again where it was dropped; ENGINE_CLOSED after close. */
export function connected(session: Session): Connection {
  if (session.connection !== null) return session.connection;
  if (session.closed) throw new StepwellError("ENGINE_CLOSED", `"${session.path}" has been closed`);
  return (session.connection = openConnection(session));
}

/** Forget a connection that cannot be trusted. A database in memory has no other, and no disk to be in doubt about. */
export function dropConnection(session: Session): void {
  if (session.path === ":memory:") return;
  const { connection } = session;
  session.connection = null;
  if (connection !== null) closeQuietly(connection.db);
}

/** Fold the log into the file, as far as readers allow, and close. */
export function closeSession(session: Session): void {
  session.closed = true;
  const { connection } = session;
  session.connection = null;
  if (connection === null) return;
  try {
    connection.db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch {
    // The log stays beside the file, and the next open reads it.
  }
  closeQuietly(connection.db);
}

/** Throws STORE_UNSUPPORTED for a SQLite that is too old to be trusted with several processes. */
export function checkSqliteVersion(version: string): void {
  const [found, least] = [version, SQLITE_VERSION_MIN].map((text) => text.split(".").map(Number));
  const at = least!.findIndex((part, index) => (found![index] ?? 0) !== part);
  if (at === -1 || (found![at] ?? 0) > least![at]!) return;
  const what = `this Node.js carries SQLite ${version}, and ${SQLITE_VERSION_MIN} is needed; use a newer release of Node.js`;
  throw new StepwellError("STORE_UNSUPPORTED", what, { details: { version, needed: SQLITE_VERSION_MIN } });
}

function openConnection(session: Session): Connection {
  const db = session.connect(session.path);
  try {
    checkSqliteVersion(String(db.prepare("SELECT sqlite_version() AS version").get()?.["version"]));
    configure(db, session.path);
    migrate(db, session.path, MIGRATIONS);
    probeWritable(db);
    checkIntegrity(db, session.path);
    const sql = prepareAll(db);
    sql.probe.get();
    db.exec("PRAGMA busy_timeout = 0");
    return { db, sql };
  } catch (error) {
    closeQuietly(db);
    throw error;
  }
}

/** WAL: readers do not block the writer, and a commit is one fsync. FULL: that fsync happens (P1). */
function configure(db: DatabaseSync, path: string): void {
  const mode = db.prepare("PRAGMA journal_mode = WAL").get()?.["journal_mode"];
  if (mode !== "wal" && path !== ":memory:") {
    const what = `"${path}" cannot use a write-ahead log (got "${String(mode)}"); keep it on a local disk`;
    throw new StepwellError("STORE_FAILED", what, { details: { path } });
  }
  db.exec("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000");
}

/** SQLite opens, and even begins, what it may not write without a word. Busy is proof of a writer, and no obstacle. */
function probeWritable(db: DatabaseSync): void {
  try {
    db.exec(`BEGIN IMMEDIATE; PRAGMA user_version = ${MIGRATIONS.length}; ROLLBACK`);
  } catch (error) {
    if (primaryCode(error) !== SQLITE.busy) throw error;
  }
}

function checkIntegrity(db: DatabaseSync, path: string): void {
  const pages = Number(db.prepare("PRAGMA page_count").get()?.["page_count"]);
  if (pages > CHECK_PAGES_MAX) return;
  const found = db.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
  if (found === "ok") return;
  throw new StepwellError("STORE_CORRUPT", `"${path}" is damaged: ${String(found)}`, { details: { path } });
}

function prepareAll(db: DatabaseSync): Statements {
  const entries = Object.entries(QUERIES).map(([name, sql]) => [name, db.prepare(sql)] as const);
  const statements = Object.fromEntries(entries) as Statements;
  for (const name of RUN_QUERIES) statements[name].setReturnArrays(true);
  return statements;
}

function closeQuietly(db: DatabaseSync): void {
  try {
    db.close();
  } catch {
    // Closed already, or its disk is gone; either way nothing is left to lose here.
  }
}
