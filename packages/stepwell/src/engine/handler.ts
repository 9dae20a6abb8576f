/**
 * Handler: a reusable, named step function with an input schema. A plain value, used
 * by `ctx.step`, `ctx.map` and, later, by graphs and templates.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type BreakerOptions, type BreakerPolicy, parseBreaker } from "../model/breaker.ts";
import { type Duration, parseDuration } from "../model/duration.ts";
import { stepKey } from "../model/key.ts";
import { StepwellError } from "../model/errors.ts";
import { checkKeys } from "../model/options.ts";
import { parseRetry, RETRY_DEFAULT, type RetryOptions, type RetryPolicy, toRetry } from "../model/retry.ts";
import { issuesText, validate } from "../model/schema.ts";
import { parseUncertain, type UncertainPolicy } from "../model/uncertain.ts";

/** What step code is given. */
export type StepContext = {
  /**
   * Stable over attempts and crashes, different for every step of every run; for receivers that honour such keys (P5).
   */
  readonly idempotencyKey: string;
  /** Fires when the attempt timed out, the run was cancelled or lost, or the body has ended. */
  readonly signal: AbortSignal;
  /** 1-based. */
  readonly attempt: number;
  /** Key of the step within its run. */
  readonly step: string;
  /** Unique among the runs of its workflow. */
  readonly runId: string;
  /** `namespace/name` of the run. */
  readonly workflow: string;
  /**
   * Say that the attempt lives, and how far it is. `details` are stored, the newest once a second at most, shown with
   * the run, and handed to the next attempt. They count as a payload: the codec's errors and limits apply.
   */
  readonly heartbeat: (details?: unknown) => void;
  /** What an earlier attempt told last, also over a crash; undefined when none told anything. */
  readonly lastHeartbeat: unknown;
};

/** A reusable, named step function with an input schema. */
export type Handler<Raw = unknown, Output = unknown> = {
  readonly kind: "handler";
  readonly name: string;
  readonly input: StandardSchemaV1;
  readonly output: StandardSchemaV1 | undefined;
  readonly retry: RetryPolicy;
  /** What the handler itself says about retries: it wins over the defaults of `ctx.with`. */
  readonly explicitRetry: RetryOptions;
  readonly timeoutMs: number | null;
  readonly heartbeatMs: number | null;
  readonly breaker: BreakerPolicy | null;
  readonly onUncertain: "fail" | "ask" | null;
  readonly work: (input: never, step: StepContext) => Output | Promise<Output>;
  /** Carries `Raw` for inference; never called. */
  readonly accepts?: (raw: Raw) => void;
};

/** Options of {@link handler}. */
export type HandlerOptions<S extends StandardSchemaV1> = {
  /** Checks the input before each attempt; the work gets what it makes of it. */
  readonly input: S;
  /** Checked on the result; a result that does not fit fails the step for good. */
  readonly output?: StandardSchemaV1;
  /** Total attempts including the first; short for `retry: { attempts }`. */
  readonly attempts?: number;
  /** Laid over the defaults of a step. */
  readonly retry?: RetryOptions;
  /** Per attempt. */
  readonly timeout?: Duration;
  /** An attempt that gives no heartbeat for so long fails with STEP_HEARTBEAT_MISSED. */
  readonly heartbeat?: Duration;
  /** Calls nobody while a service keeps failing; see `.circuitBreaker` of a step. */
  readonly circuitBreaker?: BreakerOptions;
  /** Whether an attempt of which nobody knows how it ended is made again; see `.onUncertain` of a step. */
  readonly onUncertain?: UncertainPolicy;
};

const OPTIONS = ["input", "output", "attempts", "retry", "timeout", "heartbeat", "circuitBreaker", "onUncertain"];

/**
 * Define a handler: a plain value for `ctx.step(handler, input)` and `ctx.map`.
 * Input that does not fit the schema fails the step for good (INPUT_INVALID).
 */
export function handler<S extends StandardSchemaV1, Output>(
  name: string,
  options: HandlerOptions<S>,
  work: (input: StandardSchemaV1.InferOutput<S>, step: StepContext) => Output | Promise<Output>,
): Handler<StandardSchemaV1.InferInput<S>, Output> {
  const where = `handler "${name}"`;
  checkKeys(where, options, OPTIONS);
  const explicitRetry = toRetry(options);
  return Object.freeze({
    kind: "handler",
    name: stepKey(name, where),
    input: options.input,
    output: options.output,
    retry: parseRetry(explicitRetry, RETRY_DEFAULT, where),
    explicitRetry,
    timeoutMs: options.timeout === undefined ? null : parseDuration(options.timeout, `timeout of ${where}`),
    heartbeatMs: options.heartbeat === undefined ? null : parseDuration(options.heartbeat, `heartbeat of ${where}`),
    breaker: options.circuitBreaker === undefined ? null : parseBreaker(options.circuitBreaker, where),
    onUncertain: options.onUncertain === undefined ? null : parseUncertain(options.onUncertain, where),
    work,
  } as const);
}

/** The handler as step code for one input: validate and normalise, work, check the result. */
export function handlerWork(handler: Handler, raw: unknown): (step: StepContext) => Promise<unknown> {
  return async (step) => {
    const input = await validate(handler.input, raw);
    if (!input.ok) {
      const what = `input of handler "${handler.name}" does not fit its schema: ${issuesText(input.issues)}.`;
      throw new StepwellError("INPUT_INVALID", what, { details: { issues: input.issues } });
    }
    const result = await handler.work(input.value as never, step);
    if (handler.output === undefined) return result;
    const output = await validate(handler.output, result);
    if (output.ok) return output.value;
    const what = `result of handler "${handler.name}" does not fit its schema: ${issuesText(output.issues)}.`;
    throw new StepwellError("OUTPUT_INVALID", what, { details: { issues: output.issues } });
  };
}

/** True for what {@link handler} makes. */
export function isHandler(value: unknown): value is Handler {
  return typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === "handler";
}
