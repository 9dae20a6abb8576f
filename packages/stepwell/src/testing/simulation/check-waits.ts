/**
 * Invariants of what reaches a run from outside: signals, cancels, time.
 */
import type { ApprovalOutcome } from "../../model/approval.ts";
import { decode } from "../../model/json.ts";
import { parseFailure } from "../../model/failure.ts";
import type { HistoryEvent } from "../../model/history.ts";
import type { Checkpoint } from "../../model/step.ts";
import { type Case, type Finding, type Invariant, isEarly, toJson } from "./case.ts";
import { type Request, runText, type Story } from "./evidence.ts";
import type { Ledger } from "./ledger.ts";

type Began = Ledger["attempts"][number];
type Post = Ledger["posts"][number];

const SIGNALS: Invariant = {
  id: "I13",
  title: "each signal is consumed at most once, in order, by the wait that got its payload (P6)",
  check: (c) => [...consumedTwice(c), ...c.evidence.stories.flatMap((story) => wrongPayloads(story))],
};

const AWAITED: Invariant = {
  id: "I29",
  title: "a signal that was stored before a wait's deadline is not answered with a timeout (P6)",
  check: (c) => c.evidence.stories.flatMap((story) => passedOver(c, story)),
};

const TIMERS: Invariant = {
  id: "I14",
  title: "timers and timeouts never fire early (P7)",
  check: (c) => [...earlyByRecord(c), ...c.evidence.stories.flatMap((story) => earlyByHistory(c, story))],
};

const CANCELS: Invariant = {
  id: "I15",
  title: "after an acknowledged cancel no step starts beyond the bound, and the run ends cancelled",
  check: (c) => [
    ...c.requestsOf("cancel").flatMap((request) => lateSteps(c, request)),
    ...c.evidence.stories.flatMap(ignored),
  ],
};

const PAUSES: Invariant = {
  id: "I34",
  title: "after an acknowledged pause no step starts beyond the bound until a resume is asked for",
  check: (c) => c.requestsOf("pause").flatMap((request) => lateSteps(c, request)),
};

const DEADLINES: Invariant = {
  id: "I31",
  title: "a run fails for want of time when its time is up, not before, and then begins no step (P7)",
  check: (c) => c.evidence.stories.flatMap((story) => [...expiredEarly(c, story), ...lateWork(c, story)]),
};

/** See the header. */
export const WAIT_INVARIANTS: readonly Invariant[] = [SIGNALS, AWAITED, TIMERS, CANCELS, PAUSES, DEADLINES];

function consumedTwice(c: Case): Finding[] {
  const consumed = new Map<string, string>();
  const lastOf = new Map<string, number>();
  return c.ledger.checkpoints.flatMap(({ rowId, entry }) => {
    const { checkpoint, consumes } = entry;
    if (consumes === null) return [];
    const run = c.nameOf(rowId);
    const post = c.ledger.posts.find((one) => one.rowId === rowId && one.seq === consumes);
    const item = `${rowId} ${consumes}`;
    const earlier = consumed.get(item);
    consumed.set(item, checkpoint.key);
    if (earlier !== undefined) {
      return [{ run, what: `item ${consumes} was consumed by "${earlier}" and by "${checkpoint.key}"` }];
    }
    if (post === undefined) {
      return [{ run, what: `"${checkpoint.key}" consumed item ${consumes}, which nobody posted` }];
    }
    const queue = `${rowId} ${post.kind} ${post.name}`;
    const last = lastOf.get(queue) ?? 0;
    lastOf.set(queue, consumes);
    return (post.kind === "signal" || post.kind === "decision") && consumes < last
      ? [{ run, what: `${post.name} ${consumes} was consumed after ${last}` }]
      : [];
  });
}

