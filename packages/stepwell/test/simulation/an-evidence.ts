/**
 * A hand-made, faultless evidence that touches every invariant: a run with a retry, a
 * sleep, a signal and a child, taken over once; its child; a run that fails and is
 * undone; a run that is cancelled; two that share a circuit breaker; one that asks people. Tests break one thing in it at a
 * time.
 */
import type { Evidence } from "../../src/testing/simulation/evidence.ts";
import { call, callInVain, type Shared, sitOut } from "./a-breaker.ts";
import {
  ask,
  claim,
  enter,
  execute,
  fail,
  failure,
  leave,
  look,
  observe,
  openStage,
  receive,
  reopen,
  settle,
  type Stage,
  text,
  toEvidence,
  turn,
  wait,
} from "./a-stage.ts";

type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T;
/** Evidence that a test may break. */
export type Draft = Mutable<Evidence>;

/** A fresh copy. */
export function anEvidence(): Draft {
  const stage = openStage();
  order(stage);
  child(stage);
  trip(stage);
  stopped(stage);
  guarded(stage);
  signed(stage);
  retried(stage);
  look(stage);
  return structuredClone(toEvidence(stage)) as unknown as Draft;
}

/** A retry, a sleep over which it parks, a signal, a timeout, a child, a final failure; taken over by worker 2. */
function order(stage: Stage): void {
  const run = enter(stage, { rowId: 1, id: "o-1", name: "order" });
  ask(stage, { kind: "start", run: run.name, input: '{"size":1}' });
  execute(run, "charge", { result: "error", retryAfterMs: 250 });
  fail(run, "charge", 1, 250);
  stage.nowMs += 260;
  execute(run, "charge", { attempt: 2, result: "value" });
  settle(run, { key: "charge", attempt: 2 });
  observe(run, "charge", '"charge#1"');
  wait(run, "nap", "sleep", 1_000);
  turn(run, { kind: "park", state: "waiting", dueAtMs: 1_300, waitingFor: [], inboxSeen: 0 });
  const approval = { item: 1, kind: "signal", name: "approval", payload: text("yes") } as const;
  receive(run, 1, approval);
  ask(stage, { kind: "signal", run: run.name, name: "approval", payload: '"yes"', operation: "1" });
  stage.nowMs += 1_100;
  claim(run, 2, 2);
  observe(run, "charge", '"charge#1"');
  settle(run, { key: "nap", kind: "sleep", value: text(undefined) });
  observe(run, "nap", "undefined");
  settle(run, { key: "@wait/approval/1", kind: "signal", value: text({ ok: true, value: "yes" }) }, approval);
  wait(run, "@wait/approval/2", "signal", 500);
  stage.nowMs += 600;
  settle(run, { key: "@wait/approval/2", kind: "signal", value: text({ ok: false, reason: "timeout" }) });
  const bill = { item: 2, kind: "child", name: "bill", payload: '{"state":"completed"}' } as const;
  receive(run, 2, bill);
  settle(run, { key: "bill", kind: "child", value: text("paid") }, bill);
  execute(run, "maybe", { result: "permanent" });
  settle(run, { key: "maybe", outcome: "failed", value: failure("declined") });
  observe(run, "maybe", '"declined"', true);
  turn(run, { kind: "complete", output: text("done") });
  leave(run, "completed", text("done"));
  ask(stage, { kind: "outcome", run: run.name, answer: { state: "completed", value: '"done"' } });
}

function child(stage: Stage): void {
  const run = enter(stage, { rowId: 2, id: "b-1", name: "bill", parent: { rowId: 1, key: "bill", awaited: true } });
  turn(run, { kind: "complete", output: text("paid") });
  leave(run, "completed", text("paid"));
}

/** Two compensable steps, then a final failure, both undone, newest first. */
function trip(stage: Stage): void {
  const run = enter(stage, { rowId: 3, id: "t-1", name: "trip" });
  for (const key of ["hotel", "flight"]) {
    execute(run, key, { result: "value" });
    settle(run, { key, compensable: true });
  }
  turn(run, { kind: "compensate", ending: "failed", error: failure("no money") });
  for (const key of ["flight", "hotel"]) {
    execute(run, key, { result: "value", undo: true });
    settle(run, { key: `@compensate/${key}`, kind: "compensation", value: text(undefined) });
  }
  turn(run, { kind: "fail", error: failure("no money") });
  leave(run, "failed", failure("no money"));
}

