/**
 * Execution: one claimed run in the memory of its worker, and the body that runs for it.
 *
 * All mutable state of a run stands here. An execution outlives parks (its body
 * lingers); it ends with the run, or is lost when the claim is.
 *
 *   E1. Only a `running` execution writes, always under its `owner` (P3).
 *   E2. History numbers are allocated here, in the order of the writes, without gaps.
 *   E3. Outcomes reach the body one per macrotask, in the order of their numbers, on the first
 *       run and on every replay (deliveries), so that Promise.race has the same winner.
 */
import { ancestryOf } from "../model/ancestry.ts";
import { decode } from "../model/json.ts";
import type { InboxItem } from "../model/inbox.ts";
import { toUndone, type Undone } from "../model/reopening.ts";
import type { Attributes, Owner, Run, Wait } from "../model/run.ts";
import type { Attempt, Checkpoint, StepKind } from "../model/step.ts";
import type { Outcome } from "../model/transition.ts";
import type { Claim, Memory } from "../store/store.ts";
import type { RunRef, Write } from "../store/write.ts";
import type { Pending } from "./chain.ts";
import type { Answered } from "./commit.ts";
import type { StepContext } from "./handler.ts";
import type { Host, Place } from "./host.ts";
import type { RetryPolicy } from "../model/retry.ts";
import type { Workflow } from "./workflow.ts";

/**
 * `running`: holds the claim. `parking`: asked to give it up. `parked`: gave it up, may be continued under the
 * next fence. `over`: the run has ended or was given back. `lost`: another took it, or must.
 */
export type Phase = "running" | "parking" | "parked" | "over" | "lost";

/** A ctx call that has begun and not been delivered. */
export type OpenCall = Pending & {
  readonly exec: Execution;
  readonly key: string;
  readonly kind: StepKind;
  /** Of an awaited child. */
  readonly child?: RunRef;
};

/** A durable wait of this execution; `fire` gets the item that ended it, or null when it fell due. */
export type PendingWait = Wait & { readonly fire: (item: InboxItem | null) => void };

/**
 * Why step code is asked to stop: `timeout` ends the attempt, `cancelled` and `floating` end the step, `lost`: write
 * nothing.
 */
export type AbortCause = "timeout" | "cancelled" | "floating" | "lost";

/** The newest heartbeat of an attempt. Moments are those of the host's monotonic clock; `text` is encoded. */
export type Beat = { text: string | null; atMs: number; savedAtMs: number; saved: boolean };

/** Step code that is running now, or ran: where the code it calls is (see host.ts), and whether it was asked to stop. */
export type RunningStep = Place & {
  readonly exec: Execution;
  readonly key: string;
  readonly context: StepContext;
  /** By the host's monotonic clock. */
  readonly startedMs: number;
  abortedFor: AbortCause | null;
  abortReason: unknown;
  /** Made when the code first asks for its signal. */
  controller: AbortController | null;
  /** True once the code has come to its end; of code that returns no promise nobody asks. */
  ended: boolean;
  /** True once the store knows that it is running. */
  told: boolean;
  /** Null until it tells of itself. */
  beat: Beat | null;
};

/** How to undo a completed step: its closure, called with the decoded checkpoint. */
export type Compensation = {
  readonly key: string;
  readonly seq: number;
  readonly retry: RetryPolicy;
  readonly undo: (step: StepContext) => unknown;
};

/** A ctx call that may not begin before the claim is held again. */
export type HeldCall = { readonly call: OpenCall; readonly begin: () => void };

/** What a transaction of a run makes wait, see hold-writes.ts. */
export type Hold = {
  /** Submitted since; stored once the transaction is over. */
  readonly kept: { readonly write: Write; readonly answered: Answered }[];
  /** Called when all that was submitted before is answered. */
  ready: () => void;
  /** Transactions that come after it. */
  readonly next: (() => void)[];
};

/** Why an execution gives its slot up. */
export type Left = "parked" | "over" | "lost";

