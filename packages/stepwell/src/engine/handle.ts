/**
 * Run handle: what `start` and `get` give. A name and the ways to ask about it; it
 * holds no state of the run.
 */
import { decode, encode } from "../model/json.ts";
import { RunFailed, StepwellError } from "../model/errors.ts";
import { parseFailure, toError } from "../model/failure.ts";
import type { NewInboxItem } from "../model/inbox.ts";
import { checkKeys } from "../model/options.ts";
import { type Attributes, isTerminal, type Run, type RunState, type Wait } from "../model/run.ts";
import type { ActiveStep, StepKind } from "../model/step.ts";
import { issuesText, validate } from "../model/schema.ts";
import type { Ending } from "../model/transition.ts";
import type { HistoryEvent } from "../model/history.ts";
import type { RunRef } from "../store/write.ts";
import { whyNot } from "./commit.ts";
import type { Deps } from "./deps.ts";
import { isRequest } from "./execution.ts";
import { getRun, notFound } from "./find.ts";
import { waitsOf } from "./fleet.ts";
import { forkRun } from "./fork.ts";
import { type Request, reopenRun } from "./reopen.ts";
import type { Signal } from "./signal.ts";
import { checkOutsideTx } from "./tx-door.ts";

/** How a run ended. */
export type RunOutcome<O> =
  | { readonly state: "completed"; readonly output: O }
  | { readonly state: "failed" | "cancelled"; readonly error: Error };

/** A step that has been running for a second or longer, or that tells of itself. */
export type LongStep = {
  readonly key: string;
  readonly kind: StepKind;
  readonly attempt: number;
  /** Epoch milliseconds by the store's clock. */
  readonly beganAtMs: number;
  /** What its last heartbeat told. */
  readonly heartbeat: unknown;
  /** Epoch milliseconds by the store's clock; null: it gave none. */
  readonly heartbeatAtMs: number | null;
};

/** A run as shown to people; payloads decoded. */
export type RunStatus = {
  /** Unique among the runs of its workflow. */
  readonly id: string;
  /** `namespace/name`. */
  readonly workflow: string;
  /** With which it was started. */
  readonly version: string;
  readonly state: RunState;
  /** Who started it. */
  readonly actor: string;
  /** After the schema. */
  readonly input: unknown;
  /** What its body returned; undefined until it has. */
  readonly output: unknown;
  /** What ended it, makes it undo its steps, or set it aside. */
  readonly error: Error | null;
  /** What it waits for; for a worker only where `status()` tells it. */
  readonly waitingFor: readonly Wait[];
  /** The last value of `ctx.progress`; undefined when there was none. */
  readonly progress: unknown;
  /** What it can be found by: `ctx.set`. */
  readonly attributes: Attributes;
  /** By the store's clock, as all moments here. */
  readonly createdAtMs: number;
  /** Null until it has ended. */
  readonly endedAtMs: number | null;
  /** When its time is up; null: never. */
  readonly deadlineAtMs: number | null;
  /** Takeovers from dead workers since its last checkpoint. */
  readonly crashes: number;
  /** Paused by an operator, whom the history names. */
  readonly onHold: boolean;
};

/** A history event with `value`, `input` and `error` decoded. */
export type DecodedEvent = Decoded<HistoryEvent>;

/** An event whose payloads are values, and whose error is an Error. */
type Decoded<E> = E extends HistoryEvent
  ? { readonly [K in keyof E]: K extends "value" | "input" ? unknown : K extends "error" ? Error : E[K] }
  : never;

/** Who does it and, where it matters, why. Both are recorded. */
export type ActorOption = { readonly actor?: string };

