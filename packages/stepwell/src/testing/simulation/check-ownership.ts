/**
 * Invariants of ownership: fences, claims, leases. The ledger has found the breaches
 * while it was read; here they get their numbers.
 */
import type { Case, Finding, Invariant } from "./case.ts";
import type { StoreRecord } from "./evidence.ts";
import type { Breach, Taking } from "./ledger.ts";

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
  {
    id: "I30",
    title: "only a run that crashed twice before and was executed alone is quarantined (F18)",
    check: (c) => c.evidence.records.flatMap((record) => (record.kind === "free" ? wrongQuarantines(c, record) : [])),
  },
  {
    id: "I33",
    title: "no run is taken by a worker whose code is older than the run's (F28)",
    check: (c) => c.ledger.takings.flatMap((taking) => takenTooOld(c, taking)),
  },
];

/** F28: versions of the shapes differ in their minor number alone. */
function takenTooOld(c: Case, { process, rowId }: Taking): Finding[] {
  const code = c.evidence.codes[process];
  const run = c.evidence.stories.find((story) => story.run.rowId === rowId)?.run;
  if (code === undefined || run === undefined || minorOf(code) >= minorOf(run.version)) return [];
  return [{ run: c.nameOf(rowId), what: `is of version ${run.version}, taken by ${process} with ${code}` }];
}

function minorOf(version: string): number {
  return Number(version.split(".")[1]);
}

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

function wrongQuarantines(c: Case, record: StoreRecord & { readonly kind: "free" }): Finding[] {
  return record.quarantined.flatMap(({ rowId, crashes }) => {
    const found = (what: string): Finding => ({ run: c.nameOf(rowId), what });
    const alone = c.ledger.takings.find((taking) => taking.rowId === rowId && taking.endedAt === record.at);
    if (alone === undefined) return [found("was quarantined, and nobody held it")];
    if (crashes < 3 || record.how !== "died") {
      return [found(`was quarantined after ${crashes} crashes (${record.how})`)];
    }
    const beside = c.ledger.takings.filter((other) => other !== alone && wereTogether(alone, other));
    return beside.map((other) =>
      found(`was quarantined for a crash beside ${String(c.nameOf(other.rowId))}, on worker ${alone.workerId}`),
    );
  });
}

/** Both executed by one worker at some moment; what its worker never heard of was not executed. */
function wereTogether(alone: Taking, other: Taking): boolean {
  if (other.workerId !== alone.workerId || other.knownAt === null) return false;
  return other.knownAt < (alone.endedAt ?? Infinity) && (other.endedAt ?? Infinity) > alone.at;
}