/** In the history a consumption stands right before the checkpoint that it made. */
function wrongPayloads({ run, history }: Story): Finding[] {
  return history.flatMap((event, index) => {
    const next = history[index + 1];
    if (event.kind !== "received" || event.seq === null || event.item !== "signal") return [];
    if (next?.kind !== "step" || next.step !== "signal") {
      return [{ run: runText(run), what: `signal ${event.seq} was consumed by no wait` }];
    }
    const answer = decode(next.value) as { readonly ok: boolean; readonly value?: unknown };
    const sent = toJson(decode(event.value));
    if (answer.ok && toJson(answer.value) === sent) return [];
    return [{ run: runText(run), what: `"${next.key}" got ${next.value} from ${event.name} ${sent}` }];
  });
}

/** A signal left over although a wait for its name, which it had reached in time, was answered with a timeout. */
function passedOver(c: Case, { run, history }: Story): Finding[] {
  const { rowId } = run;
  return history.filter(isTimeout).flatMap((timeout) => {
    const name = /(?:^|\/)@wait\/([^/]+)\//.exec(timeout.key)?.[1];
    const began = c.ledger.attempts.find((one) => one.rowId === rowId && isBeginning(one, timeout.key));
    const decided = c.acceptedOf(runText(run), timeout.key);
    const early = c.ledger.posts.find((post) => {
      if (post.rowId !== rowId || post.kind !== "signal" || post.name !== name) return false;
      if (decided !== null && post.at > decided.at) return false;
      return (began === undefined || isInTime(began, post)) && !wasConsumedBefore(c, post, timeout.seq ?? 0);
    });
    if (early === undefined) return [];
    const dueAtMs = began?.entry.attempt.dueAtMs;
    const what = `"${timeout.key}" timed out (due ${dueAtMs}), but ${name} ${early.seq} was stored at ${early.atMs}`;
    return [{ run: runText(run), what }];
  });
}

function isBeginning({ entry: { attempt } }: Began, key: string): boolean {
  return attempt.key === key && attempt.state === "waiting";
}

/** An approval that people have decided: each decision was consumed by a verdict of its own. */
function isAnswered({ kind, value }: Checkpoint): boolean {
  return kind === "approval" && (decode(value) as ApprovalOutcome).state !== "timed_out";
}

/** By the store's clock and by true time: a clock that was set back stands still, and makes all look in time. */
export function isInTime(began: Began, { atMs, trueMs }: Post): boolean {
  const dueAtMs = began.entry.attempt.dueAtMs ?? Infinity;
  return atMs < dueAtMs && trueMs - began.trueMs < dueAtMs - began.atMs;
}

function wasConsumedBefore(c: Case, { rowId, seq }: Post, historySeq: number): boolean {
  return c.ledger.checkpoints.some(
    ({ rowId: of, entry }) => of === rowId && entry.consumes === seq && entry.checkpoint.seq < historySeq,
  );
}

function isTimeout(event: HistoryEvent): event is HistoryEvent & { readonly kind: "step" } {
  if (event.kind !== "step" || event.step !== "signal" || event.outcome !== "completed") return false;
  return !(decode(event.value) as { ok: boolean }).ok;
}

/** Early by the store's clock and by true time: a clock that was set back makes the first alone look so. */
function earlyByRecord(c: Case): Finding[] {
  return c.ledger.attempts.flatMap((began) => {
    const { attempt, dueInMs } = began.entry;
    if (attempt.state !== "waiting" || attempt.dueAtMs === null) return [];
    const run = c.nameOf(began.rowId);
    const fired = run === null ? null : c.acceptedOf(run, attempt.key);
    if (fired === null || (fired.entry as { consumes?: number | null }).consumes !== null) return [];
    if (fired.entry.checkpoint.outcome !== "completed" || isAnswered(fired.entry.checkpoint)) return [];
    const lengthMs = dueInMs ?? attempt.dueAtMs - began.atMs;
    return isEarly(c, fired.atMs, attempt.dueAtMs) && fired.trueMs - began.trueMs < lengthMs
      ? [{ run, what: `"${attempt.key}" fired at ${fired.atMs}, due at ${attempt.dueAtMs}` }]
      : [];
  });
}

