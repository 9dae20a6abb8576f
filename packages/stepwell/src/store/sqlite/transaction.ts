/**
 * Transaction: begin, work, commit; and what is known when one of them fails.
 *
 * BEGIN IMMEDIATE takes the write lock at once, so a busy database is noticed
 * before anything is written. A commit that fails for any reason but a lock or a
 * full disk leaves the outcome unknown: the frames may be in the log. Such a
 * connection is dropped, and an fsync is never tried again on it (F5). So is one
 * on which the storage failed earlier, though the outcome is known then.
 */
import { isConnectionFault, primaryCode, SQLITE, unknownOutcome } from "./faults.ts";
import { type Connection, connected, dropConnection, type Session } from "./connection.ts";

/**
 * Run `work` in one write transaction. What it throws is rolled back and thrown on, as SQLite's own error.
 *
 * @throws STORE_OUTCOME_UNKNOWN when the commit may have taken place
 */
export function transact<T>(session: Session, work: (connection: Connection) => T): T {
  const connection = connected(session);
  let result: T;
  try {
    connection.sql.begin.run();
    result = work(connection);
  } catch (error) {
    rollback(session, connection);
    if (isConnectionFault(error)) dropConnection(session);
    throw error;
  }
  commit(session, connection);
  return result;
}

/** Begin a write transaction, which somebody else then ends. Where that fails, there is none. */
export function begin(session: Session): Connection {
  const connection = connected(session);
  try {
    connection.sql.begin.run();
    return connection;
  } catch (error) {
    rollback(session, connection);
    if (isConnectionFault(error)) dropConnection(session);
    throw error;
  }
}

/** Run `work` on one unchanging state of the database. */
export function readSnapshot<T>(session: Session, work: (connection: Connection) => T): T {
  const connection = connected(session);
  connection.sql.beginRead.run();
  try {
    return work(connection);
  } finally {
    rollback(session, connection);
  }
}

/** Take everything back, if there still is a transaction. */
export function rollback(session: Session, connection: Pick<Connection, "db" | "sql">): void {
  // SQLite may have rolled back by itself (FULL, IOERR, CORRUPT).
  if (!connection.db.isOpen || !connection.db.isTransaction) return;
  try {
    connection.sql.rollback.run();
  } catch {
    dropConnection(session);
  }
}

/**
 * Busy: nothing was written. Full: the frame that makes a commit valid is written last, so it is not whole. Constraint:
 * one that is looked at last does not hold, and nothing was written yet. A database in memory has no log. In all other
 * cases only a fresh look can tell.
 *
 * @throws STORE_OUTCOME_UNKNOWN, or SQLite's own error when it is known that nothing was committed
 */
export function commit(session: Session, connection: Pick<Connection, "db" | "sql">): void {
  try {
    connection.sql.commit.run();
  } catch (error) {
    const code = primaryCode(error);
    const definite = DEFINITE_CODES.has(code ?? -1) || session.path === ":memory:";
    rollback(session, connection);
    if (definite) throw error;
    dropConnection(session);
    throw unknownOutcome(error, session.path);
  }
}

const DEFINITE_CODES: ReadonlySet<number> = new Set([SQLITE.busy, SQLITE.full, SQLITE.constraint]);
