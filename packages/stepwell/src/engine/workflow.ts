/**
 * Workflow: a definition, and what its body may call. Plain values, nothing global;
 * the engine knows a workflow only once it is handed one.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type Duration, parseDuration } from "../model/duration.ts";
import type { AttributeChanges } from "../model/attributes.ts";
import { StepwellError } from "../model/errors.ts";
import { parseVersion, parseWorkflowName } from "../model/identity.ts";
import type { StepName } from "../model/key.ts";
import { checkKeys } from "../model/options.ts";
import type { RetryOptions } from "../model/retry.ts";
import type { Identity } from "../model/run.ts";
import type { ApprovalOf, ApproveOptions } from "./approval-plan.ts";
import type { ChildChain, NamedChain, StepChain, TxChain } from "./chain.ts";
import type { Handler, StepContext } from "./handler.ts";
import type { StepDefaults } from "./scope.ts";
import { toStuckAfter } from "./stuck-after.ts";
import type { Signal } from "./signal.ts";

/** What a wait for a signal gives: the payload, or the stored fact that none came in time. */
export type Received<V> = { readonly ok: true; readonly value: V };
/** What a wait for a signal gives when none came in time. */
export type TimedOut = { readonly ok: false; readonly reason: "timeout" };

/** Options of `ctx.map`. */
export type MapOptions<I> = {
  /** Identity of an item; items that are strings or numbers are their own. Two items of one key are an error. */
  readonly key?: (item: I) => string | number;
  /** Items under way at once; all by default. */
  readonly concurrency?: number;
  /** Of each item's step, the first included; short for `retry: { attempts }`. */
  readonly attempts?: number;
  /** Laid over the defaults of a step. */
  readonly retry?: RetryOptions;
  /** Per attempt of an item. */
  readonly timeout?: Duration;
};

/** Options of `ctx.each`. */
export type EachOptions<I> = Pick<MapOptions<I>, "key" | "concurrency">;

/** How a race ended, given the values of its contenders by name: a union. */
export type RaceOutcome<V> = {
  readonly [K in keyof V & string]: { readonly winner: K; readonly value: V[K] };
}[keyof V & string];

/** Options of `tx.start`. */
export type TxStartOptions = {
  /** As of `engine.start`: same id and input, same run. Default: a fresh UUIDv7. */
  readonly id?: string;
  /** Who starts it. */
  readonly actor?: string;
  /** How long the run may take as a whole; instead of what its workflow says. */
  readonly timeout?: Duration;
};

/**
 * An open transaction of the database that holds the runs. Placeholders in SQL are those of the database: `?` on SQLite,
 * `$1` on PostgreSQL. One statement at a time; none that begins or ends a transaction (savepoints are fine). Errors of
 * statements are the driver's own. Stepwell's own tables are not to be written.
 */
export type Tx = {
  /** The rows of a statement. */
  readonly query: <Row = Readonly<Record<string, unknown>>>(
    sql: string,
    params?: readonly unknown[],
  ) => Promise<readonly Row[]>;
  /** How many rows a statement has changed. */
  readonly execute: (sql: string, params?: readonly unknown[]) => Promise<{ readonly changes: number }>;
  /**
   * Start a run: it exists if and only if the transaction commits. Validated as by `engine.start`. The workflow must be
   * one that the engine was opened with.
   */
  readonly start: <Raw>(
    workflow: Workflow<Raw, unknown>,
    ...input: Raw extends void ? [input?: Raw, options?: TxStartOptions] : [input: Raw, options?: TxStartOptions]
  ) => Promise<{ readonly workflow: string; readonly id: string }>;
};

/** The handle of `ctx.tx`: the transaction, and what other step code is given as well. */
export type TxStep = Tx & Pick<StepContext, "attempt" | "idempotencyKey" | "signal" | "step" | "runId" | "workflow">;

