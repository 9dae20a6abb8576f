/**
 * Claim: due runs go to one worker, oldest due first, under the next fence (S1); those on
 * probation are asked for apart and given one at a time.
 */
import { isSuspect, type Run } from "../../model/run.ts";
import type { Claim, NextDue, OldestDue } from "../../store/store.ts";
import { isAlive } from "./batch.ts";
import { revivedAt } from "./inbox.ts";
import { allRuns, putRun, type World } from "./world.ts";

/** Who takes, what, and how many. */
export type ClaimRequest = {
  readonly workerId: number;
  readonly suspects: boolean;
  readonly versionIds: readonly number[];
  readonly limit: number;
  readonly nowMs: number;
};

/** None for a worker that is not alive. Of runs due at one moment, the one inserted first. */
export function claimRuns(world: World, request: ClaimRequest): readonly Claim[] {
  const { workerId, suspects, versionIds, nowMs } = request;
  const limit = Math.max(0, suspects ? Math.min(request.limit, 1) : request.limit);
  if (!isAlive(world, workerId)) return [];
  const due = listDue(world, versionIds, suspects).filter((run) => run.dueAtMs <= nowMs);
  return due.slice(0, limit).map((run) => ({ run: claim(world, run, workerId), nowMs }));
}

function claim(world: World, run: Run, workerId: number): Run {
  const state = run.state === "compensating" ? run.state : "running";
  const book = world.books.get(run.rowId)!;
  putRun(world, book, { state, workerId, fence: run.fence + 1, dueAtMs: null, waitingFor: [] });
  return world.books.get(run.rowId)!.run;
}

/** Paused runs of these versions are due; how many. */
export function resumePaused(world: World, versionIds: readonly number[], nowMs: number): number {
  const paused = [...world.books.values()].filter(
    ({ run }) => run.state === "paused" && !run.onHold && versionIds.includes(run.versionId),
  );
  for (const book of paused) putRun(world, book, revivedAt(book.run, nowMs));
  return paused.length;
}

/** By time alone. */
export function nextDue(world: World, versionIds: readonly number[], nowMs: number): NextDue {
  const inMs = (suspects: boolean): number | null => {
    const [first] = listDue(world, versionIds, suspects);
    return first === undefined ? null : Math.max(0, first.dueAtMs - nowMs);
  };
  const newestVersionId = world.versions.at(-1)?.versionId ?? 0;
  return { runInMs: inMs(false), suspectInMs: inMs(true), newestVersionId };
}

/** Of every version that has a due run, on probation or not, in the order of the versions. */
export function listOldestDue(world: World, nowMs: number): readonly OldestDue[] {
  return world.versions.flatMap((version) => {
    const ofVersion = [false, true].flatMap((suspects) => listDue(world, [version.versionId], suspects));
    const overdueMs = nowMs - Math.min(...ofVersion.map((run) => run.dueAtMs));
    return overdueMs >= 0 ? [{ version, overdueMs }] : [];
  });
}

type DueRun = Run & { readonly dueAtMs: number };

/** By due time and age; also those that will be due later. */
function listDue(world: World, versionIds: readonly number[], suspects: boolean): readonly DueRun[] {
  return allRuns(world)
    .filter((run): run is DueRun => run.dueAtMs !== null)
    .filter((run) => versionIds.includes(run.versionId) && isSuspect(run) === suspects)
    .toSorted((a, b) => a.dueAtMs - b.dueAtMs || a.rowId - b.rowId);
}
