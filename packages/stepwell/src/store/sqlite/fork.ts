/**
 * Fork: a run that begins with checkpoints of another.
 */
import type { NewRun } from "../../model/run.ts";
import type { Checkpoint } from "../../model/step.ts";
import type { Forked } from "../store.ts";
import { newBatch } from "./batch.ts";
import type { Session } from "./connection.ts";
import { transact } from "./transaction.ts";
import { insertRun } from "./write.ts";

/** Insert it, due now, with its past; or find the run that has its name. */
export function insertForked(session: Session, run: NewRun, past: readonly Checkpoint[], nowMs: number): Forked {
  return transact(session, (connection) => {
    const { sql } = connection;
    const write = { kind: "insert_run", run, claimFor: null, owner: null } as const;
    const result = insertRun(newBatch(session, connection, nowMs), write) as Forked;
    if (result.kind === "exists") return result;
    const { rowId } = result;
    for (const step of past) {
      const { key, seq, kind, outcome, attempt, compensable, durationMs, value } = step;
      sql.insertStep.run(rowId, key, seq, kind, outcome, attempt, compensable ? 1 : 0, nowMs, durationMs, value);
    }
    sql.setHistory.run(past.at(-1)?.seq ?? 1, rowId);
    return result;
  });
}
