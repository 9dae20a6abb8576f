/**
 * A stage for hand-made evidence: the same event told to the store's records, to the
 * witness log and to the history, so that a story is faultless unless it is broken.
 */
import { encode } from "../../src/model/json.ts";
import { failureText, toFailure } from "../../src/model/failure.ts";
import type { HistoryEvent } from "../../src/model/history.ts";
import type { Owner, Run } from "../../src/model/run.ts";
import type { Checkpoint } from "../../src/model/step.ts";
import type { Transition } from "../../src/model/transition.ts";
import type { Memory } from "../../src/store/store.ts";
import type { Write, WriteResult } from "../../src/store/write.ts";
import type {
  Evidence,
  Request,
  Snapshot,
  StoreRecord,
  Story,
  WitnessEvent,
} from "../../src/testing/simulation/evidence.ts";

/** Where stories are played. Time passes when told. */
export type Stage = {
  order: number;
  nowMs: number;
  readonly records: StoreRecord[];
  readonly witness: WitnessEvent[];
  readonly requests: Request[];
  readonly snapshots: Snapshot[];
  readonly stories: Story[];
};

/** A run on the stage. */
export type Actor = {
  readonly stage: Stage;
  readonly run: Run;
  readonly name: string;
  readonly history: HistoryEvent[];
  readonly checkpoints: Checkpoint[];
  owner: Owner;
  seq: number;
  generation: number;
  executions: number;
};

/** An item that a checkpoint uses up. */
export type Consumed = {
  readonly item: number;
  readonly kind: "signal" | "child" | "decision";
  readonly name: string;
  readonly payload: string;
  /** "test" unless told. */
  readonly actor?: string;
};

/** Encoded text of a value. */
export const text = (value: unknown): string => encode(value).text;

/** Stored Failure of that message. */
export const failure = (message: string, code?: string): string =>
  failureText(toFailure(Object.assign(new Error(message), code === undefined ? {} : { code })));

/** An empty stage with two workers. */
export function openStage(): Stage {
  const stage: Stage = { order: 0, nowMs: 0, records: [], witness: [], requests: [], snapshots: [], stories: [] };
  for (const workerId of [1, 2]) {
    keepRecord(stage, { kind: "register", workerId, worker: {}, leaseUntilMs: 100_000 }, `w${workerId}`);
  }
  return stage;
}

/** All that was told, with some words about the rest. */
export function toEvidence(stage: Stage): Evidence {
  const { records, witness, requests, snapshots, stories } = stage;
  const ended = 'completed "done"';
  return {
    ...{ stories, records, witness, requests, snapshots },
    crashes: [{ at: 500, trueMs: 900, process: "w9", graceful: false }],
    codes: { w1: "1.0.0", w2: "1.1.0" },
    strays: [],
    openApprovals: [],
    rows: [],
    replays: [{ run: "sim/order o-1", recorded: ended, writes: [{ fresh: false, text: ended }] }],
    policies: {
      "*": { attemptsMax: 3, delayMsMin: 200, timed: false },
      "@compensate/*": { attemptsMax: 3, delayMsMin: 100, timed: false },
    },
    leaseMs: 10_000,
    healedMs: 0,
    healingMs: 60_000,
    setBackMs: 0,
    cancelMs: 1_000,
    calm: true,
  };
}

/** A client's request that was acknowledged at once. */
export function ask(stage: Stage, fields: object): void {
  const stamp = { process: "client", askedAt: next(stage), answeredAt: next(stage), answeredMs: stage.nowMs };
  stage.requests.push({ ...stamp, ...fields } as unknown as Request);
}

/** Look at all runs that have ended. */
export function look(stage: Stage): void {
  const runs = stage.stories.map(({ run: { rowId, state, historySeq } }) => ({ rowId, state, historySeq }));
  stage.snapshots.push({ at: next(stage), trueMs: stage.nowMs, process: "disk", runs });
}

/** Let a run enter, started and claimed by worker 1. */
export function enter(stage: Stage, fields: Pick<Run, "rowId" | "id" | "name"> & Partial<Run>): Actor {
  const run: Run = { ...RUN, versionId: fields.rowId, createdAtMs: stage.nowMs, ...fields };
  const { versionId, id, input, inputHash, actor, seed, parent, rowId } = run;
  const result = { kind: "inserted", atMs: stage.nowMs, rowId, claimed: true } as const;
  const inserted = { versionId, id, input, inputHash, actor, seed, parent, timeoutMs: null };
  keepFlush(stage, { kind: "insert_run", run: inserted, claimFor: 1, owner: null }, result);
  return {
    stage,
    run,
    name: `sim/${run.name} ${id}`,
    history: [{ seq: 1, atMs: stage.nowMs, kind: "started", actor: "test", input }],
    checkpoints: [],
    owner: { rowId, workerId: 1, fence: 1 },
    seq: 1,
    generation: 1,
    executions: rowId * 100,
  };
}