/** An outcome on its way to the body. */
export type Delivery = { readonly seq: number; readonly settle: () => void };

/** See the header. */
export type Execution = {
  readonly workflow: Workflow;
  run: Run;
  /** The decoded input, where it is at hand; the first body takes it. Null: decode the stored text. */
  freshInput: { readonly value: unknown } | null;
  owner: Owner;
  phase: Phase;
  /** What the store's clock said last, and the host's monotonic clock when we heard of it. */
  clock: { readonly storeMs: number; readonly monotonicMs: number };
  /** Last history number used (E2). */
  seq: number;
  /** Checkpoints that the body has not asked for yet. */
  readonly recorded: Map<string, Checkpoint>;
  /** Newest failed attempt, or beginning of a wait, of each call that has one. */
  readonly attempts: Map<string, Attempt>;
  /** Attempts without an outcome, see uncertain.ts; null: none. */
  readonly interrupted: ReadonlyMap<string, number> | null;
  /** Last heartbeat of earlier attempts by key, encoded; null: none told of itself. */
  beats: Map<string, string> | null;
  /** Steps that an earlier generation undid, see model/reopening.ts; null: none. */
  readonly undone: Undone;
  /** Of a fork: the run from whose id randomness derives. */
  readonly origin: string | null;
  /** Search attributes as this body has set them so far; null: it has set none. */
  attributes: Attributes | null;
  /** Keys that this body has asked for. */
  readonly asked: Set<string>;
  /** How often each signal was waited for; like `waits` and `compensations` made when first needed: most runs need none. */
  waitCounts: Late<number>;
  readonly open: Map<string, OpenCall>;
  waits: Late<PendingWait>;
  /** Keys of approvals that have been opened and have no outcome. */
  approvals: Set<string>;
  readonly stepping: Set<RunningStep>;
  /** Step code that the run does not wait for any longer; it may still be running. */
  readonly abandoned: RunningStep[];
  /** Writes submitted and not answered, and transactions under way. */
  unanswered: number;
  /** While a transaction of the run is under way, see hold-writes.ts; null: none is. */
  hold: Hold | null;
  /** Counts what `seq` does not: see stuck.ts. */
  moves: number;
  /** Received, not consumed, by number. */
  inbox: InboxItem[];
  inboxSeen: number;
  cancel: InboxItem | null;
  /** True while the body only replays to hand over its compensations: what is not recorded never settles. */
  collecting: boolean;
  /** True once the body's outcome is decided, by its end or over its head: it hears nothing more. */
  closed: boolean;
  /** True once the body has returned or thrown; later ctx calls are its mistake. */
  bodyEnded: boolean;
  /** True while the run's next transition is being settled: it neither parks nor drains then. */
  finishing: boolean;
  draining: boolean;
  /** True while an operator's newest request is a pause, see hold.ts. */
  holding: boolean;
  /**
   * False while a replay has only been answered from checkpoints; logs and progress of that stretch are not repeated.
   */
  live: boolean;
  compensations: Late<Compensation>;
  deliveries: Delivery[];
  /** How many of them were recorded by an earlier execution. */
  replaying: number;
  /** True while the inbox is read because waits that outsiders may end are due. */
  timingOut: boolean;
  deliveriesSorted: boolean;
  pumping: boolean;
  /** Flush whose answer was last delivered directly. */
  deliveredIn: number;
  /** Calls held back while the claim is not held. */
  held: HeldCall[];
  idleCheckScheduled: boolean;
  cancelTimer: (() => void) | null;
  /** Ends the current stretch (body or compensation) with this outcome; the first one counts. */
  stop: (outcome: Outcome) => void;
  /** Tells the worker that the slot is free. */
  readonly leave: (exec: Execution, how: Left) => void;
  /** Called when nothing is under way any more, for those who wait for that. */
  onQuiet: (() => void) | null;
  /** Decides in a macrotask whether the run parks, see idle.ts. */
  readonly checkIdle: (exec: Execution) => void;
  /** Hears what a step tells of itself, see beat.ts. */
  readonly beat: (step: RunningStep, details: unknown) => void;
};

