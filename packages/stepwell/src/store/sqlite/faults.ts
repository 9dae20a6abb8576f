/**
 * Faults: what SQLite and its driver throw, in the engine's words.
 *
 * Result codes: sqlite.org/rescode.html. The driver gives the extended code as
 * `errcode`; its low byte is the primary one. "Database is locked" never reaches
 * a user: it stays in `cause`.
 */
import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";
import { type ErrorCode, StepwellError } from "../../model/errors.ts";

/** Primary result codes that are told apart here. */
export const SQLITE = {
  busy: 5,
  locked: 6,
  readonly: 8,
  ioerr: 10,
  corrupt: 11,
  full: 13,
  cantopen: 14,
  protocol: 15,
  toobig: 18,
  constraint: 19,
  mismatch: 20,
  range: 25,
  notadb: 26,
} as const;

const CODES: ReadonlyMap<number, readonly [ErrorCode, string]> = new Map<number, readonly [ErrorCode, string]>([
  [SQLITE.busy, ["STORE_BUSY", "another process is writing to it"]],
  [SQLITE.locked, ["STORE_BUSY", "another connection is writing to it"]],
  [SQLITE.readonly, ["STORE_READ_ONLY", "it cannot be written"]],
  [SQLITE.corrupt, ["STORE_CORRUPT", "it is damaged"]],
  [SQLITE.notadb, ["STORE_CORRUPT", "it is not a SQLite database"]],
  [SQLITE.full, ["STORE_FULL", "there is no space left for it"]],
]);

const ROW_CODES: ReadonlySet<number> = new Set([SQLITE.toobig, SQLITE.constraint, SQLITE.mismatch, SQLITE.range]);

/** SQLite's primary result code; null when the error is not SQLite's, for example a value that cannot be bound. */
export function primaryCode(error: unknown): number | null {
  const code = error instanceof Error && "errcode" in error ? error.errcode : null;
  return typeof code === "number" ? code & 0xff : null;
}

const CONNECTION_CODES: ReadonlySet<number> = new Set([
  SQLITE.ioerr,
  SQLITE.corrupt,
  SQLITE.cantopen,
  SQLITE.protocol,
  SQLITE.notadb,
]);

/**
 * Whether the connection may be what is broken. A lock that the system did not take back, for one, is remembered by the
 * connection as held, and everything on it then fails with "locking protocol", for ever.
 */
export function isConnectionFault(error: unknown): boolean {
  return CONNECTION_CODES.has(primaryCode(error) ?? -1);
}

/** Whether one row alone was impossible, so that the rest of its batch can be stored without it (S6). */
export function isRowFault(error: unknown): boolean {
  const code = primaryCode(error);
  if (code !== null) return ROW_CODES.has(code);
  return error instanceof StepwellError ? error.code === "STORE_WRITE_REFUSED" : !isDriverState(error);
}

/** A closed database, a finalised statement. */
function isDriverState(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_INVALID_STATE";
}

/** The coded error for anything thrown while working on the database at `path`; a StepwellError stays as it is. */
export function toStoreError(error: unknown, path: string): StepwellError {
  if (error instanceof StepwellError) return error;
  const code = primaryCode(error);
  if (code === SQLITE.cantopen) return toOpenError(error, path);
  const [coded, why] = CODES.get(code ?? -1) ?? ["STORE_FAILED", messageOf(error)];
  return new StepwellError(coded, `"${path}": ${why}`, { cause: error, details: { path, sqliteCode: code } });
}

/** A commit of which nobody can say yet whether it took place (P1). */
export function unknownOutcome(error: unknown, path: string): StepwellError {
  const what = `"${path}": a commit failed with "${messageOf(error)}"`;
  return new StepwellError("STORE_OUTCOME_UNKNOWN", what, { cause: error, details: { path } });
}

/** SQLite says only "unable to open database file"; the file system knows why. */
function toOpenError(error: unknown, path: string): StepwellError {
  const [code, why] = whyNotOpened(path);
  return new StepwellError(code, `"${path}" cannot be opened: ${why}`, { cause: error, details: { path } });
}

function whyNotOpened(path: string): readonly [ErrorCode, string] {
  const folder = dirname(path);
  if (isDirectory(path)) return ["STORE_FAILED", "it is a folder; name a file in it"];
  if (!isDirectory(folder)) return ["STORE_FAILED", `there is no folder "${folder}"; create it first`];
  if (!isWritable(folder)) {
    return ["STORE_READ_ONLY", `its folder cannot be written, and SQLite keeps two more files there`];
  }
  return ["STORE_FAILED", "the system refused; too many open files, or no access to it"];
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