const RUN: Omit<Run, "rowId" | "id" | "name" | "versionId" | "createdAtMs"> = {
  namespace: "sim",
  version: "1.0.0",
  state: "running",
  input: text({ size: 1 }),
  inputHash: "h",
  output: null,
  error: null,
  onHold: false,
  ending: null,
  actor: "test",
  seed: 1,
  generation: 1,
  fence: 1,
  workerId: 1,
  crashes: 0,
  inboxSeq: 0,
  historySeq: 1,
  parent: null,
  waitingFor: [],
  progress: null,
  attributes: {},
  dueAtMs: null,
  endedAtMs: null,
  deadlineAtMs: null,
};

/** Step code runs for 10 ms. */
export function execute(
  actor: Actor,
  key: string,
  end: { attempt?: number; result: "value" | "error" | "permanent"; undo?: boolean; retryAfterMs?: number },
): void {
  const { attempt = 1, result, undo = false, retryAfterMs = null } = end;
  actor.executions += 1;
  const base = { key, attempt, execution: actor.executions, undo };
  keepWitness(actor, { kind: "start", ...base });
  actor.stage.nowMs += 10;
  keepWitness(actor, { kind: "end", ...base, result, retryAfterMs });
}

/** The body is handed an outcome. */
export function observe(actor: Actor, key: string, value: string, failed = false): void {
  keepWitness(actor, { kind: "observed", key, value, failed });
}

/** A failed attempt is stored. */
export function fail(actor: Actor, key: string, attempt: number, dueInMs: number): void {
  const row = { key, attempt, error: failure("x"), durationMs: 10 };
  const stored = { ...row, kind: "step", state: "failed", seq: ++actor.seq, dueAtMs: null } as const;
  keepWrite(actor, { kind: "attempt", owner: actor.owner, attempt: stored, dueInMs });
  tell(actor, { kind: "attempt_failed", step: "step", ...row, dueAtMs: actor.stage.nowMs + dueInMs });
}

/** A wait with an end begins. */
export function wait(actor: Actor, key: string, kind: "sleep" | "signal" | "approval", dueInMs: number): void {
  const row = { key, kind, attempt: 1, error: null, dueAtMs: null, durationMs: 0 } as const;
  const attempt = { ...row, state: "waiting", seq: ++actor.seq } as const;
  keepWrite(actor, { kind: "attempt", owner: actor.owner, attempt, dueInMs });
  tell(actor, { kind: "wait_began", step: kind, key, dueAtMs: actor.stage.nowMs + dueInMs });
}

/** An item arrives in the inbox. */
export function receive(actor: Actor, seq: number, item: Omit<Consumed, "item" | "kind"> & { kind: string }): void {
  const { stage, run } = actor;
  const { kind, name, payload } = item;
  const posted = { seq, kind, name, payload, actor: "test", atMs: stage.nowMs };
  const post = { kind: "signal", name, payload, actor: "test", operationId: `${seq}` } as const;
  const result = { kind: "posted", atMs: stage.nowMs, rowId: run.rowId, item: posted, claimable: false };
  const to = { namespace: run.namespace, name: run.name, id: run.id };
  keepFlush(stage, { kind: "post", to, item: post }, result as unknown as WriteResult);
}

/** A step's outcome is stored. */
export function settle(actor: Actor, fields: Partial<Checkpoint> & { key: string }, consumed?: Consumed): void {
  if (consumed !== undefined) consume(actor, consumed);
  const { key } = fields;
  const standard = { kind: "step", outcome: "completed", value: text(`${key}#1`), attempt: 1 } as const;
  const checkpoint: Checkpoint = { ...standard, compensable: false, durationMs: 10, ...fields, seq: ++actor.seq };
  actor.checkpoints.push(checkpoint);
  const consumes = consumed?.item ?? null;
  keepWrite(actor, { kind: "checkpoint", owner: actor.owner, checkpoint, consumes, clearsCrashes: false });
  const { kind, outcome, value, attempt, durationMs } = checkpoint;
  tell(actor, { kind: "step", step: kind, key, outcome, value, attempt, durationMs });
}

