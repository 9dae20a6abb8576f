/**
 * Faults: what an error of the driver or the server means, and the code under which it leaves the store.
 */
import { StepwellError } from "../../model/errors.ts";

/** The SQLSTATE of an error the server reported; null: it is not the server's. */
export function sqlState(error: unknown): string | null {
  const code = error instanceof Error && "code" in error ? error.code : null;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? code : null;
}

/** Whether the connection went away, so that nobody knows what became of the statement on it. */
export function isConnectionLost(error: unknown): boolean {
  return error instanceof StepwellError && error.code === "STORE_OUTCOME_UNKNOWN";
}

/** Whether a pooler has given us a server connection that does not know our prepared statement. */
export function isPreparedMissing(error: unknown): boolean {
  return sqlState(error) === "26000" || sqlState(error) === "42P05";
}

/** The coded error for anything thrown while talking to the server at `place`; a StepwellError stays as it is. */
export function toStoreError(error: unknown, place: string): StepwellError {
  if (error instanceof StepwellError) return error;
  const what = `${place}: ${error instanceof Error ? error.message : String(error)}`;
  const code = sqlState(error) === null ? "STORE_OUTCOME_UNKNOWN" : "STORE_FAILED";
  return new StepwellError(code, what, { cause: error, details: { sqlState: sqlState(error) } });
}

/** Whether one row alone was impossible, so that the rest of its flush can be stored without it (S6). */
export function isRowFault(error: unknown): boolean {
  const state = stateOf(error);
  return state !== null && (state.startsWith("22") || state.startsWith("23")) && !isTransient(error);
}

/** A deadlock that this statement lost, or an item that another connection was just delivering: over when tried again. */
export function isTransient(error: unknown): boolean {
  const state = stateOf(error);
  if (state === "40P01" || state === "40001") return true;
  const cause = error instanceof StepwellError ? error.cause : error;
  return state === "23505" && (cause as { readonly constraint?: string }).constraint === "inbox_operation";
}

/** A commit of which nobody can say yet whether it took place (P1). */
export function unknownOutcome(error: StepwellError, place: string): StepwellError {
  const what = `${place}: a commit failed with "${error.message}"`;
  return new StepwellError("STORE_OUTCOME_UNKNOWN", what, { cause: error });
}

function stateOf(error: unknown): string | null {
  return sqlState(error instanceof StepwellError ? error.cause : error);
}
