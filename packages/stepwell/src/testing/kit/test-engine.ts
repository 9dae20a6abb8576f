/**
 * Test engine: a real engine with a store of its own in memory and a clock of its own, so
 * that thirty days are over at once and a crash is a call. Test engines share nothing:
 * open one per test, also in tests that run side by side.
 */
import type { Approvals } from "../../engine/approvals.ts";
import type { Engine, StartOptions } from "../../engine/engine.ts";
import type { RunHandle, RunOutcome } from "../../engine/handle.ts";
import type { EngineOptions, LogEntry } from "../../engine/settings.ts";
import type { Workflow } from "../../engine/workflow.ts";
import { type Duration, DURATION_MS_MAX, parseDuration } from "../../model/duration.ts";
import { StepwellError } from "../../model/errors.ts";
import { COMPLAINT_CODES, type ComplaintCode, type Complaints, openComplaints } from "./complaints.ts";
import { finish, type FinishOptions } from "./finish.ts";
import type { Machine } from "./process.ts";
import { ask, lastingApprovals, lastingHandle, openSeat, reopen, type Seat } from "./seat.ts";
import { openWorld } from "./world.ts";

/** Options of a test engine: those of an engine, and the kit's own. */
export type TestEngineOptions = Omit<EngineOptions, "poll"> & {
  /** Where the clock begins. Default 2026-01-01T00:00:00Z. */
  readonly now?: Date | string | number;
  /**
   * No body stays in memory while its run waits: each wait ends with a replay, as after a restart. Finds what a body
   * keeps in variables that its steps do not give again.
   */
  readonly evictAtEveryPark?: boolean;
  /** How long step code may take in real time before the clock moves on without it. Default 2 s. */
  readonly patience?: Duration;
  /** Mistakes that `close` does not complain about. */
  readonly allow?: readonly ComplaintCode[];
};

/** Options of `run` of a test engine. */
export type TestRunOptions = StartOptions & FinishOptions;

/** The next process. */
export type NextProcess = {
  /** What it can execute: the next version of the code. Default: as before. */
  readonly workflows?: readonly Workflow[];
};

/** An engine in a test: its store and its clock are its own, and its process can be killed. */
export type TestEngine = {
  /** The real engine of the living process; another one after `crash` and `restart`. */
  readonly engine: Engine;
  /** As of an engine; the handle outlives crashes. */
  readonly start: Engine["start"];
  /** As of an engine; the handle outlives crashes. */
  readonly get: Engine["get"];
  /** As of an engine; a decision outlives crashes. */
  readonly approvals: Approvals;
  /** Start a run and carry it to its end, skipping time. @throws RunFailed; AssertionError when it does not end */
  readonly run: {
    <Raw, Output>(
      workflow: Workflow<Raw, Output>,
      ...input: Raw extends void ? [input?: Raw, options?: TestRunOptions] : [input: Raw, options?: TestRunOptions]
    ): Promise<Output>;
    (workflow: string, input?: unknown, options?: TestRunOptions): Promise<unknown>;
  };
  /** Carry a run to its end, skipping time. @throws AssertionError when it does not end, with what it waits for */
  readonly finish: <Output>(run: RunHandle<Output>, options?: FinishOptions) => Promise<RunOutcome<Output>>;
  /** Let everything happen that is ready; what is left waits for the clock, or for somebody outside. */
  readonly idle: () => Promise<void>;
  /** Move the clock. Timers fire in order, and each sees the clock at its own moment. */
  readonly advance: (by: Duration) => Promise<void>;
  /** Move the clock to a moment that has not passed. */
  readonly advanceTo: (moment: Date | string | number) => Promise<void>;
  /** What the clock says. */
  readonly now: () => Date;
  /**
   * Kill the process, as kill -9 would, and open the next one on the same store. What the dead one was about to do
   * never happens; step code of it that awaits a fake service never hears from it.
   */
  readonly crash: (next?: NextProcess) => Promise<void>;
  /** Let the process end in order, as for a deploy, and open the next one on the same store. */
  readonly restart: (next?: NextProcess) => Promise<void>;
  /** What the living process has logged. */
  readonly logged: readonly LogEntry[];
  /**
   * End the process and throw the store away. Idempotent.
   *
   * @throws AssertionError for steps that nobody awaited, names used twice and other mistakes, see `allow`
   */
  readonly close: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
};

/** Where the clock begins: 2026-01-01T00:00:00Z. */
export const START_MS = Date.UTC(2026, 0, 1);

/** A call of the store in memory takes no time, but on a busy machine. */
const CALL_MS = 5_000;

/** No other process exists: there is nothing to look for, and nobody to renew a lease for. */
const ALONE = { poll: DURATION_MS_MAX, lease: DURATION_MS_MAX, stuckAfter: false } as const satisfies EngineOptions;

/**
 * Open a test engine.
 *
 * @throws StepwellError OPTION_UNKNOWN, OPTION_INVALID, DURATION_INVALID, WORKFLOW_DUPLICATE
 */
export function openTestEngine(options: TestEngineOptions = {}): Promise<TestEngine> {
  return openKillable(options, () => false);
}

