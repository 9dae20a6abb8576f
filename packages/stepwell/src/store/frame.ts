/**
 * Frame: what keeps a user's statements inside of their transaction. Alike in every database.
 */
import { StepwellError } from "../model/errors.ts";

const SPACE = String.raw`(?:\s|--[^\n]*(?:\n|$)|/\*[\s\S]*?\*/|;)*`;

/** Statements that begin, end or leave the transaction, or change how it commits. `ROLLBACK TO` a savepoint is fine. */
const FRAME = new RegExp(
  `^${SPACE}(?:(BEGIN|START|COMMIT|END|ABORT|ATTACH|DETACH|PRAGMA|VACUUM|DISCARD)\\b|(PREPARE)\\s+TRANSACTION\\b` +
    `|(ROLLBACK)\\b(?!${SPACE}(?:(?:WORK|TRANSACTION)\\b${SPACE})?TO\\b))`,
  "i",
);

/** @throws StepwellError TX_STATEMENT for a statement that would break the frame of the transaction */
export function checkStatement(sql: string): void {
  const found = FRAME.exec(sql);
  if (found === null) return;
  const what = `a transaction was asked to ${(found[1] ?? found[2] ?? found[3])!.toUpperCase()}.`;
  throw new StepwellError("TX_STATEMENT", what, { details: { sql: sql.slice(0, 200) } });
}

/** The frame was left by something that no look at the statements shows, such as `INSERT OR ROLLBACK`. */
export function brokenFrame(why: string): StepwellError {
  return new StepwellError("TX_BROKEN", why);
}
