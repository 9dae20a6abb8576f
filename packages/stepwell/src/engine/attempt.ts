/**
 * Attempt: one try of step code, with its context, timeout and abort signal.
 */
import { encode } from "../model/json.ts";
import { StepwellError } from "../model/errors.ts";
import { type Failure, toError, toFailure } from "../model/failure.ts";
import type { CallConfig, StepError } from "./chain.ts";
import type { Deps } from "./deps.ts";
import { type Abort, type AbortCause, abortStep, type Execution, type RunningStep, runName } from "./execution.ts";
import type { StepContext } from "./handler.ts";

/** How an attempt ended. `text` is what is stored, `value` the decoded copy that the body gets. */
export type AttemptEnd =
  | { readonly kind: "value"; readonly text: string; readonly value: unknown; readonly durationMs: number }
  | {
      readonly kind: "failure";
      readonly failure: Failure;
      /** Set when the step was asked to stop and then failed. */
      readonly abortedFor: AbortCause | null;
      readonly durationMs: number;
    };

/** Work of a step, given its context. */
export type StepWork = (step: StepContext) => unknown;

/** The call whose step is tried. */
export type StepCall = { readonly exec: Execution; readonly key: string; readonly config: CallConfig };

/** Run step code once. Never rejects; whatever it throws becomes a Failure. */
export async function runAttempt(deps: Deps, call: StepCall, work: StepWork, attempt: number): Promise<AttemptEnd> {
  const { host, settings } = deps;
  const { exec } = call;
  const step = openStep(exec, call.key, attempt);
  const startedMs = host.monotonicMs();
  exec.stepping.add(step);
  try {
    const outcome = host.inside({ kind: "step", name: stepLabel(exec, call.key) }, () => work(step.context));
    const returned = await (call.config.timeoutMs === null
      ? outcome
      : timed(deps, exec, { step, outcome }, call.config));
    const { text, value } = encode(returned, settings.limits);
    return { kind: "value", text, value, durationMs: host.monotonicMs() - startedMs };
  } catch (thrown) {
    const durationMs = host.monotonicMs() - startedMs;
    return { kind: "failure", failure: toFailure(thrown), abortedFor: step.abort.cause, durationMs };
  } finally {
    if (step.abort.cause !== "timeout") step.ended = true;
    exec.stepping.delete(step);
  }
}

/** Let `onError` or `fallback` turn a failure into a value; null when neither applies. */
export async function shapeFailure(
  deps: Deps,
  call: StepCall,
  failure: Failure,
  final: boolean,
): Promise<AttemptEnd | null> {
  const shape = findHandler(call.config, failure) ?? (final ? call.config.fallback : null);
  if (shape === null) return null;
  const untimed = { ...call, config: { ...call.config, timeoutMs: null } };
  return runAttempt(deps, untimed, () => shape(toError(failure)), 1);
}

/** Names the step wherever its code shows up: in errors about ctx calls inside it, and in strays. */
export function stepLabel(exec: Execution, key: string): string {
  return `${runName(exec)} ${key}`;
}

/** By `code`, then by `name`; handlers given first win. */
function findHandler(config: CallConfig, failure: Failure): ((error: StepError) => unknown) | null {
  for (const name of [failure.code, failure.name]) {
    if (name === undefined) continue;
    for (const handlers of config.onError) if (Object.hasOwn(handlers, name)) return handlers[name]!;
  }
  return null;
}

function openStep(exec: Execution, key: string, attempt: number): RunningStep {
  const { namespace, name, id } = exec.run;
  const abort: Abort = { controller: null, cause: null, error: undefined };
  const own = { attempt, step: key, runId: id, workflow: `${namespace}/${name}`, [ABORT]: abort };
  return { context: Object.setPrototypeOf(own, STEP_CONTEXT) as StepContext, abort, ended: false };
}

const ABORT = Symbol("stepwell.abort");

/** The parts of a step's context that most steps never ask for. */
const STEP_CONTEXT = {
  get idempotencyKey(): string {
    const { workflow, runId, step } = this as unknown as StepContext;
    return `${workflow}:${runId}:${step}`;
  },
  get signal(): AbortSignal {
    const abort = (this as unknown as { readonly [ABORT]: Abort })[ABORT];
    abort.controller ??= new AbortController();
    if (abort.cause !== null) abort.controller.abort(abort.error);
    return abort.controller.signal;
  },
};

/** A timed-out attempt is over for the engine; its code is told by the signal, and its late outcome ignored. */
function timed(
  deps: Deps,
  exec: Execution,
  { step, outcome }: { readonly step: RunningStep; readonly outcome: unknown },
  { timeoutMs, where }: Pick<CallConfig, "timeoutMs" | "where">,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const cancel = deps.host.timer(timeoutMs ?? 0, () => {
      const error = new StepwellError("STEP_TIMEOUT", `${where} took longer than ${timeoutMs} ms.`, {
        details: { timeoutMs },
      });
      abortStep(step, "timeout", error);
      if (step.abort.cause === "timeout") exec.abandoned.push(step);
      reject(error);
    });
    Promise.resolve(outcome)
      .then(resolve, reject)
      .finally(() => {
        step.ended = true;
        cancel();
      });
  });
}