/** Stands for every map that has had no entry yet. */
const NOTHING: Map<string, never> = new Map<string, never>();
const NO_KEYS: Set<string> = new Set();

/** A map that is made with its first entry; see {@link added}. */
export type Late<V> = Omit<Map<string, V>, "set">;

/** `map` with one more entry. */
export function added<V>(map: Late<V>, key: string, value: V): Late<V> {
  return map.size === 0 ? new Map([[key, value]]) : (map as Map<string, V>).set(key, value);
}

/** What an execution tells its worker. */
export type ExecutionHooks = Pick<Execution, "leave" | "checkIdle" | "beat">;

/** A fresh execution of a claimed run; `memory` is null for a run that was never claimed before. */
export function newExecution(
  workflow: Workflow,
  claim: Claim,
  memory: Memory | null,
  hooks: ExecutionHooks,
): Execution {
  const { run } = claim;
  return {
    workflow,
    run,
    freshInput: null,
    owner: ownerOf(run),
    phase: "running",
    clock: { storeMs: claim.nowMs, monotonicMs: Infinity },
    seq: memory?.lastSeq ?? run.historySeq,
    recorded: memory === null ? NOTHING : new Map(memory.checkpoints.map((checkpoint) => [checkpoint.key, checkpoint])),
    origin: memory === null ? null : (ancestryOf(memory.checkpoints)?.origin ?? null),
    attempts: memory === null ? NOTHING : newestAttempts(memory),
    interrupted: memory === null ? null : interruptedIn(memory.attempts),
    beats: memory === null ? null : lastBeats(memory),
    undone: memory === null ? null : toUndone(memory.undone),
    attributes: null,
    asked: new Set(),
    waitCounts: NOTHING,
    open: new Map(),
    waits: NOTHING,
    approvals: memory === null ? NO_KEYS : openApprovals(memory),
    stepping: new Set(),
    abandoned: [],
    unanswered: 0,
    hold: null,
    moves: 0,
    inbox: memory === null ? [] : [...memory.inbox],
    inboxSeen: Math.max(run.inboxSeq, memory?.inboxSeq ?? 0),
    cancel: null,
    collecting: false,
    closed: false,
    bodyEnded: false,
    finishing: false,
    draining: false,
    holding: memory?.inbox.findLast((item) => isRequest(item) || item.kind === "cancel")?.kind === "pause",
    live: memory === null,
    compensations: NOTHING,
    deliveries: [],
    replaying: 0,
    timingOut: false,
    deliveriesSorted: true,
    pumping: false,
    deliveredIn: -1,
    held: [],
    idleCheckScheduled: false,
    cancelTimer: null,
    stop: () => {},
    onQuiet: null,
    leave: hooks.leave,
    checkIdle: hooks.checkIdle,
    beat: hooks.beat,
  };
}

/** Of a run as it was claimed: it has a worker. */
export function ownerOf({ rowId, workerId, fence }: Run): Owner {
  return { rowId, workerId: workerId!, fence };
}

/** The input for one body, which may change it as it likes: every body gets a copy of its own. */
export function takeInput(exec: Execution): unknown {
  const { freshInput } = exec;
  exec.freshInput = null;
  return freshInput === null ? decode(exec.run.input) : freshInput.value;
}

/** An attempt that was running when its worker died is no failure: it is made again, under the same number. */
function newestAttempts({ attempts }: Memory): Map<string, Attempt> {
  const told = attempts.filter((attempt) => attempt.state !== "running");
  return new Map(told.map((attempt) => [attempt.key, attempt]));
}

/** Begun by an earlier execution: what this body does not ask for again has to be closed all the same. */
function openApprovals({ attempts, checkpoints }: Memory): Set<string> {
  if (!attempts.some(({ kind }) => kind === "approval")) return NO_KEYS;
  const begun = attempts.filter(({ kind }) => kind === "approval");
  const ended = new Set(checkpoints.map(({ key }) => key));
  return new Set(begun.map(({ key }) => key).filter((key) => !ended.has(key)));
}

