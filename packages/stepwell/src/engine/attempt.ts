/**
 * Attempt: one try of step code, with its context, timeout and abort signal.
 */
import { encode } from "../model/json.ts";
import { type Failure, toError, toFailure } from "../model/failure.ts";
import { beatStep, endBeats, lastBeat } from "./beat.ts";
import type { CallConfig, StepError } from "./chain.ts";
import type { Deps } from "./deps.ts";
import { type AbortCause, type Execution, type OpenCall, type RunningStep, runName } from "./execution.ts";
import type { StepContext } from "./handler.ts";
import { inTime } from "./timeout.ts";

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
export type StepCall = Pick<OpenCall, "exec" | "key" | "kind" | "config">;

/** Run step code once. Never rejects; whatever it throws becomes a Failure. Attempt 0: code that is part of another. */
export async function runAttempt(deps: Deps, call: StepCall, work: StepWork, attempt: number): Promise<AttemptEnd> {
  const { host, settings } = deps;
  const { exec } = call;
  const startedMs = host.monotonicMs();
  const step = openStep(deps, call, attempt, startedMs);
  const { config } = call;
  exec.stepping.add(step);
  try {
    const outcome = host.inside({ kind: "step", name: stepLabel(exec, call.key) }, () => work(step.context));
    const untimed = config.timeoutMs === null && config.heartbeatMs === null;
    const returned = await (untimed ? outcome : inTime(deps, step, config, outcome));
    const { text, value } = encode(returned, settings.limits);
    return { kind: "value", text, value, durationMs: host.monotonicMs() - startedMs };
  } catch (thrown) {
    const durationMs = host.monotonicMs() - startedMs;
    endBeats(step, true);
    return { kind: "failure", failure: toFailure(thrown), abortedFor: step.abort.cause, durationMs };
  } finally {
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
  const untimed = { ...call, config: { ...call.config, timeoutMs: null, heartbeatMs: null } };
  return runAttempt(deps, untimed, () => shape(toError(failure)), 0);
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

function openStep(deps: Deps, { exec, key, kind }: StepCall, attempt: number, startedMs: number): RunningStep {
  const { namespace, name, id } = exec.run;
  const own: Own = { attempt, step: key, runId: id, workflow: `${namespace}/${name}`, [RUNNING]: null };
  const context = Object.setPrototypeOf(own, STEP_CONTEXT) as StepContext;
  const abort = { controller: null, cause: null, error: undefined };
  const step: RunningStep = { deps, exec, kind, context, abort, startedMs, told: false, beat: null };
  own[RUNNING] = step;
  return step;
}

const RUNNING = Symbol("stepwell.running");

type Own = Pick<StepContext, "attempt" | "step" | "runId" | "workflow"> & { [RUNNING]: RunningStep | null };

/** The parts of a step's context that most steps never ask for. */
const STEP_CONTEXT = {
  get idempotencyKey(): string {
    const { workflow, runId, step } = this as unknown as StepContext;
    return `${workflow}:${runId}:${step}`;
  },
  get signal(): AbortSignal {
    const { abort } = (this as unknown as Own)[RUNNING]!;
    abort.controller ??= new AbortController();
    if (abort.cause !== null) abort.controller.abort(abort.error);
    return abort.controller.signal;
  },
  get heartbeat(): StepContext["heartbeat"] {
    const step = (this as unknown as Own)[RUNNING]!;
    return (details) => beatStep(step, details);
  },
  get lastHeartbeat(): unknown {
    return lastBeat((this as unknown as Own)[RUNNING]!);
  },
};
