/**
 * Invariants of ownership: fences, claims, leases. The ledger has found the breaches
 * while it was read; here they get their numbers.
 */
import type { Case, Finding, Invariant } from "./case.ts";
import type { Breach } from "./ledger.ts";

/** See the header. */
export const OWNERSHIP_INVARIANTS: readonly Invariant[] = [
  { id: "I8", title: "fences strictly increase per run", check: (c) => breaches(c, "fence") },
  { id: "I9", title: "no claim begins before the previous one has ended", check: (c) => breaches(c, "claim") },
  { id: "I10", title: "no write is accepted from a stale owner (P3)", check: (c) => breaches(c, "owner") },
  {
    id: "I27",
    title: "no worker is declared dead while its lease lasts, and none renews after it was",
    check: (c) => breaches(c, "lease"),
  },
  {
    id: "I24",
    title: "what a dead worker held is free within its lease and 2 s (P9)",
    check: (c) => (c.evidence.calm ? c.evidence.crashes.flatMap((crash) => lateTakeovers(c, crash)) : []),
  },
];

/** P9, beyond the lease. */
const TAKEOVER_MS = 2_000;

function breaches(c: Case, rule: Breach["rule"]): Finding[] {
  return c.ledger.breaches
    .filter((breach) => breach.rule === rule)
    .map((breach) => ({ run: c.nameOf(breach.rowId), what: breach.what }));
}

function lateTakeovers(c: Case, crash: Case["evidence"]["crashes"][number]): Finding[] {
  const dueMs = crash.trueMs + c.evidence.leaseMs + TAKEOVER_MS;
  const held = c.ledger.takings.filter(
    (taking) => taking.process === crash.process && taking.at < crash.at && (taking.endedAt ?? Infinity) > crash.at,
  );
  return held.flatMap((taking) => {
    const freedMs = taking.endedMs ?? Infinity;
    if (freedMs <= dueMs) return [];
    const what = `its worker ${taking.process} died at ${crash.trueMs} ms, its claim was ended at ${freedMs} ms`;
    return [{ run: c.nameOf(taking.rowId), what }];
  });
}
