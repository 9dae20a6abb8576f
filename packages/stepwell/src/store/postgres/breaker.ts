/**
 * Breaker: looked at, and replaced where nobody else has. Each is one statement; who replaces a row that another is just
 * replacing waits for it, and finds it changed.
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
import type { ListedBreaker, NowMs } from "../store.ts";
import { ask, read, type Session } from "./session.ts";

/** The breaker of that name, and what is true of it just now. */
export async function findBreaker(
  session: Session,
  name: string,
  owner: Owner | null,
  nowMs: NowMs,
): Promise<BreakerLook> {
  const rows = await read(session, "findBreaker", { name, ...ownerValues(owner), nowMs });
  const [row] = rows as readonly (BreakerLookRow & { readonly now_ms: number })[];
  return {
    breaker: toBreaker(row!),
    probing: Boolean(row!.probing),
    held: Boolean(row!.held),
    nowMs: row!.now_ms,
  };
}

/** False: it has changed since the revision before, or the owner does not hold the run. */
export async function saveBreaker(session: Session, breaker: Breaker, owner: Owner | null): Promise<boolean> {
  const saved = await ask(session, "claim", "saveBreaker", breakerValues(breaker, owner));
  return saved.length > 0;
}

/** By name, after `afterName`. */
export async function listBreakers(
  session: Session,
  page: { readonly afterName: string; readonly limit: number },
  nowMs: NowMs,
): Promise<readonly ListedBreaker[]> {
  const rows = await read(session, "listBreakers", { ...page, nowMs });
  return (rows as readonly (ListedBreakerRow & { readonly now_ms: number })[]).map((row) =>
    toListedBreaker(row, row.now_ms),
  );
}
