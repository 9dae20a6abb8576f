/**
 * Invariants of steps: checkpoints, executions, attempts.
 */
import type { NewAttempt } from "../../model/step.ts";
import type { HistoryEvent, NoteKind } from "../../model/history.ts";
import { type Case, type Execution, type Finding, type Invariant, observedValue, isEarly, undoKey } from "./case.ts";
import { runText, type StepPolicy, type WitnessEvent } from "./evidence.ts";
import type { Accepted } from "./ledger.ts";

const CHECKPOINTS: Invariant = {
  id: "I4",
  title: "one checkpoint per run and step, and it never changes (P2)",
  check: (c) => [...rewritten(c), ...changed(c)],
};

const VALUES: Invariant = {
  id: "I5",
  title: "the body sees only values of checkpoints, the same on every replay (P2)",
  check: (c) => observed(c, false),
};

const NO_RERUN: Invariant = {
  id: "I6",
  title: "no step starts under a claim made after its checkpoint, without a claim, or after giving it up (P2)",
  check: (c) => [...c.executions.entries()].flatMap(([name, list]) => list.flatMap((one) => rerun(c, name, one))),
};

const EXECUTIONS: Invariant = {
  id: "I7",
  title: "a step runs once, and again only after a recorded failure, crash, release or loss of its lease",
  check: (c) =>
    [...c.executions.entries()].flatMap(([name, list]) => (ruled(c) ? unexplained(c, name, list) : tooMany(c, list))),
};

const ATTEMPTS: Invariant = {
  id: "I16",
  title: "attempts stay within their limit and wait at least their backoff, or what the error asked for (P10)",
  check: (c) =>
    [...c.executions.entries()].flatMap(([name, list]) => badAttempts(c, name, list)).concat(shortDelays(c)),
};

const PERMANENT: Invariant = {
  id: "I17",
  title: "a PermanentError is never tried again (P10)",
  check: (c) => [...c.executions.values()].flatMap(retriedPermanent),
};

const FAILURES: Invariant = {
  id: "I18",
  title: "a final failure that the body sees is a checkpoint (P2)",
  check: (c) => observed(c, true),
};

const ALONE: Invariant = {
  id: "I25",
  title: "a step never runs twice at the same time under one claim",
  check: (c) => [...c.executions.entries()].flatMap(([name, list]) => overlaps(c, name, list)),
};

const FENCED: Invariant = {
  id: "I28",
  title: "no step starts in a worker whose lease has run out (P3)",
  check: (c) => (ruled(c) ? [...c.executions.values()].flat().flatMap((one) => unleased(c, one)) : []),
};

/** See the header. */
export const STEP_INVARIANTS: readonly Invariant[] = [
  CHECKPOINTS,
  VALUES,
  NO_RERUN,
  EXECUTIONS,
  ATTEMPTS,
  PERMANENT,
  FAILURES,
  ALONE,
  FENCED,
];

/** Whether the store's records are known: in a kill test they are not. */
function ruled(c: Case): boolean {
  return c.evidence.records.length > 0;
}

function rewritten(c: Case): Finding[] {
  return c.ledger.breaches
    .filter((breach) => breach.rule === "rewrite")
    .map((breach) => ({ run: c.nameOf(breach.rowId), what: breach.what }));
}

/** What was accepted, what every replay was given and what stands at the end must agree. */
function changed(c: Case): Finding[] {
  const seen = new Map<string, string>();
  const findings: Finding[] = [];
  const see = (rowId: number, checkpoints: readonly { readonly key: string }[], whence: string): void => {
    for (const checkpoint of checkpoints) {
      const name = `${rowId} ${checkpoint.key}`;
      const content = JSON.stringify(Object.entries(checkpoint).sort(([a], [b]) => (a < b ? -1 : 1)));
      const earlier = seen.get(name) ?? content;
      seen.set(name, earlier);
      if (earlier !== content) {
        findings.push({ run: c.nameOf(rowId), what: `"${checkpoint.key}" was ${earlier}, ${whence} is ${content}` });
      }
    }
  };
  for (const one of c.ledger.checkpoints) see(one.rowId, [one.entry.checkpoint], "accepted");
  for (const record of c.evidence.records) {
    if (record.kind === "memory") see(record.rowId, record.memory.checkpoints, "replayed");
  }
  for (const { run, memory } of c.evidence.stories) {
    see(run.rowId, memory.checkpoints, "at the end");
    const kept = new Set(memory.checkpoints.map((checkpoint) => checkpoint.key));
    const lost = [...seen.keys()].filter(
      (name) => name.startsWith(`${run.rowId} `) && !kept.has(name.slice(name.indexOf(" ") + 1)),
    );
    for (const name of lost) findings.push({ run: runText(run), what: `checkpoint ${name} has vanished` });
  }
  return findings;
}

