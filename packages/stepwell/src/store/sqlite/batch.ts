/**
 * Batch: one flush under way, and what to answer when a guarded statement changed
 * nothing (S2, S5).
 *
 * Either the owner lost the run, or the row was there: this batch was stored once
 * before. The fence tells. It grows with every claim and every takeover, so while
 * it is still the owner's, nobody else has written about the run since.
 */
import type { Owner } from "../../model/run.ts";
import type { StandingRow } from "../rows.ts";
import type { WriteResult } from "../write.ts";
import type { Connection, Session } from "./connection.ts";

/** One flush under way, inside its transaction. */
export type Batch = Connection & {
  readonly session: Session;
  readonly nowMs: number;
  /** The answer to most writes; one object for all. */
  readonly stored: WriteResult;
  /** Workers asked about in this flush. */
  readonly alive: Map<number, boolean>;
};

/** The answer to a write whose owner does not hold the run. */
export const STALE: WriteResult = { kind: "stale" };

/** A batch in the transaction that is open on `connection`. */
export function newBatch(session: Session, { db, sql }: Connection, nowMs: number): Batch {
  return { session, db, sql, nowMs, stored: { kind: "stored", atMs: nowMs }, alive: new Map() };
}

/** Whether that worker may write; asked once per flush */
export function isAlive(batch: Batch, workerId: number): boolean {
  const known = batch.alive.get(workerId);
  if (known !== undefined) return known;
  const alive = batch.sql.findLivingWorker.get(workerId) !== undefined;
  batch.alive.set(workerId, alive);
  return alive;
}

/** The run's standing if nobody took it after `owner`, who holds it still or gave it up; null otherwise. */
export function findLastHeld(batch: Batch, owner: Owner): StandingRow | null {
  const row = batch.sql.findStanding.get(owner.rowId) as unknown as StandingRow | undefined;
  if (row === undefined || row.fence !== owner.fence) return null;
  return row.worker_id === null || row.worker_id === owner.workerId ? row : null;
}

/** The answer by what an earlier submission left behind; `found` is false, null or undefined when there is nothing. */
export function answerAgain(batch: Batch, found: unknown): WriteResult {
  return found === false || found === null || found === undefined ? STALE : batch.stored;
}
