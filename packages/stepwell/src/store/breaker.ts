/**
 * Breaker: its row, alike in every database, and what becomes of it. See model/breaker.ts, which has the rules.
 */
import type { Breaker, Probe } from "../model/breaker.ts";
import type { Owner } from "../model/run.ts";
import type { ListedBreaker } from "./store.ts";

/** `SELECT * FROM breakers`. */
export type BreakerTableRow = {
  readonly name: string;
  readonly revision: number;
  readonly epoch: number;
  readonly since_ms: number;
  readonly open_until_ms: number | null;
  readonly failures: string;
  readonly probe_mark: string | null;
  readonly probe_run_id: number | null;
  readonly probe_worker_id: number | null;
  readonly probe_fence: number | null;
  readonly touched_by: string | null;
  readonly touched_why: string | null;
  readonly touched_at_ms: number | null;
};

/** What findBreaker answers: a row in any case. */
export type BreakerLookRow = { readonly probing: boolean | number; readonly held: boolean | number } & (
  | BreakerTableRow
  | { readonly [K in keyof BreakerTableRow]: null }
);

/** The columns of a row, as parameters are named; those of the owner come last. */
export type BreakerValues = OwnerValues & {
  readonly name: string;
  readonly revision: number;
  readonly epoch: number;
  readonly sinceMs: number;
  readonly openUntilMs: number | null;
  readonly failures: string;
  readonly probeMark: string | null;
  readonly probeRunId: number | null;
  readonly probeWorkerId: number | null;
  readonly probeFence: number | null;
  readonly touchedBy: string | null;
  readonly touchedWhy: string | null;
  readonly touchedAtMs: number | null;
};

/** Nulls where nobody asks on a run's behalf. */
export type OwnerValues = { readonly [K in keyof Owner]: Owner[K] | null };

/** With the run that probes, where one does. */
export type ListedBreakerRow = BreakerTableRow & {
  readonly prober_id: string | null;
  readonly prober_namespace: string | null;
  readonly prober_name: string | null;
};

/** A breaker as it stands; null: the row says that there is none. */
export function toBreaker(row: BreakerLookRow | BreakerTableRow): Breaker | null {
  if (row.name === null) return null;
  const { touched_by: actor, touched_why: reason, touched_at_ms: atMs } = row;
  return {
    name: row.name,
    revision: row.revision,
    epoch: row.epoch,
    failures: JSON.parse(row.failures) as string[],
    sinceMs: row.since_ms,
    openUntilMs: row.open_until_ms,
    probe: toProbe(row),
    touched: actor === null || reason === null || atMs === null ? null : { actor, reason, atMs },
  };
}

function toProbe(row: BreakerTableRow): Probe | null {
  const { probe_mark: mark, probe_run_id: rowId, probe_worker_id: workerId, probe_fence: fence } = row;
  if (mark === null || rowId === null || workerId === null || fence === null) return null;
  return { mark, owner: { rowId, workerId, fence } };
}

/** One of a list. */
export function toListedBreaker(row: ListedBreakerRow, nowMs: number): ListedBreaker {
  const { prober_id: id, prober_namespace: namespace, prober_name: name } = row;
  const probing = id === null || namespace === null || name === null ? null : { namespace, name, id };
  return { breaker: toBreaker(row)!, probing, nowMs };
}

/** What a statement binds of a breaker, and of the owner who must hold its run; null: anybody may. */
export function breakerValues(breaker: Breaker, owner: Owner | null): BreakerValues {
  const { name, revision, epoch, sinceMs, openUntilMs, probe, touched } = breaker;
  return {
    ...{ name, revision, epoch, sinceMs, openUntilMs, failures: JSON.stringify(breaker.failures) },
    probeMark: probe?.mark ?? null,
    probeRunId: probe?.owner.rowId ?? null,
    probeWorkerId: probe?.owner.workerId ?? null,
    probeFence: probe?.owner.fence ?? null,
    touchedBy: touched?.actor ?? null,
    touchedWhy: touched?.reason ?? null,
    touchedAtMs: touched?.atMs ?? null,
    ...ownerValues(owner),
  };
}

/** What a statement binds of an owner. */
export function ownerValues(owner: Owner | null): OwnerValues {
  return { rowId: owner?.rowId ?? null, workerId: owner?.workerId ?? null, fence: owner?.fence ?? null };
}