function observed(c: Case, failed: boolean): Finding[] {
  const events = c.evidence.witness.filter((event) => event.kind === "observed" && event.failed === failed);
  return (events as (WitnessEvent & { kind: "observed" })[]).flatMap((event) => {
    const checkpoint = c.storyOf.get(event.run)?.memory.checkpoints.find((one) => one.key === event.key);
    const accepted = c.acceptedOf(event.run, event.key);
    const what = `the body saw ${event.value} of "${event.key}"`;
    if (checkpoint === undefined) return [{ run: event.run, what: `${what}, which has no checkpoint` }];
    if (accepted !== null && accepted.at > event.at) return [{ run: event.run, what: `${what} before it was stored` }];
    const stored = observedValue(checkpoint);
    return stored === event.value ? [] : [{ run: event.run, what: `${what}, its checkpoint holds ${stored}` }];
  });
}

function rerun(c: Case, name: string, { start, taking }: Execution): Finding[] {
  const key = keyOf(start);
  if (!ruled(c)) {
    const stored = c.storyOf.get(start.run)?.history.find((event) => event.kind === "step" && event.key === key);
    const late = stored !== undefined && start.wallMs > stored.atMs;
    return late
      ? [{ run: start.run, what: `"${key}" started ${start.wallMs - stored.atMs} ms after its checkpoint` }]
      : [];
  }
  const where = `"${key}" (${describe(start)})`;
  if (taking === null) return [{ run: start.run, what: `${where} started without a claim` }];
  const stored = c.acceptedOf(start.run, key);
  if (stored !== null && taking.at > stored.at) {
    return [
      { run: start.run, what: `${where} started under fence ${taking.fence}, checkpointed under ${stored.fence}` },
    ];
  }
  const gaveUp = taking.endedAt !== null && taking.endedAt < start.at && taking.endedBy !== "freed";
  return gaveUp ? [{ run: start.run, what: `${where} started after its run was ${taking.endedBy} (${name})` }] : [];
}

/**
 * Per claim: one start, one more per failure stored under it; and one that ended by itself leaves nothing unfinished.
 */
function unexplained(c: Case, name: string, list: readonly Execution[]): Finding[] {
  const { start, rowId } = list[0]!;
  const key = keyOf(start);
  const byFence = Map.groupBy(list, (one) => one.taking?.fence ?? 0);
  const lastFence = Math.max(...byFence.keys());
  return [...byFence].flatMap(([fence, starts]) => {
    const failures = failuresOf(c, rowId, key).filter((failure) => failure.fence === fence).length;
    const concluded = failures + (c.acceptedOf(start.run, key)?.fence === fence ? 1 : 0);
    const endedBy = starts[0]?.taking?.endedBy;
    if (starts.length > failures + 1) {
      return [
        {
          run: start.run,
          what: `"${key}" started ${starts.length} times under fence ${fence} with ${failures} failures`,
        },
      ];
    }
    const interrupted = endedBy === "freed" || endedBy === "released";
    if (fence === lastFence || starts.length <= concluded || interrupted) return [];
    return [{ run: start.run, what: `"${key}" ran under fence ${fence}, was not recorded, and ran again (${name})` }];
  });
}

/** Without the store's records: a step starts once, and again for each failure and each interruption of its run. */
function tooMany(c: Case, list: readonly Execution[]): Finding[] {
  const { start, rowId } = list[0]!;
  const key = keyOf(start);
  const failures = failuresOf(c, rowId, key).length;
  const explained = 1 + failures + interruptionsOf(c, start.run).length;
  return list.length <= explained
    ? []
    : [{ run: start.run, what: `"${key}" started ${list.length} times, ${explained} are explained` }];
}

/** Claims that ended before their run did, perhaps in the middle of a step. */
function interruptionsOf(c: Case, run: string): readonly HistoryEvent[] {
  const history = c.storyOf.get(run)?.history ?? [];
  return history.filter((event) => event.kind === "note" && INTERRUPTIONS.includes(event.note));
}

const INTERRUPTIONS: readonly NoteKind[] = ["takeover", "released"];

function failuresOf(c: Case, rowId: number, key: string): readonly Pick<Accepted<unknown>, "fence">[] {
  if (ruled(c)) {
    return c.ledger.attempts.filter(
      (one) => one.rowId === rowId && one.entry.attempt.key === key && one.entry.attempt.state === "failed",
    );
  }
  const story = c.evidence.stories.find(({ run }) => run.rowId === rowId);
  const failed = story?.history.filter((event) => event.kind === "attempt_failed" && event.key === key) ?? [];
  return failed.map(() => ({ fence: 0 }));
}