function earlyByHistory(c: Case, { run, history }: Story): Finding[] {
  if (c.evidence.records.length > 0) return [];
  return history.flatMap((event) => {
    if (event.kind !== "step" || (event.step !== "sleep" && !isTimeout(event)) || event.outcome !== "completed") {
      return [];
    }
    const began = history.find((one) => one.kind === "wait_began" && one.key === event.key);
    const dueAtMs = began?.kind === "wait_began" ? (began.dueAtMs ?? 0) : 0;
    return event.atMs >= dueAtMs
      ? []
      : [{ run: runText(run), what: `"${event.key}" fired at ${event.atMs}, due at ${dueAtMs}` }];
  });
}

/** By the store's clock and by true time, as timers are. */
function expiredEarly(c: Case, { run }: Story): Finding[] {
  const { deadlineAtMs, createdAtMs } = run;
  const started = c.ledger.inserted.find((one) => one.rowId === run.rowId);
  return c.ledger.transitions.flatMap(({ rowId, entry, atMs, trueMs }) => {
    const error = rowId === run.rowId && (entry.kind === "fail" || entry.kind === "compensate") ? entry.error : null;
    if (error === null || parseFailure(error).code !== "RUN_TIMEOUT") return [];
    if (deadlineAtMs === null) return [{ run: runText(run), what: "has no deadline, but failed for it" }];
    const early = isEarly(c, atMs, deadlineAtMs) && trueMs - (started?.trueMs ?? 0) < deadlineAtMs - createdAtMs;
    return early ? [{ run: runText(run), what: `expired at ${atMs}, its time was up at ${deadlineAtMs}` }] : [];
  });
}

/** A claim tells the store's clock: who takes a run whose time is up only ends it. */
function lateWork(c: Case, { run }: Story): Finding[] {
  const { deadlineAtMs, rowId } = run;
  if (deadlineAtMs === null) return [];
  const late = c.evidence.records.flatMap((record) =>
    record.kind !== "claim" ? [] : record.claims.filter((one) => one.run.rowId === rowId && one.nowMs >= deadlineAtMs),
  );
  const fences = new Set(late.map((claim) => claim.run.fence));
  return [...c.executions.values()].flat().flatMap(({ start, taking, rowId: of }) => {
    const wrong = of === rowId && !start.undo && taking !== null && fences.has(taking.fence);
    return wrong ? [{ run: runText(run), what: `"${start.key}" began when its time was up (${deadlineAtMs})` }] : [];
  });
}

/** After a cancel undoing goes on, and takes a run off hold; what has begun before may end. */
function lateSteps(c: Case, request: Request & { readonly kind: "cancel" | "pause" }): Finding[] {
  const { run, kind, answeredMs } = request;
  if (answeredMs === null) return [];
  const fromMs = answeredMs + c.evidence.cancelMs;
  const until =
    kind === "pause" ? ["resume" as const, "cancel" as const].flatMap((ending) => c.requestsOf(ending)) : [];
  const untilAt = Math.min(...until.filter((other) => other.run === run).map(({ askedAt }) => askedAt));
  return c.evidence.witness.flatMap((event) => {
    const late = event.kind === "start" && event.run === run && event.trueMs > fromMs && event.at < untilAt;
    const undoes = kind === "cancel" && late && event.undo;
    const what = `"${event.key}" started at ${event.trueMs} ms, a ${kind} was acknowledged at ${answeredMs} ms`;
    return late && !undoes ? [{ run, what }] : [];
  });
}

/** A cancel that was consumed decides the end, unless the undoing failed. */
function ignored({ run, history }: Story): Finding[] {
  const consumed = history.some((event) => event.kind === "received" && event.item === "cancel" && event.seq !== null);
  const failed = run.error !== null && parseFailure(run.error).code === "COMPENSATION_FAILED";
  const ends = run.state === "completed" || run.state === "failed";
  return consumed && ends && !failed ? [{ run: runText(run), what: `consumed a cancel, then ${run.state}` }] : [];
}