/** What a body may call. Every call with a name is durable: it happens once, and replays give its outcome. */
export type Ctx<Input = unknown> = {
  /** Unique among the runs of its workflow. */
  readonly runId: string;
  /** Identity of the executing definition; a run keeps its major version. */
  readonly workflow: Identity;
  /**
   * The version that the run was started with, whichever executes it: the same on every replay, so that a body may
   * branch on it.
   */
  readonly version: string;
  /** Who started the run. */
  readonly actor: string;
  /** What the run was started with, after the schema: the body's second parameter. A fresh copy each time. */
  readonly input: Input;
  /** Do a piece of work and record its outcome. Runs at least once, is recorded exactly once. */
  readonly step: {
    <O>(name: StepName, work: (step: StepContext) => O): StepChain<Awaited<O>>;
    <Raw, O>(handler: Handler<Raw, O>, input: Raw): StepChain<Awaited<O>>;
    <Raw, O>(name: StepName, handler: Handler<Raw, O>, input: Raw): StepChain<Awaited<O>>;
  };
  /**
   * Write to the database that holds the runs, in the transaction that records the outcome: both are stored, or none, so
   * that it takes effect exactly once. Takes a second at most (TX_TIMEOUT): on SQLite nobody else writes meanwhile. A
   * throw takes it back and is tried again like any step; handlers of `onError` and `fallback` run outside of it.
   */
  readonly tx: <O>(name: StepName, work: (tx: TxStep) => O) => TxChain<Awaited<O>>;
  /** Wait; survives restarts; never ends early. */
  readonly sleep: (name: StepName, duration: Duration) => NamedChain<void>;
  /**
   * Wait until a moment: a Date, or epoch milliseconds. Never ends early by the store's clock; a moment that has passed
   * ends it at once. Throws MOMENT_INVALID for anything else. The first execution's moment counts.
   */
  readonly sleepUntil: (name: StepName, moment: Date | number) => NamedChain<void>;
  /**
   * Wait for a signal; buffered ones count. The n-th wait of a signal gets the n-th one sent. Two waits of one signal
   * at the same time need names.
   */
  readonly waitFor: {
    <V>(
      signal: Signal<never, V>,
      options: { readonly timeout: Duration; readonly name?: string },
    ): NamedChain<Received<V> | TimedOut>;
    <V>(signal: Signal<never, V>, options?: { readonly name?: string }): NamedChain<Received<V>>;
  };
  /**
   * Ask people, and wait for what they decide: `engine.approvals`. Being refused, or not answered in time, is a value and no
   * error. Who started the run cannot approve it, see `fourEyes`. Throws OPTION_UNKNOWN and OPTION_INVALID, also for what
   * contradicts itself.
   */
  readonly approve: <Form = undefined, Timeout extends Duration = never>(
    name: StepName,
    options: ApproveOptions<Form, Timeout>,
  ) => NamedChain<ApprovalOf<Form, Timeout>>;
  /**
   * One step per item, by key; results in the order of the items. The chain configures and shapes every item's step.
   */
  readonly map: {
    <I, O>(
      name: string,
      items: readonly I[],
      options: MapOptions<I>,
      work: (item: I, step: StepContext) => O,
    ): StepChain<Awaited<O>[], [value: Awaited<O>, item: I]>;
    <I, O>(
      name: string,
      items: readonly I[],
      options: MapOptions<I>,
      handler: Handler<I, O>,
    ): StepChain<Awaited<O>[], [value: Awaited<O>, item: I]>;
  };
  /**
   * A small body per item, by key, with a ctx of its own: names used there are the item's, signals and derived
   * randomness too, so that every item may have a "charge". Results in the order of the items. Like `map` it lets all
   * items end before it throws the first failure by index. Two items of one key are an error.
   */
  readonly each: <I, O>(
    name: string,
    items: readonly I[],
    options: EachOptions<I>,
    body: (ctx: Ctx<Input>, item: I, index: number) => O,
  ) => Promise<Awaited<O>[]>;
  /** Await several calls; unlike Promise.all it lets all end before it throws the first failure. */
  readonly all: <T extends Readonly<Record<string, PromiseLike<unknown>>> | readonly PromiseLike<unknown>[]>(
    calls: T,
  ) => Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }>;
  /**
   * The first to end decides, and the others are given up: `{ winner, value }`, or the first one's error. What came
   * first is recorded, so that it wins on every replay.
   *
   * Contenders that are calls of this ctx are cancelled when they lose, and recorded as such: the AbortSignal of their
   * code fires, waits are dropped, children are asked to cancel, a signal that arrives later stays for the next wait.
   * Their effects may have happened: what must be undone is not compensated. Awaiting a loser throws RACE_LOST.
   *
   * Any other promise (an async function over several steps, `ctx.each`, `ctx.all`, a `fetch`) cannot be cancelled: it
   * goes on, as with `Promise.race`.
   */
  readonly race: <V extends Readonly<Record<string, unknown>>>(
    name: StepName,
    contenders: { readonly [K in keyof V]: PromiseLike<V[K]> },
  ) => NamedChain<RaceOutcome<V>>;
  /**
   * Start another workflow as a child and await its result. A child that fails or is cancelled throws RUN_FAILED or
   * RUN_CANCELLED.
   */
  readonly run: <Raw, O>(name: StepName, workflow: Workflow<Raw, O>, input: Raw) => ChildChain<O>;
  /** Start another workflow and go on; it lives on its own. */
  readonly start: <Raw, O>(
    name: StepName,
    workflow: Workflow<Raw, O>,
    input: Raw,
    options?: { readonly id?: string },
  ) => NamedChain<{ readonly workflow: string; readonly id: string }>;
  /** The moment of the first execution by the clock that timers go by, the store's; recorded. */
  readonly now: (name: StepName) => NamedChain<Date>;
  /** A UUID that is the same on every replay; derived from the run and `name`, not stored. */
  readonly uuid: (name: string) => string;
  /** A number in [0, 1) that is the same on every replay; derived from the run and `name`, not stored. */
  readonly random: (name: string) => number;
  /**
   * Say what the run can be found by: texts of up to 256 characters, finite numbers, booleans; null removes a name. Laid
   * over what was set before; at most 32 names. Not repeated by replays. Throws ATTRIBUTE_INVALID.
   */
  readonly set: (attributes: AttributeChanges) => void;
  /** Show how far the run is; the last value wins. */
  readonly progress: (value: unknown) => void;
  /** Add a line to the run's history and the engine's log; not repeated by replays. */
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
  /**
   * The same ctx with other defaults for its steps and maps. What is nearer to the step wins: its chain or the options of
   * its map, then its handler's own options, then these, then those of a ctx that this one was made from.
   */
  readonly with: (defaults: StepDefaults) => Ctx<Input>;
};