/** A test engine whose process is killed, and followed by the next, whenever `kills` says so. */
export async function openKillable(
  options: TestEngineOptions,
  kills: (point: Parameters<Machine["reach"]>[0]) => boolean,
): Promise<TestEngine> {
  const { now = START_MS, evictAtEveryPark = false, patience = "2s", allow = [], ...engine } = options;
  const complaints = openComplaints(checkAllowed(allow));
  let seat: Seat | null = null;
  const world = await openWorld({
    startMs: parseMoment(now, "now"),
    random: () => 0,
    patience: { codeMs: parseDuration(patience, "patience"), callMs: CALL_MS },
    stored: complaints.hear,
    reach: (point, crash) => {
      if (seat === null || !kills(point)) return;
      crash();
      void reopen(seat);
    },
  });
  const evicting = evictAtEveryPark ? { lingerMax: 0, hotWait: 0 } : {};
  try {
    seat = await openSeat(world, { ...ALONE, actor: "test", ...engine, ...evicting });
  } catch (error) {
    await world.close();
    throw error;
  }
  return testEngineCalls(seat, complaints);
}

function testEngineCalls(seat: Seat, complaints: Complaints): TestEngine {
  const { world } = seat;
  const { clock } = world;
  let closing: Promise<void> | null = null;
  const close = (): Promise<void> => (closing ??= closeTestEngine(seat, complaints));
  const idle = (): Promise<void> => idleSeat(seat);
  const advanceTo = async (atMs: number): Promise<void> => {
    await idle();
    await world.advanceTo(atMs);
    await idle();
  };
  return {
    get engine() {
      return seat.process.engine;
    },
    get logged() {
      return seat.process.logged;
    },
    start: ((workflow, input, options) => start(seat, workflow, input, options)) as Start as Engine["start"],
    get: async (workflow: Workflow | string, id: string) => {
      const run = await ask(seat, (engine) => engine.get(workflow as string, id));
      return lastingHandle(seat, run.workflow, run.id);
    },
    approvals: lastingApprovals(seat),
    run: (async (workflow, input, { within, onWait, ...options } = {}) => {
      const run = await start(seat, workflow, input, options);
      await finish(seat, idle, run, { ...(within && { within }), ...(onWait && { onWait }) });
      return run.result();
    }) as Run as TestEngine["run"],
    finish: (run, options) => finish(seat, idle, run, options),
    idle,
    advance: async (by) => advanceTo(clock.nowMs() + parseDuration(by, "advance")),
    advanceTo: async (moment) => advanceTo(notPassed(clock.nowMs(), parseMoment(moment, "advanceTo"))),
    now: () => new Date(clock.nowMs()),
    crash: async (next = {}) => {
      const process = await seat.opening;
      process.crash();
      await reopen(seat, { ...seat.options, ...next });
    },
    restart: async (next = {}) => {
      await endProcess(seat);
      await reopen(seat, { ...seat.options, ...next });
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

type Start = (workflow: Workflow | string, input: unknown, options?: StartOptions) => Promise<RunHandle>;
type Run = (workflow: Workflow | string, input: unknown, options?: TestRunOptions) => Promise<unknown>;

/** Under an id of its own, so that a start which a crash left unanswered can be repeated. */
async function start(
  seat: Seat,
  workflow: Workflow | string,
  input: unknown,
  options: StartOptions = {},
): Promise<RunHandle> {
  const named = { ...options, id: options.id ?? seat.world.freshId() };
  const run = await ask(seat, (engine) => engine.start(workflow as string, input, named));
  return lastingHandle(seat, run.workflow, run.id);
}

/** A process may be killed on the way; then its successor comes to rest. */
async function idleSeat(seat: Seat): Promise<void> {
  for (;;) {
    const process = await seat.opening;
    await seat.world.idle();
    if ((await seat.opening) === process) return;
  }
}

/** Drain and close; where that waits for the clock, the clock moves. */
async function endProcess(seat: Seat): Promise<void> {
  const { engine } = await seat.opening;
  const { world } = seat;
  let ended = false;
  const ending = engine.close().finally(() => (ended = true));
  for (;;) {
    await world.idle();
    if (ended || world.clock.nextAtMs() === null) break;
    world.clock.fireNext();
  }
  await ending;
}

async function closeTestEngine(seat: Seat, complaints: Complaints): Promise<void> {
  await idleSeat(seat);
  await endProcess(seat);
  const complaint = await complaints.tell(seat.world.store);
  await seat.world.close();
  if (complaint !== null) throw complaint;
}

/** Epoch milliseconds. @throws StepwellError OPTION_INVALID */
export function parseMoment(moment: Date | string | number, where: string): number {
  const ms = new Date(moment).getTime();
  if (Number.isFinite(ms)) return ms;
  throw new StepwellError(
    "OPTION_INVALID",
    `${where}: ${JSON.stringify(moment)} is no moment, write a Date or an ISO text.`,
  );
}

function notPassed(nowMs: number, atMs: number): number {
  if (atMs >= nowMs) return atMs;
  const [at, now] = [atMs, nowMs].map((ms) => new Date(ms).toISOString());
  throw new StepwellError("OPTION_INVALID", `advanceTo: ${at} has passed, it is ${now}.`);
}

function checkAllowed(allow: readonly ComplaintCode[]): readonly ComplaintCode[] {
  const odd = allow.filter((code) => !COMPLAINT_CODES.includes(code));
  if (odd.length === 0) return allow;
  throw new StepwellError("OPTION_INVALID", `allow: ${odd.join(", ")} is not among ${COMPLAINT_CODES.join(", ")}.`);
}
