/**
 * A hand-made, faultless evidence that touches every invariant: a run with a retry, a
 * sleep, a signal and a child, taken over once; its child; a run that fails and is
 * undone; a run that is cancelled. Tests break one thing in it at a time.
 */
import { encode } from "../../src/model/json.ts";
import { failureText, toFailure } from "../../src/model/failure.ts";
import type { HistoryEvent } from "../../src/model/history.ts";
import type { Owner, Run } from "../../src/model/run.ts";
import type { Checkpoint } from "../../src/model/step.ts";
import type { Transition } from "../../src/model/transition.ts";
import type { Memory, Write, WriteResult } from "../../src/store/store.ts";
import type { Evidence, Request, StoreRecord, WitnessEvent } from "../../src/testing/simulation/evidence.ts";

type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T;
/** Evidence that a test may break. */
export type Draft = Mutable<Evidence>;

const text = (value: unknown): string => encode(value).text;
const failure = (message: string, code?: string): string =>
  failureText(toFailure(Object.assign(new Error(message), code === undefined ? {} : { code })));

/** A fresh copy. */
export function anEvidence(): Draft {
  const stage = openStage();
  order(stage);
  child(stage);
  trip(stage);
  stopped(stage);
  stage.snapshot();
  return stage.evidence();
}

type Stage = ReturnType<typeof openStage>;

function openStage() {
  let at = 0;
  let nowMs = 0;
  const records: StoreRecord[] = [];
  const witness: WitnessEvent[] = [];
  const requests: Request[] = [];
  const snapshots: Evidence["snapshots"][number][] = [];
  const stories: { run: Run; history: HistoryEvent[]; memory: Memory }[] = [];
  const stamp = (process = "w1") => ({ at: (at += 1), trueMs: nowMs, process });
  const record = (fields: object, process = "w1"): void => {
    const kept = { ...stamp(process), ...fields, knownAt: null } as unknown as StoreRecord;
    records.push(kept);
    kept.knownAt = at += 1;
  };
  const flush = (write: Write, result: WriteResult, process = "w1"): void => record({ kind: "flush", writes: [write], results: [result] }, process);
  record({ kind: "register", workerId: 1, worker: {}, leaseUntilMs: 100_000 }, "w1");
  record({ kind: "register", workerId: 2, worker: {}, leaseUntilMs: 100_000 }, "w2");
  return {
    record,
    flush,
    witness: (run: string, fields: object, process = "w1"): void =>
      void witness.push({ ...stamp(process), wallMs: nowMs, run, ...fields } as unknown as WitnessEvent),
    request: (fields: object): void =>
      void requests.push({ process: "client", askedAt: (at += 1), answeredAt: (at += 1), answeredMs: nowMs, ...fields } as unknown as Request),
    story: (run: Run, history: HistoryEvent[], memory: Memory): void => void stories.push({ run, history, memory }),
    snapshot: (): void =>
      void snapshots.push({ ...stamp("disk"), runs: stories.map(({ run }) => ({ rowId: run.rowId, state: run.state, historySeq: run.historySeq })) }),
    pass: (ms: number): void => void (nowMs += ms),
    nowMs: () => nowMs,
    evidence: (): Draft =>
      structuredClone({
        stories,
        records,
        witness,
        requests,
        snapshots,
        crashes: [{ at: 500, trueMs: 900, process: "w9", graceful: false }],
        strays: [],
        replays: [{ run: "sim/order o-1", recorded: 'completed "done"', writes: [{ fresh: false, text: 'completed "done"' }] }],
        policies: { "*": { attemptsMax: 3, delayMsMin: 200, timed: false }, "@compensate/*": { attemptsMax: 3, delayMsMin: 100, timed: false } },
        leaseMs: 10_000,
        healedMs: 0,
        healingMs: 60_000,
        cancelMs: 1_000,
        calm: true,
      }) as unknown as Draft,
  };
}