function badAttempts(c: Case, name: string, list: readonly Execution[]): Finding[] {
  return list.flatMap(({ start, rowId }) => {
    const key = keyOf(start);
    const policy = policyOf(c, key);
    if (policy === null) return [];
    if (start.attempt > policy.attemptsMax) {
      return [{ run: start.run, what: `"${key}" made attempt ${start.attempt} of ${policy.attemptsMax} (${name})` }];
    }
    const failure = c.ledger.attempts.find((one) => isFailure(one, rowId, key, start.attempt - 1));
    if (failure === undefined) return [];
    const { attempt, dueInMs } = failure.entry;
    const early = isEarly(c, start.wallMs, attempt.dueAtMs ?? 0) && start.trueMs - failure.trueMs < (dueInMs ?? 0);
    const what = `"${key}" made attempt ${start.attempt} at ${start.wallMs}, due at ${attempt.dueAtMs}`;
    return early ? [{ run: start.run, what }] : [];
  });
}

function isFailure(
  one: Accepted<{ readonly attempt: NewAttempt }>,
  rowId: number,
  key: string,
  attempt: number,
): boolean {
  const { attempt: stored } = one.entry;
  return one.rowId === rowId && stored.key === key && stored.attempt === attempt && stored.state === "failed";
}

function shortDelays(c: Case): Finding[] {
  return c.ledger.attempts.flatMap(({ rowId, entry }) => {
    const { key, attempt, state } = entry.attempt;
    const policy = policyOf(c, key);
    if (state !== "failed" || policy === null || entry.dueInMs === null) return [];
    const run = c.nameOf(rowId);
    const ends = c.executions.get(`${run} ${key}`)?.filter((one) => one.start.attempt === attempt) ?? [];
    const asked = ends.map((one) => one.end?.retryAfterMs ?? null).find((ms) => ms !== null);
    const leastMs = asked ?? policy.delayMsMin;
    return entry.dueInMs >= leastMs
      ? []
      : [{ run, what: `"${key}" waits ${entry.dueInMs} ms after attempt ${attempt}, ${leastMs} is the least` }];
  });
}

function retriedPermanent(list: readonly Execution[]): Finding[] {
  const permanent = list.filter((one) => one.end?.result === "permanent").map((one) => one.start.attempt);
  if (permanent.length === 0) return [];
  const least = Math.min(...permanent);
  const later = list.find((one) => one.start.attempt > least);
  if (later === undefined) return [];
  const { start } = later;
  return [
    {
      run: start.run,
      what: `"${keyOf(start)}" made attempt ${start.attempt} after a PermanentError in attempt ${least}`,
    },
  ];
}

function overlaps(c: Case, name: string, list: readonly Execution[]): Finding[] {
  if (policyOf(c, keyOf(list[0]!.start))?.timed === true) return [];
  return list.flatMap((one, index) => {
    const before = list.slice(0, index).find((earlier) => {
      const together = earlier.start.process === one.start.process && underOneClaim(c, earlier, one);
      return together && (earlier.end?.at ?? Infinity) > one.start.at;
    });
    return before === undefined
      ? []
      : [{ run: one.start.run, what: `${name} ran twice at once (${describe(one.start)})` }];
  });
}

/** Without the store's records: the history tells of no claim that ended in between; deaf step code goes on after that. */
function underOneClaim(c: Case, earlier: Execution, later: Execution): boolean {
  if (ruled(c)) return earlier.taking?.fence === later.taking?.fence;
  const [fromMs, toMs] = [earlier.start.trueMs, later.start.trueMs];
  const interruptions = interruptionsOf(c, later.start.run);
  return !interruptions.some(({ atMs }) => atMs >= fromMs && atMs <= toMs);
}

/** Measured in true time from the last renewal of the worker that made the claim, as far as its process knew of it. */
function unleased(c: Case, { start, taking }: Execution): Finding[] {
  if (taking === null) return [];
  let renewedMs = -Infinity;
  for (const record of c.evidence.records) {
    if (record.at > start.at) break;
    const renewal = record.kind === "register" || (record.kind === "renew" && record.renewed);
    if (renewal && record.workerId === taking.workerId && (record.knownAt ?? Infinity) < start.at) {
      renewedMs = record.trueMs;
    }
  }
  const lateMs = start.trueMs - renewedMs - c.evidence.leaseMs;
  if (lateMs <= 0) return [];
  const step = `"${keyOf(start)}" (${describe(start)})`;
  const what = `${step} started ${lateMs} ms after the lease of worker ${taking.workerId}`;
  return [{ run: start.run, what }];
}

/** The key under which the engine records what `start` began. */
function keyOf(start: Pick<WitnessEvent & { kind: "start" }, "key" | "undo">): string {
  return start.undo ? undoKey(start.key) : start.key;
}

/** By the first part of the key, else `*`; a compensation's is named by its own key. */
function policyOf(c: Case, key: string): StepPolicy | null {
  const undo = key.startsWith(undoKey(""));
  const bare = undo ? key.slice(undoKey("").length) : key;
  const first = bare.split("/")[0]!;
  const { policies } = c.evidence;
  if (undo) return policies[undoKey(first)] ?? policies[undoKey("*")] ?? null;
  return policies[first] ?? policies["*"] ?? null;
}

function describe(start: WitnessEvent & { readonly kind: "start" }): string {
  return `execution ${start.execution} in ${start.process} at ${start.trueMs} ms`;
}
