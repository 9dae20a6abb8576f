/**
 * Engine: the calls that users make, wired to the files that do the work.
 */
import { parseDuration, type Duration } from "../model/duration.ts";
import { StepwellError } from "../model/errors.ts";
import { checkKeys } from "../model/options.ts";
import type { Store } from "../store/store.ts";
import { type Bulk, openBulk } from "./bulk.ts";
import { type Approvals, approvalCalls } from "./approvals.ts";
import { type Breakers, openBreakers } from "./breakers.ts";
import { openCommitter } from "./commit.ts";
import type { Deps, WorkerDoor } from "./deps.ts";
import { openElsewhere } from "./elsewhere.ts";
import { listFleet, type WorkerInfo } from "./fleet.ts";
import {
  type ActorOption,
  type DecodedEvent,
  type ForkOptions,
  openHandle,
  type RequestOptions,
  type RetryRunOptions,
  type RunHandle,
  type SignalOptions,
} from "./handle.ts";
import type { Host, Place } from "./host.ts";
import { type Investigations, openInvestigations } from "./investigate.ts";
import { type ListFilter, listRuns, type RunList } from "./list.ts";
import { openRegistry } from "./registry.ts";
import { type EngineOptions, toSettings, toWork, type WorkOptions } from "./settings.ts";
import type { Signal } from "./signal.ts";
import { insertRun, prepareRun } from "./submit.ts";
import { openVerdicts } from "./verdicts.ts";
import { openWatchers } from "./watch.ts";
import { openWorker, type Worker } from "./worker.ts";
import { runTx } from "./engine-tx.ts";
import { checkOutsideTx } from "./tx-door.ts";
import { nameOf, type Tx, type Workflow } from "./workflow.ts";

/** Options of `start`. */
export type StartOptions = ActorOption & {
  /** Makes the start idempotent: same id and input, same run. Default: a fresh UUIDv7. */
  readonly id?: string;
  /** How long the run may take as a whole; instead of what its workflow says. */
  readonly timeout?: Duration;
};

/** A running engine. Close it when done. */
export type Engine = {
  /** Start a run; resolves when it is durable. `workflow` may be the name of a registered one. */
  readonly start: {
    <Raw, Output>(
      workflow: Workflow<Raw, Output>,
      ...input: Raw extends void ? [input?: Raw, options?: StartOptions] : [input: Raw, options?: StartOptions]
    ): Promise<RunHandle<Output>>;
    (workflow: string, input?: unknown, options?: StartOptions): Promise<RunHandle>;
  };
  /** Start a run and wait for its result: `(await start(…)).result()`. @throws RunFailed */
  readonly run: {
    <Raw, Output>(
      workflow: Workflow<Raw, Output>,
      ...input: Raw extends void ? [input?: Raw, options?: StartOptions] : [input: Raw, options?: StartOptions]
    ): Promise<Output>;
    (workflow: string, input?: unknown, options?: StartOptions): Promise<unknown>;
  };
  /**
   * Write to the database that holds the runs, and start runs, in one transaction: both are stored, or none. Gives what
   * `work` gives. Takes a second at most. @throws what `work` throws, TX_TIMEOUT, TX_NESTED, TX_BROKEN
   */
  readonly tx: <O>(work: (tx: Tx) => O) => Promise<Awaited<O>>;
  /** A handle of an existing run. @throws StepwellError RUN_NOT_FOUND */
  readonly get: {
    <Raw, Output>(workflow: Workflow<Raw, Output>, id: string): Promise<RunHandle<Output>>;
    (workflow: string, id: string): Promise<RunHandle>;
  };
  /**
   * A page of runs, newest first; `cursor` leads to the next. @throws StepwellError OPTION_UNKNOWN, OPTION_INVALID,
   * WORKFLOW_INVALID, ATTRIBUTE_INVALID
   */
  readonly list: (filter?: ListFilter) => Promise<RunList>;
  /** Short for `(await get(workflow, id)).history()`. @throws StepwellError RUN_NOT_FOUND */
  readonly history: (workflow: Workflow<never, unknown> | string, id: string) => Promise<readonly DecodedEvent[]>;
  /** Short for `(await get(workflow, id)).signal(…)`. */
  readonly signal: <Raw>(
    workflow: Workflow<never, unknown> | string,
    id: string,
    signal: Signal<Raw, unknown>,
    ...payload: Raw extends void ? [payload?: Raw, options?: SignalOptions] : [payload: Raw, options?: SignalOptions]
  ) => Promise<void>;
  /** Short for `(await get(workflow, id)).cancel(…)`. */
  readonly cancel: (workflow: Workflow<never, unknown> | string, id: string, options?: RequestOptions) => Promise<void>;
  /** Short for `(await get(workflow, id)).pause(…)`. */
  readonly pause: (workflow: Workflow<never, unknown> | string, id: string, options?: RequestOptions) => Promise<void>;
  /** Short for `(await get(workflow, id)).resume(…)`. */
  readonly resume: (workflow: Workflow<never, unknown> | string, id: string, options?: RequestOptions) => Promise<void>;
  /** Short for `(await get(workflow, id)).retry(…)`. */
  readonly retry: (workflow: Workflow<never, unknown> | string, id: string, options?: RetryRunOptions) => Promise<void>;
  /** Short for `(await get(workflow, id)).resolve(…)`. */
  readonly resolve: (
    workflow: Workflow<never, unknown> | string,
    id: string,
    ...resolution: Parameters<RunHandle["resolve"]>
  ) => Promise<void>;
  /** Short for `(await get(workflow, id)).fork(…)`. */
  readonly fork: {
    <Raw, Output>(workflow: Workflow<Raw, Output>, id: string, options?: ForkOptions): Promise<RunHandle<Output>>;
    (workflow: string, id: string, options?: ForkOptions): Promise<RunHandle>;
  };
  /** What can be asked of one run, asked of all that a filter finds; or, with `dryRun`, only shown. */
  readonly bulk: Bulk;
  /** Runs that failed or are in quarantine, as cases: the reason, notes of operators, and how it was resolved. */
  readonly investigations: Investigations;
  /** What people are asked to decide, and their decisions: see `ctx.approve`. */
  readonly approvals: Approvals;
  /** The workers of this store: who they are, what they can execute, how busy they are, when they were last seen. */
  readonly workers: () => Promise<readonly WorkerInfo[]>;
  /** Circuit breakers of this store: what they stand at, and to trip or reset one by hand. */
  readonly breakers: Breakers;
  /** Begin to execute runs, if the engine was opened with `work: false`. */
  readonly work: (options?: WorkOptions) => Promise<void>;
  /** Stop executing: running steps may end within the grace time, every run is given back. */
  readonly drain: (options?: { readonly grace?: Duration }) => Promise<void>;
  /** Drain, leave the registry, close the store. Idempotent. */
  readonly close: () => Promise<void>;
  /** Commits so far; for benchmarks. */
  readonly stats: () => { readonly flushes: number };
  readonly [Symbol.asyncDispose]: () => Promise<void>;
};

