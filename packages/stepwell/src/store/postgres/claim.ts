/**
 * Claim: a worker takes due runs, oldest first, each under the next fence (S1).
 *
 * A claim cannot be submitted again when its connection breaks, since nobody knows which runs it took. So it has a
 * number, greater than any before, which it writes into the worker's row, on which it depends, and into the runs:
 *
 *   C1. While the worker's row has a greater number, or the worker is not alive, a claim takes nothing.
 *   C2. After a claim in doubt the number is raised first. That waits for the old statement, should it still be under way,
 *       and bars it, should it come later. What bears the old number then, in a later statement, is what it took.
 *   C3. What a claim in doubt took is given by the next claim of its kind, and until then that kind is due.
 *
 * A claim costs what it takes, not what waits. Where 1,000, 100,000 or 1,000,000 runs are due, it reads 26, 29 or 32 pages
 * to take one of them, and 3,700, 4,000 or 4,500 to take 256, in 0.3 and in 6 to 10 ms (PostgreSQL 18, two cores). It grows
 * only while somebody keeps an old snapshot open, such as a dump: what was taken since then stays at the left end of the
 * index, and each 100,000 of it add 50 ms to a claim and to a look at what is due.
 */
import type { Claim, NextDue, NowMs, OldestDue } from "../store.ts";
import { toVersion, type VersionRow } from "../rows.ts";
import { tell } from "./listen.ts";
import type { Row } from "./query.ts";
import { ask, askPatiently, type DoubtfulClaim, read, type Session } from "./session.ts";
import { toRuns } from "./version.ts";

/** Runs taken by one call at most: keeps the transaction short, whatever a caller asks for. */
const CLAIM_RUNS_MAX = 1_000;

/** Runs made due by one statement at most. */
const RESUME_MAX = 5_000;

/** Who takes, what, and how many. */
export type ClaimRequest = {
  readonly workerId: number;
  readonly suspects: boolean;
  readonly versionIds: readonly number[];
  readonly limit: number;
  readonly nowMs: NowMs;
};

/** Take up to `limit` due runs; none for a worker that is not alive. */
export async function claimRuns(session: Session, request: ClaimRequest): Promise<readonly Claim[]> {
  const limit = Math.min(request.limit, request.suspects ? 1 : CLAIM_RUNS_MAX);
  if (limit < 1) return [];
  const settled = session.doubtfulClaims.length === 0 ? [] : await settleDoubtful(session, { ...request, limit });
  return settled.length > 0 ? settled : claimDue(session, { ...request, limit });
}

async function claimDue(session: Session, request: ClaimRequest): Promise<readonly Claim[]> {
  const { workerId, suspects } = request;
  const claimNo = (session.claimNo += 1);
  try {
    const rows = await ask(session, "claim", suspects ? "claimSuspects" : "claimRuns", { ...request, claimNo });
    if (rows.length > 0) {
      return await toClaims(
        session,
        rows.filter((row) => row["id"] !== null),
      );
    }
  } catch (error) {
    // Should it have taken place, nobody else would ever execute these.
    session.doubtfulClaims = [...session.doubtfulClaims, { workerId, suspects, claimNo, rowIds: null }];
    throw error;
  }
  return (await isOvertaken(session, workerId, claimNo)) ? claimDue(session, request) : [];
}

/** Whether it was the number that kept a claim from taking anything: this worker claims by another store as well. */
async function isOvertaken(session: Session, workerId: number, claimNo: number): Promise<boolean> {
  const [row] = await ask(session, "claim", "barClaims", { workerId, claimNo });
  if (row === undefined) return false;
  session.claimNo = Math.max(session.claimNo, Number(row["claim_no"]));
  return true;
}

/** C2: what claims in doubt have taken. Given are those of the kind that is asked for. */
async function settleDoubtful(session: Session, request: ClaimRequest): Promise<readonly Claim[]> {
  const doubtful = session.doubtfulClaims;
  session.doubtfulClaims = [];
  try {
    const given: Row[] = [];
    const kept: DoubtfulClaim[] = [];
    for (const claim of doubtful) {
      const held = await listTaken(session, claim, request.nowMs);
      const wanted = claim.workerId === request.workerId && claim.suspects === request.suspects;
      const room = wanted ? request.limit - given.length : 0;
      given.push(...held.slice(0, room));
      const rowIds = held.slice(room).map((row) => Number(row["id"]));
      if (rowIds.length > 0) kept.push({ ...claim, rowIds });
    }
    const claims = await toClaims(session, given);
    session.doubtfulClaims = [...kept, ...session.doubtfulClaims];
    return claims;
  } catch (error) {
    session.doubtfulClaims = [...doubtful, ...session.doubtfulClaims];
    throw error;
  }
}

/** Of a worker that died meanwhile nothing: what it held is freed, or will be. */
async function listTaken(
  session: Session,
  { workerId, claimNo, rowIds }: DoubtfulClaim,
  nowMs: NowMs,
): Promise<readonly Row[]> {
  session.claimNo += 1;
  const alive = await ask(session, "claim", "barClaims", { workerId, claimNo: session.claimNo });
  return alive.length === 0 ? [] : ask(session, "claim", "listClaimedRuns", { workerId, claimNo, rowIds, nowMs });
}

async function toClaims(session: Session, rows: readonly Row[]): Promise<readonly Claim[]> {
  const runs = await toRuns(session, rows);
  return runs.map((run, index) => ({ run, nowMs: Number(rows[index]!["now_ms"]) }));
}

/** Make paused runs of these versions due; returns how many. */
export async function resumePaused(session: Session, versionIds: readonly number[], nowMs: NowMs): Promise<number> {
  let resumed = 0;
  for (let found = RESUME_MAX; found === RESUME_MAX;) {
    const values = { versionIds, nowMs, limit: RESUME_MAX };
    const [row] = await askPatiently(session, "claim", "resumePaused", values);
    found = Number(row!["found"]);
    resumed += Number(row!["resumed"]);
  }
  if (resumed > 0) tell(session, { due: true, inbox: false, ended: false, workers: false });
  return resumed;
}

/** A claim in doubt is due as well: only another claim of its kind tells whether it took place (C3). */
export async function nextDue(session: Session, versionIds: readonly number[], nowMs: NowMs): Promise<NextDue> {
  const rows = (await read(session, "findNextDue", { versionIds, nowMs })) as readonly NextDueRow[];
  const { now_ms, run_at_ms, suspect_at_ms, newest_version_id } = rows[0]!;
  const inMs = (atMs: number | null): number | null => (atMs === null ? null : Math.max(0, atMs - now_ms));
  const doubtful = (suspects: boolean): boolean => session.doubtfulClaims.some((claim) => claim.suspects === suspects);
  return {
    runInMs: doubtful(false) ? 0 : inMs(run_at_ms),
    suspectInMs: doubtful(true) ? 0 : inMs(suspect_at_ms),
    newestVersionId: newest_version_id ?? 0,
  };
}

type NextDueRow = {
  readonly now_ms: number;
  readonly newest_version_id: number | null;
  readonly run_at_ms: number | null;
  readonly suspect_at_ms: number | null;
};

/** In the order of the versions. */
export async function listOldestDue(session: Session, nowMs: NowMs): Promise<readonly OldestDue[]> {
  const rows = (await read(session, "listOldestDue", { nowMs })) as readonly OldestDueRow[];
  return rows.map((row) => ({ version: toVersion(row), overdueMs: row.overdue_ms }));
}

type OldestDueRow = VersionRow & { readonly overdue_ms: number };