/** A transition is stored. `reason`: of the cancel that it consumes, which is item 1. */
export function turn(actor: Actor, transition: Transition, reason?: string): void {
  if (reason !== undefined) consume(actor, { kind: "cancel", name: "", payload: reason });
  if (transition.kind !== "park") actor.seq += 1;
  const { owner, seq, run } = actor;
  const consumes = reason === undefined ? null : 1;
  keepWrite(actor, { kind: "transition", owner, transition, seq, consumes, parent: run.parent });
  if (transition.kind === "compensate") tell(actor, { kind: "note", note: "compensating", value: "{}" });
}

/** Another worker claims the run and reads its memory. */
export function claim(actor: Actor, workerId: number, fence: number): void {
  const { stage, run } = actor;
  actor.owner = { rowId: run.rowId, workerId, fence };
  const claims = [{ run: { ...run, workerId, fence }, nowMs: stage.nowMs }];
  keepRecord(stage, { kind: "claim", workerId, claims }, `w${workerId}`);
  keepRecord(stage, { kind: "memory", rowId: run.rowId, memory: memoryOf(actor) }, `w${workerId}`);
}

/** It has failed, and an operator lets it go on without these checkpoints. */
export function reopen(actor: Actor, error: string, forgotten: readonly string[]): void {
  const { stage, run, generation } = actor;
  tell(actor, { kind: "ended", state: "failed", value: error });
  const operation = `request:retry-${generation}`;
  const value = JSON.stringify({ operation });
  const reopened = { rowId: run.rowId, generation, reopening: { forgotten, undoing: null } };
  const rest = { usedUp: [], deliveries: [], note: { kind: "retried", value }, resolved: null };
  keepRecord(stage, { kind: "reopen", runs: [{ ...reopened, ...rest }], reopened: true }, "client");
  ask(stage, { kind: "retry", run: actor.name, generation });
  actor.seq += 1;
  tell(actor, { kind: "note", note: "retried", value });
  actor.generation += 1;
  for (const key of forgotten) {
    actor.checkpoints.splice(
      actor.checkpoints.findIndex((checkpoint) => checkpoint.key === key),
      1,
    );
  }
}

/** The run leaves the stage. */
export function leave(actor: Actor, state: "completed" | "failed" | "cancelled", value: string): void {
  const { stage, history } = actor;
  tell(actor, { kind: "ended", state, value });
  const error = state === "completed" ? null : value;
  const output = state === "completed" ? value : null;
  const end = { state, output, error, workerId: null, endedAtMs: stage.nowMs, historySeq: actor.seq };
  const { generation } = actor;
  stage.stories.push({ run: { ...actor.run, ...end, generation }, history, memory: memoryOf(actor) });
}

type Told = HistoryEvent extends infer E ? (E extends HistoryEvent ? Omit<E, "seq" | "atMs"> : never) : never;

function tell(actor: Actor, event: Told): void {
  actor.history.push({ seq: actor.seq, atMs: actor.stage.nowMs, ...event });
}

type Item = Omit<Consumed, "item" | "kind"> & { readonly kind: Consumed["kind"] | "cancel" };

function consume(actor: Actor, { kind, name, payload, actor: by = "test" }: Item): void {
  actor.seq += 1;
  tell(actor, { kind: "received", item: kind, name, value: payload, actor: by });
}

function memoryOf({ checkpoints, seq }: Actor): Memory {
  return { checkpoints: structuredClone(checkpoints), attempts: [], inbox: [], undone: [], lastSeq: seq, inboxSeq: 0 };
}

function keepWitness(actor: Actor, fields: object): void {
  const { stage, owner, name } = actor;
  const stamp = { at: next(stage), trueMs: stage.nowMs, process: `w${owner.workerId}` };
  stage.witness.push({ ...stamp, wallMs: stage.nowMs, run: name, ...fields } as unknown as WitnessEvent);
}

function keepWrite(actor: Actor, write: Write): void {
  keepFlush(actor.stage, write, { kind: "stored", atMs: actor.stage.nowMs }, `w${actor.owner.workerId}`);
}

function keepFlush(stage: Stage, write: Write, result: WriteResult, process = "w1"): void {
  keepRecord(stage, { kind: "flush", writes: [write], results: [result] }, process);
}

/** Something that the store did. */
export function keepRecord(stage: Stage, fields: object, process: string): void {
  const stamp = { at: next(stage), trueMs: stage.nowMs, process };
  stage.records.push({ ...stamp, ...fields, knownAt: next(stage) } as unknown as StoreRecord);
}

function next(stage: Stage): number {
  stage.order += 1;
  return stage.order;
}