/** One run on the stage: keeps its history while its writes are accepted. */
function openRun(stage: Stage, fields: Pick<Run, "rowId" | "id" | "name"> & Partial<Run>) {
  const run: Run = {
    namespace: "sim",
    version: "1.0.0",
    versionId: fields.rowId,
    state: "running",
    input: text({ size: 1 }),
    inputHash: "h",
    output: null,
    error: null,
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
    createdAtMs: stage.nowMs(),
    dueAtMs: null,
    endedAtMs: null,
    ...fields,
  };
  const name = `sim/${run.name} ${run.id}`;
  const history: HistoryEvent[] = [{ seq: 1, atMs: stage.nowMs(), kind: "started", actor: "test", input: run.input }];
  const checkpoints: Checkpoint[] = [];
  let owner: Owner = { rowId: run.rowId, workerId: 1, fence: 1 };
  let seq = 1;
  let executions = run.rowId * 100;
  const process = (): string => `w${owner.workerId}`;
  const { versionId, id, input, inputHash, actor, seed, parent } = run;
  stage.flush(
    { kind: "insert_run", run: { versionId, id, input, inputHash, actor, seed, parent }, claimFor: 1, owner: null },
    { kind: "inserted", atMs: stage.nowMs(), rowId: run.rowId, claimed: true },
  );
  const stored = (write: Write): void => stage.flush(write, { kind: "stored", atMs: stage.nowMs() }, process());
  const act = {
    name,
    execute: (key: string, attempt: number, result: string, extra: { undo?: boolean; retryAfterMs?: number } = {}): void => {
      const base = { key, attempt, execution: (executions += 1), undo: extra.undo ?? false };
      stage.witness(name, { kind: "start", ...base }, process());
      stage.pass(10);
      stage.witness(name, { kind: "end", ...base, result, retryAfterMs: extra.retryAfterMs ?? null }, process());
    },
    observe: (key: string, value: string, failed = false): void => stage.witness(name, { kind: "observed", key, value, failed }, process()),
    fail: (key: string, attempt: number, dueInMs: number): void => {
      const failed = { key, kind: "step", state: "failed", attempt, seq: (seq += 1), error: failure("x"), dueAtMs: null, durationMs: 10 } as const;
      stored({ kind: "attempt", owner, attempt: failed, dueInMs });
      const dueAtMs = stage.nowMs() + dueInMs;
      history.push({ seq, atMs: stage.nowMs(), kind: "attempt_failed", step: "step", key, attempt, error: failed.error, dueAtMs, durationMs: 10 });
    },
    wait: (key: string, kind: "sleep" | "signal", dueInMs: number): void => {
      const waiting = { key, kind, state: "waiting", attempt: 1, seq: (seq += 1), error: null, dueAtMs: null, durationMs: 0 } as const;
      stored({ kind: "attempt", owner, attempt: waiting, dueInMs });
      history.push({ seq, atMs: stage.nowMs(), kind: "wait_began", step: kind, key, dueAtMs: stage.nowMs() + dueInMs });
    },
    receive: (item: number, kind: "signal" | "child" | "cancel", itemName: string, payload: string): void => {
      const posted = { seq: item, kind, name: itemName, payload, actor: "test", atMs: stage.nowMs() };
      const { namespace } = run;
      const post = { kind: "signal", name: itemName, payload, actor: "test", operationId: `${item}` } as const;
      stage.flush(
        { kind: "post", to: { namespace, name: run.name, id }, item: post },
        { kind: "posted", atMs: stage.nowMs(), rowId: run.rowId, item: posted, claimable: false },
      );
    },
    checkpoint: (fields: Partial<Checkpoint> & { key: string }, consumed?: { item: number; kind: "signal" | "child"; name: string; payload: string }): void => {
      const { nowMs } = stage;
      if (consumed !== undefined) {
        const { kind, name: itemName, payload } = consumed;
        history.push({ seq: (seq += 1), atMs: nowMs(), kind: "received", item: kind, name: itemName, value: payload, actor: "test" });
      }
      const checkpoint: Checkpoint = {
        kind: "step",
        outcome: "completed",
        value: text(`${fields.key}#1`),
        attempt: 1,
        compensable: false,
        durationMs: 10,
        seq: (seq += 1),
        ...fields,
      };
      checkpoints.push(checkpoint);
      stored({ kind: "checkpoint", owner, checkpoint, consumes: consumed?.item ?? null });
      const { key, kind, outcome, value, attempt, durationMs } = checkpoint;
      history.push({ seq, atMs: nowMs(), kind: "step", step: kind, key, outcome, value, attempt, durationMs });
    },
    turn: (transition: Transition, consumed?: string): void => {
      if (consumed !== undefined) {
        history.push({ seq: (seq += 1), atMs: stage.nowMs(), kind: "received", item: "cancel", name: "", value: consumed, actor: "test" });
      }
      if (transition.kind !== "park") seq += 1;
      stored({ kind: "transition", owner, transition, seq, consumes: consumed === undefined ? null : 1, parent });
      if (transition.kind === "compensate") history.push({ seq, atMs: stage.nowMs(), kind: "note", note: "compensating", value: "{}" });
    },
    claim: (workerId: number, fence: number): void => {
      owner = { rowId: run.rowId, workerId, fence };
      stage.record({ kind: "claim", workerId, claims: [{ run: { ...run, workerId, fence }, nowMs: stage.nowMs() }] }, `w${workerId}`);
      const memory = { checkpoints: structuredClone(checkpoints), attempts: [], inbox: [], lastSeq: seq, inboxSeq: 0 };
      stage.record({ kind: "memory", rowId: run.rowId, memory }, `w${workerId}`);
    },
    end: (state: "completed" | "failed" | "cancelled", value: string): void => {
      history.push({ seq, atMs: stage.nowMs(), kind: "ended", state, value });
      const error = state === "completed" ? null : value;
      const output = state === "completed" ? value : null;
      const ended = { ...run, state, output, error, workerId: null, endedAtMs: stage.nowMs(), historySeq: seq };
      stage.story(ended, history, { checkpoints, attempts: [], inbox: [], lastSeq: seq, inboxSeq: 0 });
    },
  };
  return act;
}

