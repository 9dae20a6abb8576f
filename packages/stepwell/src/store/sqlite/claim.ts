/**
 * Claim: a worker takes due runs, oldest first, each under the next fence (S1).
 *
 * Every version is looked up on its own, at the left end of its part of `runs_due`
 * (or `runs_suspect`), and the results are merged here: the cost follows what is asked
 * for, not what waits.
 */
import type { StatementSync } from "node:sqlite";
import { isSuspect, type Run } from "../../model/run.ts";
import type { Claim, NextDue, OldestDue } from "../store.ts";
import { type Connection, connected, type DoubtfulClaim, type Session } from "./connection.ts";
import { transact } from "./transaction.ts";
import { listVersions, runOf } from "./version.ts";

/** Runs taken by one call at most: keeps the transaction short, whatever a caller asks for. */
export const CLAIM_RUNS_MAX = 1_000;

/** Who takes, what, and how many. */
export type ClaimRequest = {
  readonly workerId: number;
  readonly suspects: boolean;
  readonly versionIds: readonly number[];
  readonly limit: number;
  readonly nowMs: number;
};

type Due = { readonly id: number; readonly due_at_ms: number };

/** Take up to `limit` due runs; none for a worker that is not alive. */
export function claimRuns(session: Session, request: ClaimRequest): readonly Claim[] {
  const { workerId, nowMs, suspects } = request;
  const limit = Math.min(request.limit, suspects ? 1 : CLAIM_RUNS_MAX);
  if (limit < 1) return [];
  const doubtful = session.doubtfulClaims;
  const tried: DoubtfulClaim[] = [];
  try {
    return transact(session, (connection) => {
      const { sql } = connection;
      if (sql.findLivingWorker.get(workerId) === undefined) return [];
      const runs = settleDoubtful(session, connection, request, limit);
      for (const rowId of listDue(connection, request, limit - runs.length)) {
        sql.claimRun.run(workerId, rowId);
        const run = runOf(session, connection, sql.findRunById.get(rowId));
        tried.push({ rowId, workerId, fence: run.fence, suspect: isSuspect(run) });
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

/** A claim in doubt is due as well: only another claim of its kind tells whether it took place. */
export function nextDue(session: Session, versionIds: readonly number[], nowMs: number): NextDue {
  const { sql } = connected(session);
  const doubtful = (suspect: boolean): boolean => session.doubtfulClaims.some((claim) => claim.suspect === suspect);
  return {
    runInMs: doubtful(false) ? 0 : firstInMs(sql.findNextDue, versionIds, nowMs),
    suspectInMs: doubtful(true) ? 0 : firstInMs(sql.findNextSuspect, versionIds, nowMs),
    newestVersionId: (sql.findNewestVersion.get()?.["id"] as number | null) ?? 0,
  };
}

function firstInMs(find: StatementSync, versionIds: readonly number[], nowMs: number): number | null {
  let firstAtMs = Infinity;
  for (const versionId of versionIds) {
    const row = find.get(versionId);
    if (row !== undefined) firstAtMs = Math.min(firstAtMs, Number(row["due_at_ms"]));
  }
  return firstAtMs === Infinity ? null : Math.max(0, firstAtMs - nowMs);
}

/** In the order of the versions. */
export function listOldestDue(session: Session, nowMs: number): readonly OldestDue[] {
  return listVersions(session).flatMap((version) => {
    const { sql } = connected(session);
    const rows = [sql.findNextDue.get(version.versionId), sql.findNextSuspect.get(version.versionId)];
    const dueAtMs = Math.min(...rows.map((row) => (row === undefined ? Infinity : Number(row["due_at_ms"]))));
    return dueAtMs <= nowMs ? [{ version, overdueMs: nowMs - dueAtMs }] : [];
  });
}

/** Row ids, by due time and then age. */
function listDue({ sql }: Connection, { versionIds, nowMs, suspects }: ClaimRequest, limit: number): readonly number[] {
  const list = suspects ? sql.listDueSuspects : sql.listDueRuns;
  const due = versionIds.flatMap((id) => list.all(id, nowMs, limit) as unknown as readonly Due[]);
  if (versionIds.length > 1) due.sort((a, b) => a.due_at_ms - b.due_at_ms || a.id - b.id);
  return due.slice(0, limit).map((row) => row.id);
}

/** Runs that a commit in doubt did give to this worker; those it did not give are forgotten. */
function settleDoubtful(
  session: Session,
  connection: Connection,
  { workerId, suspects }: ClaimRequest,
  limit: number,
): Run[] {
  if (session.doubtfulClaims.length === 0) return [];
  const held: Run[] = [];
  const kept: DoubtfulClaim[] = [];
  for (const claim of session.doubtfulClaims) {
    if (claim.workerId !== workerId || claim.suspect !== suspects || held.length >= limit) {
      kept.push(claim);
      continue;
    }
    const row = connection.sql.findHeldRun.get(claim.rowId, workerId, claim.fence);
    if (row !== undefined) held.push(runOf(session, connection, row));
  }
  session.doubtfulClaims = kept;
  return held;
}