function stopped(stage: Stage): void {
  const run = enter(stage, { rowId: 4, id: "c-1", name: "order" });
  execute(run, "charge", { result: "value" });
  settle(run, { key: "charge" });
  receive(run, 1, { kind: "cancel", name: "", payload: text("enough") });
  ask(stage, { kind: "cancel", run: run.name });
  turn(run, { kind: "cancel", error: failure("cancelled", "RUN_CANCELLED") }, text("enough"));
  leave(run, "cancelled", failure("cancelled", "RUN_CANCELLED"));
}

/** One run opens a breaker with three failures, and goes without; another, which waits for it, closes it with a probe. */
function guarded(stage: Stage): void {
  const shared: Shared = { breaker: null };
  const inVain = enter(stage, { rowId: 5, id: "g-1", name: "guarded" });
  const prober = enter(stage, { rowId: 6, id: "g-2", name: "guarded" });
  callInVain(shared, inVain, "call/0");
  sitOut(stage);
  call(shared, prober, "call/0", { attempt: 1, result: "value" });
  settle(prober, { key: "call/0" });
  for (const actor of [inVain, prober]) {
    turn(actor, { kind: "complete", output: text("done") });
    leave(actor, "completed", text("done"));
  }
}

/** A step fails for good, an operator has it made again, and it succeeds. */
function retried(stage: Stage): void {
  const run = enter(stage, { rowId: 8, id: "r-1", name: "again" });
  execute(run, "do-0", { result: "value" });
  settle(run, { key: "do-0" });
  execute(run, "do-1", { result: "permanent" });
  settle(run, { key: "do-1", outcome: "failed", value: failure("down") });
  turn(run, { kind: "fail", error: failure("down") });
  reopen(run, failure("down"), ["do-1"]);
  claim(run, 1, 2);
  execute(run, "do-1", { result: "value" });
  settle(run, { key: "do-1" });
  turn(run, { kind: "complete", output: text("done") });
  leave(run, "completed", text("done"));
}

/** Two people sign, after an escalation and a third who asked for it himself; then nobody hurries. */
function signed(stage: Stage): void {
  const run = enter(stage, { rowId: 7, id: "a-1", name: "approvals", input: text({ salt: 1, size: 2 }) });
  wait(run, "sign", "approval", 1_300);
  stage.nowMs += 430;
  settle(run, { key: "@escalation/sign/1", kind: "escalation", value: text({ to: ["heads"] }) });
  const form = { n: 2 };
  const payload = text({ answer: "approved", form, comment: null });
  const decisions = ["p0", "p1", "p2"].map((actor, index) => {
    stage.nowMs += 10;
    const item = { item: index + 1, kind: "decision", name: "sign", payload, actor } as const;
    receive(run, index + 1, item);
    const told = actor === "p0" ? "APPROVAL_FOUR_EYES" : "accepted";
    ask(stage, { kind: "decision", run: run.name, key: "sign", actor, operation: `${index + 1}`, told });
    const decision = { actor, atMs: stage.nowMs, comment: null, answer: "approved", form };
    const verdict = actor === "p0" ? { verdict: "four_eyes" } : { verdict: "accepted", decision };
    settle(run, { key: `@decision/sign/${index + 1}`, kind: "decision", value: text(verdict) }, item);
    return decision;
  });
  settle(run, {
    key: "sign",
    kind: "approval",
    value: text({ state: "approved", form, decisions: decisions.slice(1) }),
  });
  wait(run, "hurry", "approval", 200);
  stage.nowMs += 200;
  settle(run, { key: "hurry", kind: "approval", value: text({ state: "timed_out", decisions: [] }) });
  turn(run, { kind: "complete", output: text("done") });
  leave(run, "completed", text("done"));
}
