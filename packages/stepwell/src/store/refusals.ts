/**
 * Refusals: writes that were impossible, each alone (S6), in the same words in every database.
 */
import { StepwellError } from "../model/errors.ts";
import type { Write, WriteResult } from "./write.ts";

/** The answer to a write that failed with `error` while the others of its flush were stored. */
export function refusalOf(write: Write, error: unknown): WriteResult {
  const why = error instanceof Error ? error.message : String(error);
  const what = `one write (${write.kind}) was impossible: ${why}`;
  const details = { write: write.kind };
  return { kind: "refused", error: new StepwellError("STORE_WRITE_REFUSED", what, { cause: error, details }) };
}

/** The answer to a heartbeat of an attempt that nobody began. */
export function refusalOfBeat(key: string, attempt: number): WriteResult {
  const what = `attempt ${attempt} of "${key}" is not stored as running`;
  return { kind: "refused", error: new StepwellError("STORE_WRITE_REFUSED", what) };
}