/** A definition: identity, input schema, body. `Raw` is what `start` accepts, `Output` what the body returns. */
export type Workflow<Raw = never, Output = unknown> = Identity & {
  readonly kind: "workflow";
  readonly description: string | undefined;
  readonly input: StandardSchemaV1 | undefined;
  /** How long a run may take as a whole; null: for ever. */
  readonly timeoutMs: number | null;
  /** After how long without a move a run is reported; Infinity: never; null: as the engine says. */
  readonly stuckAfterMs: number | null;
  /** Takes the decoded input, after the schema. */
  readonly body: (ctx: Ctx<never>, input: never) => Promise<Output>;
  /** Carries `Raw` for inference; never called. */
  readonly accepts?: (raw: Raw) => void;
};

/** Options of {@link workflow}. */
export type WorkflowOptions = {
  /**
   * Semantic version. Runs pin their major; any registered version of that major that is not older may continue them.
   */
  readonly version: string;
  /** For people. */
  readonly description?: string;
  /**
   * How long a run may take as a whole, from its start: parked, waiting for a worker and replaying count. When it is
   * over the run fails with RUN_TIMEOUT: its steps are asked to stop, awaited children to cancel, and what was done is
   * undone, which has no deadline. Without it a run may take for ever.
   */
  readonly timeout?: Duration;
  /** Report a run that has not moved for so long; instead of what the engine says. False: never report one. */
  readonly stuckAfter?: Duration | false;
};

/**
 * Define a workflow.
 *
 * @param name    `namespace/name`; without a namespace it is `default/name`
 * @param options version, and a schema for the input (any Standard Schema: zod, valibot, arktype)
 * @param body    an ordinary async function; every named step of it is recorded
 * @throws StepwellError WORKFLOW_INVALID, OPTION_UNKNOWN
 */
export function workflow<S extends StandardSchemaV1, Output>(
  name: string,
  options: WorkflowOptions & { readonly input: S },
  body: (ctx: Ctx<StandardSchemaV1.InferOutput<S>>, input: StandardSchemaV1.InferOutput<S>) => Promise<Output>,
): Workflow<StandardSchemaV1.InferInput<S>, Output>;
export function workflow<Input = void, Output = unknown>(
  name: string,
  options: WorkflowOptions & { readonly input?: undefined },
  body: (ctx: Ctx<Input>, input: Input) => Promise<Output>,
): Workflow<Input, Output>;
export function workflow(
  name: string,
  options: WorkflowOptions & { readonly input?: StandardSchemaV1 | undefined },
  body: (ctx: Ctx<never>, input: never) => Promise<unknown>,
): Workflow {
  const where = `workflow "${name}"`;
  const identity = parseWorkflowName(name, where);
  checkKeys(where, options, ["version", "description", "input", "timeout", "stuckAfter"]);
  parseVersion(options.version);
  if (typeof body !== "function") throw new StepwellError("WORKFLOW_INVALID", `${where} has no body function.`);
  return Object.freeze({
    kind: "workflow",
    ...identity,
    version: options.version,
    description: options.description,
    input: options.input,
    timeoutMs: options.timeout === undefined ? null : parseDuration(options.timeout, `timeout of ${where}`),
    stuckAfterMs: options.stuckAfter === undefined ? null : stuckMs(options.stuckAfter, `stuckAfter of ${where}`),
    body,
  } as const);
}

/** Of a workflow, or as a text says. @throws StepwellError WORKFLOW_INVALID */
export function nameOf(workflow: Workflow<never, unknown> | string): Pick<Identity, "namespace" | "name"> {
  if (typeof workflow !== "string") return { namespace: workflow.namespace, name: workflow.name };
  return parseWorkflowName(workflow, `workflow "${workflow}"`);
}

function stuckMs(stuckAfter: Duration | false, where: string): number {
  return toStuckAfter(stuckAfter, where) ?? Infinity;
}
