/**
 * Invariants of circuit breakers: who was admitted, one probe at a time, and what opened and closed them. What the store
 * kept, in its own order, is compared with what step code did.
 *
 * A mark names an attempt: `run row/fence/key/number`, see engine/breaker.ts.
 */
import type { Breaker } from "../../model/breaker.ts";
import type { Owner } from "../../model/run.ts";
import { BREAKER } from "./behaviour.ts";
import type { Case, Execution, Finding, Invariant } from "./case.ts";
import type { StoreRecord } from "./evidence.ts";

const ADMITTED: Invariant = {
  id: "I40",
  title: "nobody is called through a breaker that is open, and only the probe through one that is half-open",
  check: (c) => guardedExecutions(c, "call").flatMap((one) => uninvited(c, one)),
};

const PROBES: Invariant = {
  id: "I41",
  title: "a probe is let through only when its time has come, and no other is under way",
  check: (c) => pairs(c).flatMap(([before, after]) => wrongProbe(c, before, after)),
};

const COUNTED: Invariant = {
  id: "I42",
  title:
    "a breaker opens after exactly so many failures in a row, in the store's order, and only a good probe closes it",
  check: (c) => pairs(c).flatMap(([before, after]) => [...miscounted(c, before, after), ...misread(c, before, after)]),
};

/** See the header. */
export const BREAKER_INVARIANTS: readonly Invariant[] = [ADMITTED, PROBES, COUNTED];

type Saved = StoreRecord & { readonly kind: "breaker" };
type Look = StoreRecord & { readonly kind: "look" };

/** Every stored row after the one that it replaced; null: it is the first of its name. */
function pairs(c: Case): readonly (readonly [before: Saved | null, after: Saved])[] {
  const last = new Map<string, Saved>();
  return c.evidence.records.flatMap((record) => {
    if (record.kind !== "breaker" || !record.saved) return [];
    const before = last.get(record.breaker.name) ?? null;
    last.set(record.breaker.name, record);
    return [[before, record] as const];
  });
}

function guardedExecutions(c: Case, first: string): readonly Execution[] {
  return [...c.executions.values()].flat().filter(({ start }) => !start.undo && start.key.startsWith(`${first}/`));
}

/** A run makes these calls one after another: what its owner was told last before a start was the admission. */
function uninvited(c: Case, { start, taking, rowId }: Execution): Finding[] {
  if (taking === null) return [];
  const asked = c.evidence.records.filter(
    (record): record is Look => record.kind === "look" && record.process === start.process,
  );
  const look = asked.findLast(
    ({ owner, knownAt }) => owner?.rowId === rowId && owner.fence === taking.fence && (knownAt ?? Infinity) < start.at,
  );
  const what = `"${start.key}" was called in attempt ${start.attempt} at ${start.trueMs} ms`;
  if (look === undefined) return [{ run: start.run, what: `${what}, and nobody had asked` }];
  const { breaker, nowMs } = look.look;
  const until = breaker?.openUntilMs ?? null;
  if (until === null) return [];
  const mark = `${rowId}/${taking.fence}/${start.key}/${start.attempt}`;
  const probes = c.evidence.records.some(
    (record) =>
      record.kind === "breaker" && record.saved && record.breaker.probe?.mark === mark && record.at < start.at,
  );
  if (probes && nowMs >= until) return [];
  return [{ run: start.run, what: `${what}, when the breaker was open until ${until}, now ${nowMs}` }];
}

function wrongProbe(c: Case, before: Saved | null, after: Saved): Finding[] {
  const { probe } = after.breaker;
  const earlier = before?.breaker.probe ?? null;
  if (probe === null || probe.mark === earlier?.mark) return [];
  const run = c.nameOf(probe.owner.rowId);
  if (!isOpen(before)) return [{ run, what: "probed a breaker that was closed" }];
  const together = earlier !== null && holdsAt(c, earlier.owner, after.at);
  return together ? [{ run, what: `${probe.mark} probed while ${earlier.mark} did` }] : [];
}

