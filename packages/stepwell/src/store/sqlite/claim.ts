/**
 * Claim: a worker takes due runs, oldest first, each under the next fence (S1).
 *
 * Every version is looked up on its own, at the left end of its part of `runs_due`,
 * and the results are merged here: the cost follows what is asked for, not what waits.
 */
import type { Run } from "../../model/run.ts";
import type { Claim } from "../store.ts";
import { type Connection, connected, type DoubtfulClaim, type Session } from "./connection.ts";
import { transact } from "./transaction.ts";
import { runOf } from "./version.ts";

/** Runs taken by one call at most: keeps the transaction short, whatever a caller asks for. */
export const CLAIM_RUNS_MAX = 1_000;

/** Who takes, what, and how many. */
export type ClaimRequest = {
  readonly workerId: number;
  readonly versionIds: readonly number[];
  readonly limit: number;
  readonly nowMs: number;
};

type Due = { readonly id: number; readonly due_at_ms: number };

/** Take up to `limit` due runs; none for a worker that is not alive. */
export function claimRuns(session: Session, request: ClaimRequest): readonly Claim[] {
  const { workerId, nowMs } = request;
  const limit = Math.min(request.limit, CLAIM_RUNS_MAX);
  if (limit < 1) return [];
  const doubtful = session.doubtfulClaims;
  const tried: DoubtfulClaim[] = [];
  try {
    return transact(session, (connection) => {
      const { sql } = connection;
      if (sql.findLivingWorker.get(workerId) === undefined) return [];
      const runs = settleDoubtful(session, connection, workerId, limit);
      for (const rowId of listDue(connection, request, limit - runs.length)) {
        sql.claimRun.run(workerId, rowId);
        const run = runOf(session, connection, sql.findRunById.get(rowId));
        tried.push({ rowId, workerId, fence: run.fence });
        runs.push(run);
      }
      return runs.map((run) => ({ run, nowMs }));
    });
  } catch (error) {
    // Should the commit have taken place, nobody else would ever execute these.
    session.doubtfulClaims = [...doubtful, ...tried];
    throw error;
  }
}

/** Make paused runs of these versions due; returns how many. */
export function resumePaused(session: Session, versionIds: readonly number[], nowMs: number): number {
  return transact(session, ({ sql }) => {
    let resumed = 0;
    for (const versionId of versionIds) resumed += Number(sql.resumePaused.run(nowMs, versionId).changes);
    return resumed;
  });
}

/** Milliseconds until the first unowned run of these versions is due; 0: one is; null: none. */
export function nextDueInMs(session: Session, versionIds: readonly number[], nowMs: number): number | null {
  const { sql } = connected(session);
  let firstAtMs: number | null = null;
  for (const versionId of versionIds) {
    const dueAtMs = sql.findNextDue.get(versionId)?.["due_at_ms"] as number | null;
    if (dueAtMs !== null && (firstAtMs === null || dueAtMs < firstAtMs)) firstAtMs = dueAtMs;
  }
  return firstAtMs === null ? null : Math.max(0, firstAtMs - nowMs);
}

/** Row ids, by due time and then age. */
function listDue({ sql }: Connection, { versionIds, nowMs }: ClaimRequest, limit: number): readonly number[] {
  const due = versionIds.flatMap((id) => sql.listDueRuns.all(id, nowMs, limit) as unknown as readonly Due[]);
  if (versionIds.length > 1) due.sort((a, b) => a.due_at_ms - b.due_at_ms || a.id - b.id);
  return due.slice(0, limit).map((row) => row.id);
}

/** Runs that a commit in doubt did give to this worker; those it did not give are forgotten. */
function settleDoubtful(session: Session, connection: Connection, workerId: number, limit: number): Run[] {
  if (session.doubtfulClaims.length === 0) return [];
  const held: Run[] = [];
  const kept: DoubtfulClaim[] = [];
  for (const claim of session.doubtfulClaims) {
    if (claim.workerId !== workerId || held.length >= limit) {
      kept.push(claim);
      continue;
    }
    const row = connection.sql.findHeldRun.get(claim.rowId, workerId, claim.fence);
    if (row !== undefined) held.push(runOf(session, connection, row));
  }
  session.doubtfulClaims = kept;
  return held;
}
