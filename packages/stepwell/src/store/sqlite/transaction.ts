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

function rollback(session: Session, connection: Connection): void {
  // SQLite may have rolled back by itself (FULL, IOERR, CORRUPT).
  if (!connection.db.isTransaction) return;
  try {
    connection.sql.rollback.run();
  } catch {
    dropConnection(session);
  }
}

/**
 * Busy: nothing was written. Full: the frame that makes a commit valid is written last, so it is not whole.
 * A database in memory has no log. In all other cases only a fresh look can tell.
 */
function commit(session: Session, connection: Connection): void {
  try {
    connection.sql.commit.run();
  } catch (error) {
    const code = primaryCode(error);
    const definite = code === SQLITE.busy || code === SQLITE.full || session.path === ":memory:";
    rollback(session, connection);
    if (definite) throw error;
    dropConnection(session);
    throw unknownOutcome(error, session.path);
  }
}