/** Or half-open. */
function isOpen(row: Saved | null): boolean {
  return (row?.breaker.openUntilMs ?? null) !== null;
}

function holdsAt(c: Case, { rowId, fence }: Owner, at: number): boolean {
  const taking = c.ledger.takings.find((one) => one.rowId === rowId && one.fence === fence);
  return taking !== undefined && taking.at < at && (taking.endedAt ?? Infinity) > at;
}

/** The row alone: revisions without a gap, marks that are all different, opened by the last one that is allowed. */
function miscounted(c: Case, before: Saved | null, after: Saved): Finding[] {
  const { revision, failures } = after.breaker;
  const run = c.nameOf(after.owner?.rowId ?? null);
  const shown = show(after.breaker);
  const replaced = before?.breaker.revision ?? 0;
  const gap = revision === replaced + 1 ? [] : [{ run, what: `revision ${revision} took the place of ${replaced}` }];
  const twice = new Set(failures).size === failures.length ? [] : [{ run, what: `counted twice: ${shown}` }];
  const fits = isOpen(after) ? failures.length === BREAKER.failures : failures.length < BREAKER.failures;
  return [...gap, ...twice, ...(fits ? [] : [{ run, what: `it stands with ${shown}` }])];
}

/** The row and what step code did: who counts has failed, nobody succeeded in between, and who closed it had succeeded. */
function misread(c: Case, before: Saved | null, after: Saved): Finding[] {
  if (before === null) return [];
  const [was, is] = [before.breaker, after.breaker];
  const run = c.nameOf(after.owner?.rowId ?? null);
  const wrong = is.failures.find((mark) => !was.failures.includes(mark) && endOf(c, mark) !== "error");
  if (wrong !== undefined) return [{ run, what: `${wrong} counts as a failure, and ended as ${endOf(c, wrong)}` }];
  if (isOpen(before) && !isOpen(after)) {
    const end = endOf(c, was.probe?.mark ?? "");
    const good = end === "value" || end === "permanent";
    return good ? [] : [{ run, what: `closed by ${was.probe?.mark ?? "nobody"}, which ended as ${end}` }];
  }
  return isOpen(after) && !isOpen(before) ? forgotten(c, after, run) : [];
}

/** A success that was told between the first failure and the last one should have made the count begin anew. */
function forgotten(c: Case, opening: Saved, run: string | null): Finding[] {
  const rows = pairs(c).map(([, row]) => row);
  const [first] = opening.breaker.failures;
  const firstAt = rows.find(({ breaker }) => breaker.failures.includes(first!))?.at ?? opening.at;
  const epoch = opening.breaker.epoch - 1;
  const epochAt = rows.find(({ breaker }) => breaker.epoch === epoch)?.at ?? opening.at;
  const between = [...guardedExecutions(c, "call"), ...guardedExecutions(c, "beside")].filter(
    ({ start, end, taking }) => {
      const told = c.acceptedOf(start.run, start.key);
      if (end?.result !== "value" || told === null || told.fence !== taking?.fence) return false;
      if (told.entry.checkpoint.attempt !== start.attempt) return false;
      return start.at > epochAt && end.at > firstAt && told.at < opening.at;
    },
  );
  return between.map(({ start }) => ({
    run,
    what: `opened, though "${start.key}" of ${start.run} succeeded in between`,
  }));
}

/** How the attempt of that mark ended; null: it never did. */
function endOf(c: Case, mark: string): string | null {
  const [rowId, fence, ...rest] = mark.split("/");
  const [key, attempt] = [rest.slice(0, -1).join("/"), Number(rest.at(-1))];
  const found = c.executions
    .get(`${c.nameOf(Number(rowId))} ${key}`)
    ?.findLast((one) => one.taking?.fence === Number(fence) && one.start.attempt === attempt);
  return found?.end?.result ?? null;
}

function show({ failures, openUntilMs }: Breaker): string {
  return `${failures.length} failures (${failures.join(", ")}), open until ${openUntilMs}`;
}
