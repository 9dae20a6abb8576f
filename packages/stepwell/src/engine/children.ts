/**
 * Children: runs that a run starts. Their ids derive from the parent's id and the
 * step's key, so that starting them again after a crash finds them. An awaited child
 * reports to its parent's inbox in the transaction of its own end.
 */
import { decode, encode } from "../model/json.ts";
import { StepwellError } from "../model/errors.ts";
import { type Failure, failureText, parseFailure, toFailure } from "../model/failure.ts";
import type { InboxItem } from "../model/inbox.ts";
import { keyOutside } from "../model/reopening.ts";
import type { RunState } from "../model/run.ts";
import type { Ending } from "../model/transition.ts";
import { quieten } from "./delivery.ts";
import type { Deps } from "./deps.ts";
import { added, countAnswer, type Execution, isGone, type OpenCall, scheduleIdleCheck } from "./execution.ts";
import { shapeFailure } from "./attempt.ts";
import { takeFromInbox } from "./inbox.ts";
import { readPatiently } from "./patience.ts";
import { submit } from "./record.ts";
import { type Call, type CallEnd, endCall } from "./steps.ts";
import { prepareRun, type Prepared } from "./submit.ts";
import type { Workflow } from "./workflow.ts";

/** Which child a call starts. `id` null: derived from the parent and the key. */
export type ChildStart = { readonly workflow: Workflow; readonly input: unknown; readonly id: string | null };

const ENDED = { attempt: 1, durationMs: 0 } as const;

/** `ctx.run`: start a child and wait for its outcome. */
export function performRun(child: ChildStart): Call["perform"] {
  return (deps, call) =>
    underItsKey(deps, call, child, (named) => {
      void startChild(deps, named, { ...child, awaited: true }, () => awaitChild(deps, named, child));
    });
}

/** `ctx.start`: start a run that lives on its own; its name is the outcome. */
export function performStart(child: ChildStart): Call["perform"] {
  return (deps, call) =>
    underItsKey(deps, call, child, (named) => {
      void startChild(deps, named, { ...child, awaited: false }, (id) => {
        const workflow = `${child.workflow.namespace}/${child.workflow.name}`;
        endCall(deps, named, { ...ENDED, outcome: "completed", ...encode({ workflow, id }) });
      });
    });
}

/** Ask the children that the body still awaits to stop. */
export function cancelChildren(deps: Deps, exec: Execution): void {
  const reason = `the parent ${exec.cancel === null ? "has ended" : "was cancelled"}`;
  for (const call of exec.open.values()) cancelChild(deps, exec, call, reason);
}

/** Ask the child of a call to stop, if it is an awaited one. */
export function cancelChild(deps: Deps, exec: Execution, call: OpenCall, reason: string): void {
  if (call.kind !== "child" || call.child === undefined) return;
  const { text: payload } = encode(reason);
  const operationId = `parent:${exec.run.rowId}:${call.key}:cancel`;
  const item = { kind: "cancel", name: "", payload, actor: `run:${exec.run.id}`, operationId } as const;
  deps.committer.submit({ kind: "post", to: call.child, item }, (result) => {
    if (result.kind === "posted") deps.worker.receive(result);
  });
}

/** A child that was started under a former key of its call, which no checkpoint tells yet, keeps that key. */
function underItsKey(deps: Deps, call: Call, child: ChildStart, begin: (call: Call) => void): void {
  const { exec, formerly } = call;
  const fresh = exec.run.fence === 1 || child.id !== null;
  if (formerly === undefined || formerly.length === 0 || fresh) return begin(call);
  exec.unanswered += 1;
  void findStarted(deps, call, child, formerly).then((key) => {
    countAnswer(exec);
    if (isGone(exec)) return;
    if (exec.closed || call.config.ended) return quieten(deps, exec);
    exec.open.delete(call.key);
    const named = { ...call, key };
    exec.open.set(key, named);
    begin(named);
  });
}

async function findStarted(
  deps: Deps,
  { exec, key }: Call,
  child: ChildStart,
  formerly: readonly string[],
): Promise<string> {
  const { namespace, name } = child.workflow;
  for (const former of formerly) {
    const ref = { namespace, name, id: childId(exec, former) };
    const run = await readPatiently(deps, "a child run", () => deps.store.findRun(ref));
    if (run?.parent?.rowId === exec.run.rowId) return former;
  }
  return key;
}

