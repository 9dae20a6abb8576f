/**
 * Faults: what an error of the driver or the server means, and the code under which it leaves the store.
 *
 * The server's codes: postgresql.org/docs/current/errcodes-appendix.html. What the server has rejected has not happened.
 * Of a statement whose connection was lost nobody knows; and a connection that never came about has carried none (P1).
 */
import { type ErrorCode, StepwellError } from "../../model/errors.ts";

type Meaning = readonly [code: ErrorCode, why: string];

/** By SQLSTATE, or by its first two letters. */
const MEANINGS: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ["25006", ["STORE_READ_ONLY", "it takes no writes; it may have become a standby"]],
  ["40", ["STORE_BUSY", "another transaction was in the way"]],
  ["42501", ["STORE_RIGHTS_MISSING", ""]],
  ["53100", ["STORE_FULL", "there is no space left for it"]],
  ["53300", ["STORE_BUSY", "it has no connection left to give"]],
  ["55P", ["STORE_BUSY", "something is locked by others"]],
  ["57014", ["STORE_BUSY", "the statement took too long"]],
  ["57P", ["STORE_UNREACHABLE", "it is stopping, starting, or has ended the connection"]],
  ["08", ["STORE_UNREACHABLE", "the connection has ended"]],
  ["28", ["STORE_LOGIN_REFUSED", ""]],
  ["3D000", ["STORE_LOGIN_REFUSED", ""]],
  ["XX001", ["STORE_CORRUPT", ""]],
  ["XX002", ["STORE_CORRUPT", ""]],
]);

/** What the system says of a connection that does not come about. */
const SYSTEM: ReadonlyMap<string, string> = new Map([
  ["ECONNREFUSED", "nothing listens there"],
  ["ENOTFOUND", "there is no host of that name"],
  ["EAI_AGAIN", "the host's name cannot be looked up just now"],
  ["ENOENT", "there is no such socket"],
  ["EHOSTUNREACH", "no way leads to the host"],
  ["ENETUNREACH", "no way leads to the host"],
  ["ECONNRESET", "the connection was reset"],
]);

/** The SQLSTATE of an error the server reported; null: it is not the server's. */
export function sqlState(error: unknown): string | null {
  const code = error instanceof Error && "code" in error ? error.code : null;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? code : null;
}

/** Whether the connection of a read was lost before the answer; another one may do. */
export function isConnectionLost(error: unknown): boolean {
  return error instanceof StepwellError && error.details["lost"] === true;
}

/** Whether a pooler has given us a server connection that does not know our prepared statement. */
export function isPreparedMissing(error: unknown): boolean {
  return sqlState(error) === "26000" || sqlState(error) === "42P05";
}

/** Whether a plan that the connection keeps does not fit its tables any more, because they were migrated. */
export function isPlanOutdated(error: unknown): boolean {
  return sqlState(error) === "0A000" && (error as { readonly routine?: string }).routine === "RevalidateCachedQuery";
}

/**
 * Whether an error of the server says that its connection ends; a pooler, too, says so of the one behind it. What became
 * of the statement is not known then.
 */
export function endsConnection(error: unknown): boolean {
  return /^(08|57P|58000)/.test(sqlState(error) ?? "08");
}

/** Whether one row alone was impossible, so that the rest of its flush can be stored without it (S6). */
export function isRowFault(error: unknown): boolean {
  if (error instanceof StepwellError && error.code === "STORE_WRITE_REFUSED") return true;
  return /^(22|23|54000)/.test(stateOf(error) ?? "") && !isTransient(error);
}

/** A deadlock that this statement lost, or an item that another connection was just delivering: over when tried again. */
export function isTransient(error: unknown): boolean {
  const state = stateOf(error);
  if (state === "40P01" || state === "40001") return true;
  const cause = error instanceof StepwellError ? error.cause : error;
  return state === "23505" && (cause as { readonly constraint?: string }).constraint === "inbox_operation";
}

/**
 * The coded error for what the server at `place` has rejected, and for a connection that was lost where that has undone
 * everything; a StepwellError stays as it is.
 */
export function toStoreError(error: unknown, place: string): StepwellError {
  if (error instanceof StepwellError) return error;
  const state = sqlState(error);
  if (state === null) return connectionLost(error, place);
  const [code, why] = meaningOf(state) ?? ["STORE_FAILED", ""];
  return new StepwellError(code, saying(place, why, error), { cause: error, details: { place, sqlState: state } });
}

/** The coded error for a connection that did not come about; nothing was sent on it. */
export function toConnectError(error: unknown, place: string): StepwellError {
  if (error instanceof StepwellError) return error;
  const state = sqlState(error);
  if (state !== null) return atTheDoor(error, state, place);
  const message = messageOf(error);
  // The driver's own words: for a password that the server wants, and for a lane whose connections are all in use.
  if (message.startsWith("SASL")) return atTheDoor(error, "28P01", place);
  const code = message === "timeout exceeded when trying to connect" ? "STORE_BUSY" : "STORE_UNREACHABLE";
  const system = (error as { readonly code?: string }).code ?? "";
  const why = SYSTEM.get(system) ?? (/time-?out/i.test(message) ? "no answer in time" : "");
  return new StepwellError(code, saying(place, why, error), { cause: error, details: { place, system } });
}

/** Of a read, or of a write that takes back what it did with its connection, which was lost before the answer. */
export function connectionLost(error: unknown, place: string): StepwellError {
  const details = { place, sqlState: sqlState(error), lost: true };
  return new StepwellError("STORE_UNREACHABLE", saying(place, "the connection was lost", error), {
    cause: error,
    details,
  });
}

/** A statement, and so a commit, of which nobody can say yet whether it took place (P1). */
export function unknownOutcome(error: unknown, place: string): StepwellError {
  const what = `${place}: a commit failed with "${messageOf(error)}"`;
  return new StepwellError("STORE_OUTCOME_UNKNOWN", what, {
    cause: error,
    details: { place, sqlState: stateOf(error) },
  });
}

function atTheDoor(error: unknown, state: string, place: string): StepwellError {
  // The right that is missing is the one to connect.
  const [code, why] = state === "42501" ? (["STORE_LOGIN_REFUSED", ""] as const) : (meaningOf(state) ?? UNREACHABLE);
  return new StepwellError(code, saying(place, why, error), { cause: error, details: { place, sqlState: state } });
}

const UNREACHABLE: Meaning = ["STORE_UNREACHABLE", ""];

function meaningOf(state: string | null): Meaning | undefined {
  if (state === null) return undefined;
  return MEANINGS.get(state) ?? MEANINGS.get(state.slice(0, 3)) ?? MEANINGS.get(state.slice(0, 2));
}

function saying(place: string, why: string, error: unknown): string {
  const message = messageOf(error);
  if (why === "") return `${place}: ${message}`;
  return message === "" ? `${place}: ${why}` : `${place}: ${why} (${message})`;
}

function stateOf(error: unknown): string | null {
  return sqlState(error instanceof StepwellError ? error.cause : error);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
