/**
 * Breaker: looked at, and replaced where nobody else has. A look writes nothing, so a closed breaker costs no commit.
 */
import type { Breaker, BreakerLook } from "../../model/breaker.ts";
import type { Owner } from "../../model/run.ts";
import {
  type BreakerLookRow,
  breakerValues,
  type ListedBreakerRow,
  ownerValues,
  toBreaker,
  toListedBreaker,
} from "../breaker.ts";
import type { ListedBreaker } from "../store.ts";
import { connected, type Session } from "./connection.ts";
import { transact } from "./transaction.ts";

/** The breaker of that name, and what is true of it just now. */
export function findBreaker(session: Session, name: string, owner: Owner | null, nowMs: number): BreakerLook {
  const { rowId, workerId, fence } = ownerValues(owner);
  const found = connected(session).sql.findBreaker.get(rowId, workerId, fence, name);
  const row = found as unknown as BreakerLookRow;
  return { breaker: toBreaker(row), probing: Boolean(row.probing), held: Boolean(row.held), nowMs };
}

/** False: it has changed since the revision before, or the owner does not hold the run. */
export function saveBreaker(session: Session, breaker: Breaker, owner: Owner | null): boolean {
  const of = breakerValues(breaker, owner);
  return transact(session, ({ sql }) => {
    const { changes } = sql.saveBreaker.run(
      of.name,
      of.revision,
      of.epoch,
      of.sinceMs,
      of.openUntilMs,
      of.failures,
      of.probeMark,
      of.probeRunId,
      of.probeWorkerId,
      of.probeFence,
      of.touchedBy,
      of.touchedWhy,
      of.touchedAtMs,
      of.rowId,
      of.rowId,
      of.workerId,
      of.fence,
    );
    return changes !== 0;
  });
}

/** By name, after `afterName`. */
export function listBreakers(
  session: Session,
  { afterName, limit }: { readonly afterName: string; readonly limit: number },
  nowMs: number,
): readonly ListedBreaker[] {
  const rows = connected(session).sql.listBreakers.all(afterName, limit) as unknown as readonly ListedBreakerRow[];
  return rows.map((row) => toListedBreaker(row, nowMs));
}