function childId(exec: Execution, key: string): string {
  return `${exec.run.namespace}/${exec.run.name}:${exec.run.id}:${keyOutside(exec.undone, key)}`;
}

async function startChild(
  deps: Deps,
  call: Call,
  child: ChildStart & { readonly awaited: boolean },
  started: (id: string) => void,
): Promise<void> {
  const { exec } = call;
  const id = child.id ?? childId(exec, call.key);
  const ref = { namespace: child.workflow.namespace, name: child.workflow.name, id };
  exec.open.set(call.key, { ...call, child: ref });
  if (exec.collecting) return;
  let prepared: Prepared;
  try {
    const parent = { rowId: exec.run.rowId, key: call.key, awaited: child.awaited };
    prepared = await prepareRun(deps, child.workflow, child.input, {
      id,
      hashed: false,
      actor: exec.run.actor,
      parent,
    });
  } catch (thrown) {
    return failCall(deps, call, toFailure(thrown));
  }
  if (exec.phase !== "running" || exec.closed || call.config.ended) return;
  // What is on its way to the store keeps its outcome; an awaited child has its own, later.
  call.config.ended = !child.awaited;
  submit(deps, exec, { kind: "insert_run", run: prepared.run, claimFor: null, owner: exec.owner }, (result) => {
    const stranger = result.kind === "exists" && result.run.parent?.rowId !== exec.run.rowId;
    if (result.kind === "inserted") deps.worker.nudge();
    const over = call.config.ended && child.awaited;
    if (stranger && !over) void failCall(deps, call, toFailure(idTaken(child, id)));
    else if (!over) started(id);
    // A body that has ended meanwhile waits for this answer.
    quieten(deps, exec);
  });
}

function awaitChild(deps: Deps, call: Call, child: ChildStart): void {
  const { exec } = call;
  const wanted = { kind: "child", key: call.key, name: `${child.workflow.namespace}/${child.workflow.name}` } as const;
  const fire = (item: InboxItem | null): void => {
    if (item !== null) void endAwaited(deps, call, wanted.name, item);
  };
  const early = takeFromInbox(exec, wanted);
  if (early !== null) return fire(early);
  if (exec.bodyEnded || exec.cancel !== null) return cancelChildren(deps, exec);
  exec.waits = added(exec.waits, call.key, { ...wanted, dueAtMs: null, fire });
  scheduleIdleCheck(deps.host, exec);
}

async function endAwaited(deps: Deps, call: Call, name: string, item: InboxItem): Promise<void> {
  const { state, value } = JSON.parse(item.payload) as Ending;
  if (state !== "completed") {
    await failCall(deps, call, childFailure(name, state, parseFailure(value)), item);
    return;
  }
  endCall(deps, call, { ...ENDED, outcome: "completed", text: value, value: decode(value) }, item);
}

async function failCall(deps: Deps, call: Call, failure: Failure, consumes: InboxItem | null = null): Promise<void> {
  const shaped = await shapeFailure(deps, call, failure, true);
  if (isGone(call.exec) || (call.config.ended && call.kind === "child")) return;
  const ended =
    shaped?.kind === "value"
      ? { ...ENDED, outcome: "handled" as const, text: shaped.text, value: shaped.value }
      : failedWith(shaped?.failure ?? failure);
  endCall(deps, call, ended, consumes);
}

function failedWith(failure: Failure): CallEnd {
  return { ...ENDED, outcome: "failed", text: failureText(failure), value: failure };
}

function childFailure(name: string, state: RunState, cause: Failure): Failure {
  const code = state === "cancelled" ? "RUN_CANCELLED" : "RUN_FAILED";
  const error = new StepwellError(code, `child run of ${name} ${state}: ${cause.message}`);
  return { ...toFailure(error), retryable: false, cause };
}

function idTaken(child: ChildStart, id: string): StepwellError {
  const { namespace, name } = child.workflow;
  const what = `run "${id}" of ${namespace}/${name} exists and was not started by this step.`;
  return new StepwellError("RUN_ID_CONFLICT", what);
}