/** Open an engine on a store and a host; `openEngine` chooses both by URL. */
export async function openEngineOn(store: Store, host: Host, options: EngineOptions = {}): Promise<Engine> {
  const settings = toSettings(host, options);
  const registry = openRegistry(store, options.workflows ?? []);
  const seat: Seat = { worker: null, undo: [], closing: null };
  const watchers = openWatchers();
  const worker = workerDoor(seat);
  const deps: Deps = Object.freeze({
    host,
    store,
    settings,
    registry,
    committer: openCommitter(host, store, (error) => options.log?.({ level: "warn", message: error.message })),
    watchers,
    elsewhere: openElsewhere({ host, store, watchers, settings }, worker.leaseHeld),
    verdicts: openVerdicts(),
    worker,
    openTxs: new Set<string>(),
    log: options.log ?? null,
  });
  for (const warning of store.warnings) options.log?.({ level: "warn", message: warning });
  for (const workflow of options.workflows ?? []) await registry.versionIdOf(workflow);
  const engine = engineCalls(deps, seat);
  const work = options.work ?? (options.workflows?.length ?? 0) > 0;
  if (work !== false) await engine.work(work === true ? {} : work);
  return engine;
}

/** Where the worker sits once there is one. */
type Seat = { worker: Worker | null; undo: (() => void)[]; closing: Promise<void> | null };

function workerDoor(seat: Seat): WorkerDoor {
  return {
    reserve: () => seat.worker?.reserve() ?? null,
    unreserve: () => seat.worker?.unreserve(),
    begin: (claim, input) => seat.worker?.begin(claim, input),
    executes: (rowId) => seat.worker?.executes(rowId) ?? false,
    proved: (rowId) => seat.worker?.proved(rowId),
    nudge: () => seat.worker?.nudge(),
    receive: (posted) => seat.worker?.receive(posted),
    workerId: () => seat.worker?.workerId() ?? null,
    leaseHeld: () => seat.worker?.leaseHeld() ?? false,
    leaseRenewed: () => seat.worker?.leaseRenewed() ?? Promise.resolve(),
  };
}

