/**
 * Attempt: one try of step code, with its context, timeout and abort signal.
 */
import { encode } from "../model/json.ts";
import { type Failure, toError, toFailure } from "../model/failure.ts";
import { keyOutside } from "../model/reopening.ts";
import { endBeats, lastBeat } from "./beat.ts";
import type { CallConfig, StepError } from "./chain.ts";
import type { Deps } from "./deps.ts";
import { type AbortCause, type Execution, type RunningStep, runName } from "./execution.ts";
import type { StepContext } from "./handler.ts";
import type { Host } from "./host.ts";
import { isTimed, inTime } from "./timeout.ts";

/** How an attempt ended. `text` is what is stored, `value` the decoded copy that the body gets. */
export type AttemptEnd =
  | {
      readonly kind: "value";
      readonly outcome: "completed";
      readonly text: string;
      readonly value: unknown;
      readonly attempt: number;
      readonly durationMs: number;
    }
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

/**
 * Run step code once; whatever it throws becomes a Failure. Code that returns no promise has ended when this returns;
 * a promise that is given never rejects. Attempt 0: code that is part of another attempt.
 */
export function runAttempt(
  deps: Deps,
  call: StepCall,
  work: StepWork,
  attempt: number,
): AttemptEnd | Promise<AttemptEnd> {
  const step = openStep(deps.host, call, attempt);
  try {
    const outcome = deps.host.inside(step, () => work(step.context));
    if (!isTimed(call.config) && !isThenable(outcome)) return valueEnd(deps, step, outcome);
    return settled(deps, call.config, step, outcome);
  } catch (thrown) {
    endBeats(deps, step);
    return failureEnd(deps, step, thrown);
  }
}

async function settled(deps: Deps, config: CallConfig, step: RunningStep, outcome: unknown): Promise<AttemptEnd> {
  const { stepping } = step.exec;
  stepping.add(step);
  try {
    return valueEnd(deps, step, await (isTimed(config) ? inTime(deps, step, config, outcome) : outcome));
  } catch (thrown) {
    if (stepping.has(step)) endBeats(deps, step);
    return failureEnd(deps, step, thrown);
  } finally {
    if (step.abortedFor !== "timeout") step.ended = true;
    stepping.delete(step);
  }
}

function valueEnd({ host, settings }: Deps, step: RunningStep, returned: unknown): AttemptEnd {
  const { text, value } = encode(returned, settings.limits);
  const durationMs = host.monotonicMs() - step.startedMs;
  return { kind: "value", outcome: "completed", text, value, attempt: step.context.attempt, durationMs };
}

function failureEnd({ host }: Deps, step: RunningStep, thrown: unknown): AttemptEnd {
  const durationMs = host.monotonicMs() - step.startedMs;
  return { kind: "failure", failure: toFailure(thrown), abortedFor: step.abortedFor, durationMs };
}

function isThenable(outcome: unknown): boolean {
  return typeof outcome === "object" && outcome !== null && "then" in outcome && typeof outcome.then === "function";
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

/** By `code`, then by `name`; handlers given first win. */
function findHandler(config: CallConfig, failure: Failure): ((error: StepError) => unknown) | null {
  for (const name of [failure.code, failure.name]) {
    if (name === undefined) continue;
    for (const handlers of config.onError) if (Object.hasOwn(handlers, name)) return handlers[name]!;
  }
  return null;
}

/** Most steps ask for little of this, so it is worked out when they do; and what few steps set stands here until then. */
const STEP = {
  kind: "step",
  abortedFor: null,
  abortReason: undefined,
  controller: null,
  ended: false,
  told: false,
  beat: null,
  get name(): string {
    const { exec, key } = this as unknown as RunningStep;
    return `${runName(exec)} ${key}`;
  },
};

function openStep(host: Host, call: StepCall, attempt: number): RunningStep {
  const step = Object.create(STEP) as { -readonly [K in keyof RunningStep]: RunningStep[K] };
  step.exec = call.exec;
  step.key = call.key;
  step.startedMs = host.monotonicMs();
  step.context = openStepContext(step, attempt);
  return step;
}

const RUNNING = Symbol("stepwell.running");

type Inner = StepContext & { readonly [RUNNING]: RunningStep };

function openStepContext(step: RunningStep, attempt: number): StepContext {
  const context = Object.create(STEP_CONTEXT) as { -readonly [K in keyof Inner]: Inner[K] };
  context.attempt = attempt;
  context.step = step.key;
  context.runId = step.exec.run.id;
  context[RUNNING] = step;
  return context;
}

/** The parts of a step's context that most steps never ask for. */
const STEP_CONTEXT = {
  get workflow(): string {
    const { namespace, name } = (this as unknown as Inner)[RUNNING].exec.run;
    return `${namespace}/${name}`;
  },
  get idempotencyKey(): string {
    const { workflow, runId, step, [RUNNING]: running } = this as unknown as Inner;
    return `${workflow}:${runId}:${keyOutside(running.exec.undone, step)}`;
  },
  get signal(): AbortSignal {
    const step = (this as unknown as Inner)[RUNNING];
    step.controller ??= new AbortController();
    if (step.abortedFor !== null) step.controller.abort(step.abortReason);
    return step.controller.signal;
  },
  get heartbeat(): StepContext["heartbeat"] {
    const step = (this as unknown as Inner)[RUNNING];
    return (details) => step.exec.beat(step, details);
  },
  get lastHeartbeat(): unknown {
    return lastBeat((this as unknown as Inner)[RUNNING]);
  },
};
