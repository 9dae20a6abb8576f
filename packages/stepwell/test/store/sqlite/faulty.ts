/** A SQLite connection that fails when told, and remembers what was asked of it. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { connectFile } from "../../../src/store/sqlite/connection.ts";

/** One failure to come: the first statement whose SQL contains `at`. */
export type Fault = {
  readonly at: string;
  readonly error: Error;
  /** Whether the statement takes effect all the same, as a commit may whose answer is lost. */
  readonly applied?: boolean;
  /** Only on this connection, 1 being the first; on any unless told. */
  readonly of?: number;
  /** Whether the transaction is lost with it, as SQLite does for a full disk. */
  readonly rollsBack?: boolean;
};

/** An error as node:sqlite throws it. Extended result codes: sqlite.org/rescode.html. */
export function sqliteError(errcode: number, message: string): Error {
  return Object.assign(new RangeError(message), { code: "ERR_SQLITE_ERROR", errcode, errstr: message });
}

/** Codes used by the tests. */
export const IOERR_FSYNC = sqliteError(1_034, "disk I/O error");
export const BUSY = sqliteError(5, "database is locked");
export const FULL = sqliteError(13, "database or disk is full");
export const CORRUPT = sqliteError(11, "database disk image is malformed");

/** A `connect` for openSqliteStore, and the levers of all connections it has opened. */
export function openFaulty() {
  const faults: Fault[] = [];
  const executed: string[] = [];
  const opened: DatabaseSync[] = [];
  const strike = (db: DatabaseSync, sql: string, really: () => unknown): unknown => {
    executed.push(sql);
    const number = opened.indexOf(db) + 1;
    const at = faults.findIndex((fault) => sql.includes(fault.at) && (fault.of ?? number) === number);
    if (at === -1) return really();
    const [fault] = faults.splice(at, 1);
    if (fault!.applied === true) really();
    if (fault!.rollsBack === true) db.exec("ROLLBACK");
    throw fault!.error;
  };
  const connect = (path: string): DatabaseSync => {
    const failure = faults.findIndex((fault) => fault.at === "open");
    if (failure !== -1) throw faults.splice(failure, 1)[0]!.error;
    const db = connectFile(path);
    opened.push(db);
    return wrap(db, { prepare: (sql: string) => wrapStatement(db, db.prepare(sql), sql, strike) });
  };
  return { connect, fail: (fault: Fault) => void faults.push(fault), faults, executed, opened };
}

type Strike = (db: DatabaseSync, sql: string, really: () => unknown) => unknown;

function wrapStatement(db: DatabaseSync, statement: StatementSync, sql: string, strike: Strike): StatementSync {
  return wrap(statement, {
    run: (...binds: never[]) => strike(db, sql, () => statement.run(...binds)),
    get: (...binds: never[]) => strike(db, sql, () => statement.get(...binds)),
    all: (...binds: never[]) => strike(db, sql, () => statement.all(...binds)),
  });
}

/** Native objects insist on being called as themselves. */
function wrap<T extends object>(native: T, replaced: Readonly<Record<string, unknown>>): T {
  return new Proxy(native, {
    get: (target, name) => {
      if (typeof name === "string" && name in replaced) return replaced[name];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