/** One run. All methods ask the store afresh. */
export type RunHandle<Output = unknown> = {
  /** Unique among the runs of its workflow. */
  readonly id: string;
  /** `namespace/name`. */
  readonly workflow: string;
  /** Wait for the end. @throws RunFailed when the run failed or was cancelled */
  readonly result: () => Promise<Output>;
  /** Wait for the end and tell how it was. */
  readonly outcome: () => Promise<RunOutcome<Output>>;
  /** How it stands. @throws StepwellError RUN_NOT_FOUND */
  readonly status: () => Promise<RunStatus & { readonly longSteps: readonly LongStep[] }>;
  /** All that happened to it, oldest first; signals that it has not taken yet come last. */
  readonly history: () => Promise<readonly DecodedEvent[]>;
  /** Leave a message. Resolves when it is durable. `id` makes sending it again harmless. */
  readonly signal: <Raw>(
    signal: Signal<Raw, unknown>,
    ...payload: Raw extends void ? [payload?: Raw, options?: SignalOptions] : [payload: Raw, options?: SignalOptions]
  ) => Promise<void>;
  /** Ask the run to stop. Resolves when the request is durable; `outcome()` tells when it has. */
  readonly cancel: (options?: RequestOptions) => Promise<void>;
  /**
   * Let the run stand still until it is resumed. Steps that are running end and are recorded, no other begins. Resolves when
   * the request is durable. @throws StepwellError RUN_ENDED
   */
  readonly pause: (options?: RequestOptions) => Promise<void>;
  /**
   * Let a run go on that is paused, by an operator or for want of code, or that is in quarantine: its crashes are forgotten
   * then. @throws StepwellError RUN_ENDED; RUN_NOT_PAUSED, unless it is asked under an `id`
   */
  readonly resume: (options?: RequestOptions) => Promise<void>;
  /**
   * Let a run that failed or was cancelled go on, in its next generation: what is recorded stays, the step that failed is
   * performed again, and so is what was undone. The runs that it awaits go on with it. Resolves when that is durable.
   * @throws StepwellError RUN_NOT_ENDED, RUN_NOT_FAILED; STEP_NOT_FOUND for `from`
   */
  readonly retry: (options?: RetryRunOptions) => Promise<void>;
  /**
   * As `retry`, but the step of that key has `value` as its result: somebody has done by hand what it could not.
   * @throws StepwellError STEP_NOT_FAILED when it is none of those that failed
   */
  readonly resolve: (step: string, value: unknown, options?: RequestOptions) => Promise<void>;
  /**
   * Start another run that begins with what this one has recorded, up to a step; this one is left as it is. The fork undoes
   * only what it has done itself.
   * @throws StepwellError STEP_NOT_FOUND, INPUT_INVALID, WORKFLOW_NOT_REGISTERED, RUN_ID_CONFLICT
   */
  readonly fork: (options?: ForkOptions) => Promise<RunHandle<Output>>;
};

/** Options of a retry. */
export type RetryRunOptions = RequestOptions & {
  /** Key of a recorded step, as the history shows it: this step and all that were recorded after it are performed again. */
  readonly from?: string;
};

/** Options of a fork. */
export type ForkOptions = ActorOption & {
  readonly reason?: string;
  /** Of the new run; asked for twice under one id, it is one run. Default: a fresh UUIDv7. */
  readonly id?: string;
  /**
   * Key of the first step that is performed again, as the history shows it. May be left out for a run that failed or was
   * cancelled: then it is what a retry would perform.
   */
  readonly from?: string;
  /** Outputs by key, instead of those recorded; also of `from`, which is not performed then. */
  readonly outputs?: Readonly<Record<string, unknown>>;
  /** Instead of the run's own; checked against the schema. */
  readonly input?: unknown;
  /** Another version of the workflow. */
  readonly version?: string;
};

/** Who asks for it, and why. Both are recorded. */
export type RequestOptions = ActorOption & {
  readonly reason?: string;
  /** Asked twice under one id, it counts once. Default: a fresh one. */
  readonly id?: string;
};

/** Options of a signal. */
export type SignalOptions = ActorOption & {
  /** Sent twice under one id, a signal arrives once. Default: a fresh one. */
  readonly id?: string;
};