function engineCalls(deps: Deps, seat: Seat): Engine {
  const get = async (workflow: Workflow | string, id: string): Promise<RunHandle> => {
    checkOutsideTx(deps, "engine.get");
    const ref = { ...nameOf(workflow), id };
    if ((await deps.store.findRun(ref)) === null) {
      throw new StepwellError("RUN_NOT_FOUND", `there is no run "${id}" of ${ref.namespace}/${ref.name}.`);
    }
    return openHandle(deps, ref, null);
  };
  const handleOf = (workflow: Workflow | string, id: string): RunHandle =>
    openHandle(deps, { ...nameOf(workflow), id }, null);
  const close = (): Promise<void> => (seat.closing ??= closeEngine(deps, seat));
  return {
    start: (workflow: Workflow | string, input?: unknown, start: StartOptions = {}) =>
      startRun(deps, workflow, input, start),
    run: async (workflow: Workflow | string, input?: unknown, start: StartOptions = {}) =>
      (await startRun(deps, workflow, input, start)).result(),
    tx: ((work: (tx: Tx) => unknown) => runTx(deps, work)) as Engine["tx"],
    get,
    list: async (filter = {}) => listRuns(deps, filter),
    history: (workflow, id) => handleOf(workflow, id).history(),
    signal: ((workflow: Workflow, id: string, ...rest: Parameters<RunHandle["signal"]>) =>
      handleOf(workflow, id).signal(...rest)) as Engine["signal"],
    cancel: (workflow, id, options) => handleOf(workflow, id).cancel(options),
    pause: (workflow, id, options) => handleOf(workflow, id).pause(options),
    resume: (workflow, id, options) => handleOf(workflow, id).resume(options),
    retry: (workflow, id, options) => handleOf(workflow, id).retry(options),
    resolve: (workflow, id, ...resolution) => handleOf(workflow, id).resolve(...resolution),
    fork: (workflow: Workflow | string, id: string, options?: ForkOptions) => handleOf(workflow, id).fork(options),
    bulk: openBulk(deps),
    investigations: openInvestigations(deps),
    approvals: approvalCalls(deps),
    breakers: openBreakers(deps),
    workers: async () => {
      checkOutsideTx(deps, "engine.workers");
      return listFleet(deps);
    },
    work: (options) => startWorking(deps, seat, options ?? {}, close),
    drain: async (options = {}) => {
      const graceMs =
        options.grace === undefined ? deps.settings.graceMs : parseDuration(options.grace, "grace of drain");
      await seat.worker?.drain(graceMs);
    },
    close,
    stats: () => ({ flushes: deps.committer.flushes() }),
    [Symbol.asyncDispose]: close,
  };
}

async function startRun(
  deps: Deps,
  named: Workflow | string,
  input: unknown,
  options: StartOptions,
): Promise<RunHandle> {
  checkOutsideTx(deps, "engine.start");
  const workflow = typeof named === "string" ? registered(deps, named) : named;
  checkKeys("options of start", options, ["id", "actor", "timeout"]);
  const { id: wanted = null, actor = deps.settings.actor, timeout } = options;
  const timeoutMs = timeout === undefined ? null : parseDuration(timeout, "timeout of start");
  const start = { id: wanted, hashed: true, actor, parent: null, timeoutMs };
  const prepared = prepareRun(deps, workflow, input, start);
  const { rowId, id } = await insertRun(deps, prepared instanceof Promise ? await prepared : prepared);
  return openHandle(deps, { namespace: workflow.namespace, name: workflow.name, id }, rowId);
}

function registered(deps: Deps, name: string): Workflow {
  const { namespace, name: short } = nameOf(name);
  const workflow = deps.registry.findNewest(namespace, short);
  if (workflow === null) throw new StepwellError("WORKFLOW_NOT_REGISTERED", `"${name}" is not registered here.`);
  return workflow;
}

async function startWorking(deps: Deps, seat: Seat, options: WorkOptions, close: () => Promise<void>): Promise<void> {
  const { concurrency, workerName } = toWork(deps.settings, options);
  if (seat.worker !== null) throw new StepwellError("OPTION_INVALID", "this engine works already.");
  seat.undo.push(deps.host.catchStrays((place, thrown) => reportStray(deps, place, thrown)));
  if (options.drainOn !== undefined) {
    seat.undo.push(deps.host.onShutdown(options.drainOn, () => void close().then(() => deps.host.exit(0))));
  }
  try {
    seat.worker = await openWorker({ ...deps, settings: { ...deps.settings, concurrency, workerName } });
  } catch (error) {
    for (const undo of seat.undo.splice(0)) undo();
    throw error;
  }
}

function reportStray(deps: Deps, place: Place, thrown: unknown): void {
  deps.log?.({ level: "warn", message: `${place.kind} code let an error escape: ${String(thrown)}`, run: place.name });
}

async function closeEngine(deps: Deps, seat: Seat): Promise<void> {
  if (seat.worker !== null) {
    await seat.worker.drain(deps.settings.graceMs);
    await seat.worker.stop();
  }
  await withinGrace(deps, deps.committer.idle());
  deps.committer.close();
  deps.elsewhere.close();
  await deps.store.close();
  for (const undo of seat.undo) undo();
}

/** A store that takes nothing any more must not keep the process alive. */
function withinGrace(deps: Deps, work: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = deps.host.timer(deps.settings.graceMs, resolve);
    void work.then(() => {
      cancel();
      resolve();
    });
  });
}