/** A retry, a sleep over which it parks, a signal, a child; all on worker 1. */
function order(stage: Stage): void {
  const run = openRun(stage, { rowId: 1, id: "o-1", name: "order" });
  stage.request({ kind: "start", run: run.name, input: '{"size":1}' });
  run.execute("charge", 1, "error", { retryAfterMs: 250 });
  run.fail("charge", 1, 250);
  stage.pass(260);
  run.execute("charge", 2, "value");
  run.checkpoint({ key: "charge", attempt: 2 });
  run.observe("charge", '"charge#1"');
  run.wait("nap", "sleep", 1_000);
  run.turn({ kind: "park", state: "waiting", dueAtMs: 1_300, waitingFor: [], inboxSeen: 0 });
  run.receive(1, "signal", "approval", text("yes"));
  stage.request({ kind: "signal", run: run.name, name: "approval", payload: '"yes"', operation: "1" });
  stage.pass(1_100);
  run.claim(2, 2);
  run.observe("charge", '"charge#1"');
  run.checkpoint({ key: "nap", kind: "sleep", value: text(undefined) });
  run.observe("nap", "undefined");
  const answer = text({ ok: true, value: "yes" });
  run.checkpoint({ key: "@wait/approval/1", kind: "signal", value: answer }, { item: 1, kind: "signal", name: "approval", payload: text("yes") });
  run.wait("@wait/approval/2", "signal", 500);
  stage.pass(600);
  run.checkpoint({ key: "@wait/approval/2", kind: "signal", value: text({ ok: false, reason: "timeout" }) });
  run.receive(2, "child", "bill", '{"state":"completed"}');
  const bill = { item: 2, kind: "child", name: "bill", payload: '{"state":"completed"}' } as const;
  run.checkpoint({ key: "bill", kind: "child", value: text("paid") }, bill);
  run.execute("maybe", 1, "permanent");
  run.checkpoint({ key: "maybe", outcome: "failed", value: failure("declined") });
  run.observe("maybe", '"declined"', true);
  run.turn({ kind: "complete", output: text("done") });
  run.end("completed", text("done"));
  stage.request({ kind: "outcome", run: run.name, answer: { state: "completed", value: '"done"' } });
}

function child(stage: Stage): void {
  const run = openRun(stage, { rowId: 2, id: "b-1", name: "bill", parent: { rowId: 1, key: "bill", awaited: true } });
  run.turn({ kind: "complete", output: text("paid") });
  run.end("completed", text("paid"));
}

/** Two compensable steps, then a final failure, both undone, newest first. */
function trip(stage: Stage): void {
  const run = openRun(stage, { rowId: 3, id: "t-1", name: "trip" });
  for (const key of ["hotel", "flight"]) {
    run.execute(key, 1, "value");
    run.checkpoint({ key, compensable: true });
  }
  run.turn({ kind: "compensate", ending: "failed", error: failure("no money") });
  for (const key of ["flight", "hotel"]) {
    run.execute(key, 1, "value", { undo: true });
    run.checkpoint({ key: `@compensate/${key}`, kind: "compensation", value: text(undefined) });
  }
  run.turn({ kind: "fail", error: failure("no money") });
  run.end("failed", failure("no money"));
}

function stopped(stage: Stage): void {
  const run = openRun(stage, { rowId: 4, id: "c-1", name: "order" });
  run.execute("charge", 1, "value");
  run.checkpoint({ key: "charge" });
  run.receive(1, "cancel", "", text("enough"));
  stage.request({ kind: "cancel", run: run.name });
  run.turn({ kind: "cancel", error: failure("cancelled", "RUN_CANCELLED") }, text("enough"));
  run.end("cancelled", failure("cancelled", "RUN_CANCELLED"));
}