/** @param rowId known when this process has just started the run; null: looked up when needed */
export function openHandle<Output>(deps: Deps, ref: RunRef, rowId: number | null): RunHandle<Output> {
  const ended = (): Promise<Ending> =>
    rowId === null ? getRun(deps, ref).then((run) => awaitEnd(deps, run.rowId)) : awaitEnd(deps, rowId);
  return {
    id: ref.id,
    workflow: `${ref.namespace}/${ref.name}`,
    outcome: async () => toOutcome<Output>(await ended()),
    result: async () => outputOf(ref, toOutcome<Output>(await ended())),
    status: async () => {
      const run = await getRun(deps, ref);
      const longSteps = (await deps.store.listActiveSteps(run.rowId)).map(toLongStep);
      return { ...toStatus(run), waitingFor: await waitsOf(deps, run), longSteps };
    },
    history: async () => {
      const events = await deps.store.listHistory((await getRun(deps, ref)).rowId);
      return events.map(decodeEvent);
    },
    signal: ((signal: Signal, payload?: unknown, options: SignalOptions = {}) =>
      sendSignal(deps, ref, { signal, payload }, options)) as RunHandle["signal"],
    cancel: (options) => request(deps, ref, "cancel", options),
    pause: (options) => request(deps, ref, "pause", options),
    resume: async (options) => {
      // Under an id it may have been asked before, and followed.
      if (options?.id === undefined) await checkPaused(deps, ref);
      return request(deps, ref, "resume", options);
    },
    retry: async ({ from, ...options } = {}) =>
      reopenRun(deps, ref, toRequest(deps, options), from === undefined ? {} : { from }),
    resolve: async (step, value, options = {}) => {
      const { text } = encode(value, deps.settings.limits);
      await reopenRun(deps, ref, toRequest(deps, options), { resolve: { step, value: text } });
    },
    fork: async (options = {}) => {
      checkKeys("options of fork", options, ["actor", "reason", "id", "from", "outputs", "input", "version"]);
      const { actor = deps.settings.actor, reason = "", id = deps.host.freshId(), ...what } = options;
      const forked = await forkRun(deps, ref, { ...what, actor, reason, id });
      return openHandle<Output>(deps, { ...ref, id: forked.id }, forked.rowId);
    },
  };
}

/** The run as people see it. */
export function toStatus(run: Run): RunStatus {
  return {
    id: run.id,
    workflow: `${run.namespace}/${run.name}`,
    version: run.version,
    state: run.state,
    actor: run.actor,
    input: decode(run.input),
    output: run.output === null ? undefined : decode(run.output),
    error: run.error === null ? null : toError(parseFailure(run.error)),
    waitingFor: run.waitingFor,
    progress: run.progress === null ? undefined : decode(run.progress),
    attributes: run.attributes,
    createdAtMs: run.createdAtMs,
    endedAtMs: run.endedAtMs,
    deadlineAtMs: run.deadlineAtMs,
    crashes: run.crashes,
    onHold: run.onHold,
  };
}

function toLongStep({ key, kind, attempt, beganAtMs, beat, beatAtMs }: ActiveStep): LongStep {
  const heartbeat = beat === null ? undefined : decode(beat);
  return { key, kind, attempt, beganAtMs, heartbeat, heartbeatAtMs: beatAtMs };
}

async function sendSignal(
  deps: Deps,
  ref: RunRef,
  sent: { readonly signal: Signal; readonly payload: unknown },
  options: SignalOptions,
): Promise<void> {
  const { signal, payload: raw } = sent;
  const checked =
    signal.payload === undefined ? { ok: true as const, value: raw } : await validate(signal.payload, raw);
  if (!checked.ok) {
    const what = `payload of signal "${signal.name}" does not fit its schema: ${issuesText(checked.issues)}.`;
    throw new StepwellError("SIGNAL_INVALID", what, { details: { issues: checked.issues } });
  }
  const { text: payload } = encode(checked.value, deps.settings.limits);
  const { actor, operationId } = sender(deps, options);
  const id = options.id === undefined ? operationId : `signal:${options.id}`;
  await post(deps, ref, { kind: "signal", name: signal.name, payload, actor, operationId: id });
}