/** Attempts that an earlier execution began and that have no outcome, by the key of their step. */
function interruptedIn(attempts: readonly Attempt[]): Execution["interrupted"] {
  const running = attempts.filter(({ state }) => state === "running");
  return running.length === 0 ? null : new Map(running.map(({ key, attempt }) => [key, attempt]));
}

function lastBeats({ attempts }: Memory): Map<string, string> | null {
  const told = attempts.filter((attempt) => attempt.beat !== null);
  return told.length === 0 ? null : new Map(told.map((attempt) => [attempt.key, attempt.beat!]));
}

/** The run's public name, for messages and the log. */
export function runName(exec: Execution): string {
  return `${exec.run.namespace}/${exec.run.name} ${exec.run.id}`;
}

/** Take note of the store's clock. */
export function observeClock(host: Host, exec: Execution, storeMs: number): void {
  exec.clock = { storeMs, monotonicMs: host.monotonicMs() };
}

/** The store's clock has passed at least this moment: what it said last, and the time since. Timers go by it (P7). */
export function storeNowMs(host: Host, exec: Execution): number {
  return exec.clock.storeMs + Math.max(0, host.monotonicMs() - exec.clock.monotonicMs);
}

/** True once nothing may be written any more; asked after every await, since the claim can go meanwhile. */
export function isGone(exec: Execution): boolean {
  return exec.phase === "over" || exec.phase === "lost";
}

/** True for an operator's request to pause or to resume the run. */
export function isRequest({ kind }: InboxItem): boolean {
  return kind === "pause" || kind === "resume";
}

/** True while no step may begin, because the worker leaves or an operator said so. */
export function isHalting(exec: Execution): boolean {
  return exec.draining || exec.holding;
}

/** True while step code runs, writes are unanswered or outcomes are on their way. */
export function isBusy(exec: Execution): boolean {
  return exec.stepping.size > 0 || exec.unanswered > 0 || exec.deliveries.length > 0;
}

/** The store has answered: one thing less that is under way. */
export function countAnswer(exec: Execution): void {
  exec.unanswered -= 1;
  if (exec.hold !== null && exec.unanswered === exec.hold.kept.length) exec.hold.ready();
}

/** Look, in a later macrotask, whether the run is idle. */
export function scheduleIdleCheck(host: Host, exec: Execution): void {
  if (exec.idleCheckScheduled) return;
  exec.idleCheckScheduled = true;
  host.defer(() => {
    exec.idleCheckScheduled = false;
    if (exec.phase === "running") exec.checkIdle(exec);
  });
}

/** Begin what was held back while the claim was not held. */
export function releaseHeld(exec: Execution): void {
  for (const call of exec.held.splice(0)) call.begin();
}

/** Ask all running step code to stop. */
export function abortSteps(exec: Execution, cause: AbortCause, error: unknown): void {
  for (const step of exec.stepping) abortStep(step, cause, error);
}

/** Ask the code of one attempt to stop; the first cause counts. */
export function abortStep(step: RunningStep, cause: AbortCause, reason: unknown): void {
  if (step.abortedFor !== null) return;
  step.abortedFor = cause;
  step.abortReason = reason;
  step.controller?.abort(reason);
}

/** The claim is gone, or must not be used again: stop writing, stop the step code, forget the body. */
export function loseExecution(exec: Execution, error: unknown): void {
  if (exec.phase === "over" || exec.phase === "lost") return;
  const heldSlot = exec.phase !== "parked";
  exec.phase = "lost";
  exec.cancelTimer?.();
  exec.waits.clear();
  exec.open.clear();
  exec.held = [];
  exec.deliveries = [];
  abortSteps(exec, "lost", error);
  if (heldSlot) exec.leave(exec, "lost");
}