function request(
  deps: Deps,
  ref: RunRef,
  kind: "cancel" | "pause" | "resume",
  options: RequestOptions = {},
): Promise<void> {
  const { actor, reason, operation: operationId } = toRequest(deps, options);
  return post(deps, ref, { kind, name: "", payload: encode(reason).text, actor, operationId });
}

function toRequest(deps: Deps, options: RequestOptions): Request {
  const { actor, operationId } = sender(deps, options);
  const operation = options.id === undefined ? operationId : `request:${options.id}`;
  return { actor, reason: options.reason ?? "", operation };
}

/** @throws StepwellError RUN_NOT_PAUSED for a run that goes on as it is; who is about to stand still counts as paused */
async function checkPaused(deps: Deps, ref: RunRef): Promise<void> {
  const { rowId } = await getRun(deps, ref);
  const asked = (await deps.store.listInbox(rowId, 0)).findLast(isRequest);
  if (asked?.kind === "pause") return;
  // Read afterwards: a request that was there and is gone has been followed by now.
  const run = await getRun(deps, ref);
  if (run.state === "paused" || run.state === "quarantined" || isTerminal(run.state)) return;
  throw new StepwellError("RUN_NOT_PAUSED", `run "${ref.id}" of ${ref.namespace}/${ref.name} is ${run.state}.`);
}

function sender(deps: Deps, options: ActorOption): Pick<NewInboxItem, "actor" | "operationId"> {
  return { actor: options.actor ?? deps.settings.actor, operationId: deps.host.freshId() };
}

function post(deps: Deps, to: RunRef, item: NewInboxItem): Promise<void> {
  return new Promise((resolve, reject) => {
    checkOutsideTx(deps, item.kind);
    deps.committer.submit({ kind: "post", to, item }, (result) => {
      if (result.kind === "posted") {
        deps.worker.receive(result);
        return resolve();
      }
      if (result.kind === "unknown_run") return reject(notFound(to));
      if (result.kind === "ended") return item.kind === "cancel" ? resolve() : reject(hasEnded(to, result.state));
      reject(whyNot(result, "a message"));
    });
  });
}

/** An end in this process is told at once; one in another is found by asking. */
function awaitEnd(deps: Deps, rowId: number): Promise<Ending> {
  checkOutsideTx(deps, "result");
  return new Promise((resolve, reject) => {
    deps.watchers.watch(rowId, { ended: resolve, failed: reject, left: () => deps.elsewhere.ask(rowId) });
    if (!deps.worker.executes(rowId)) deps.elsewhere.ask(rowId);
  });
}

function toOutcome<Output>(ending: Ending): RunOutcome<Output> {
  if (ending.state === "completed") return { state: "completed", output: decode(ending.value) as Output };
  return { state: ending.state, error: toError(parseFailure(ending.value)) };
}

function outputOf<Output>(ref: RunRef, outcome: RunOutcome<Output>): Output {
  if (outcome.state === "completed") return outcome.output;
  throw new RunFailed({
    run: { workflow: `${ref.namespace}/${ref.name}`, id: ref.id },
    state: outcome.state,
    cause: outcome.error,
  });
}

function decodeEvent(event: HistoryEvent): DecodedEvent {
  const decoded: Record<string, unknown> = { ...event };
  if ("input" in event) decoded["input"] = decode(event.input);
  if ("error" in event) decoded["error"] = toError(parseFailure(event.error));
  if ("value" in event) decoded["value"] = decodeValue(event);
  return decoded as unknown as DecodedEvent;
}

function decodeValue(event: Extract<HistoryEvent, { value: string }>): unknown {
  const failed = "outcome" in event && (event.outcome === "failed" || event.outcome === "cancelled");
  const ended = "state" in event && event.state !== "completed";
  return failed || ended ? toError(parseFailure(event.value)) : decode(event.value);
}

function hasEnded(ref: RunRef, state: RunState): StepwellError {
  return new StepwellError("RUN_ENDED", `run "${ref.id}" of ${ref.namespace}/${ref.name} is ${state}.`);
}
