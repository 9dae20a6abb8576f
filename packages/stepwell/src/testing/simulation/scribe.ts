/**
 * Scribe: the hand of step code. What a workload's steps do is work of dice derived
 * from (seed, run, key, attempt), so that a step behaves alike wherever it runs; what
 * they did stands in the witness log, which no crash takes away.
 */
import type { Ctx, TxStep, Workflow } from "../../engine/workflow.ts";
import type { StepContext } from "../../engine/handler.ts";
import { type Dice, openDice } from "../../model/dice.ts";
import { PermanentError, RetryableError } from "../../model/errors.ts";
import { toJson } from "./case.ts";
import type { Stamp, WitnessEvent } from "./evidence.ts";

/** How step code behaves. Chances are per attempt. */
export type Behaviour = {
  /** Longest time that it takes; 200 unless told. */
  readonly msMax?: number;
  /** Ends when the true time in milliseconds is a multiple of this. */
  readonly strikeMs?: number;
  readonly error?: number;
  readonly permanent?: number;
  /** Fails and asks for a delay of its own. */
  readonly retryAfter?: number;
  /** Never comes back by itself; stops when its signal fires. */
  readonly hang?: number;
  /** Tells of itself when it begins. */
  readonly beats?: boolean;
  /** Fails as a rule when it ends in an outage: a third of the time. */
  readonly outages?: boolean;
  /** Ends its process, until the storm is over. */
  readonly deadly?: boolean;
  /** `code` of what it throws. */
  readonly code?: string;
};

/** The longest delay that an error asks for, in ms. */
export const RETRY_AFTER_MS_MAX = 1_500;

/** Where a scribe writes, and whose hand it is. */
export type Desk = {
  readonly seed: string;
  readonly log: { readonly push: (event: WitnessEvent) => unknown };
  readonly stamp: () => Stamp;
  readonly wallMs: () => number;
  readonly wait: (ms: number, task: () => void) => () => void;
  readonly nextExecution: () => number;
  /** End the process at once. False: the storm is over, and nothing dies any more. */
  readonly die: () => boolean;
};

/** The scribe of one run in one process. */
export type Scribe = {
  /** Step code of that behaviour; its value names the step and the execution. */
  readonly work: (behaviour: Behaviour) => (step: StepContext) => Promise<string>;
  /**
   * Code of a transaction of that behaviour: a row when it begins, one before it ends, and now and then one with a run of
   * `workflow` that it starts, see {@link bankedRunId}; its value as of `work`.
   */
  readonly bank: (behaviour: Behaviour, workflow: Workflow<Salted, unknown>) => (tx: TxStep) => Promise<string>;
  /** Undoing code for the step of that key. */
  readonly undo: (key: string, behaviour: Behaviour) => (step: StepContext) => Promise<void>;
  /** Pass an outcome on to the body, and write down what it was. */
  readonly see: <T>(key: string, outcome: PromiseLike<T>) => Promise<T>;
  /** Write down the value of a key that is part of a larger outcome. */
  readonly saw: (key: string, value: unknown) => void;
  /** A plain pause, unknown to the engine. */
  readonly pause: (ms: number) => Promise<void>;
};

/** The scribe of the run that `ctx` belongs to. */
export function openScribe(desk: Desk, ctx: Pick<Ctx, "runId" | "workflow">): Scribe {
  const { namespace, name } = ctx.workflow;
  const run = `${namespace}/${name} ${ctx.runId}`;
  const saw = (key: string, value: unknown, failed = false): void => {
    desk.log.push({ kind: "observed", ...desk.stamp(), wallMs: desk.wallMs(), run, key, failed, value: toJson(value) });
  };
  return {
    work: (behaviour) => (step) => perform(desk, { run, key: step.step, undo: false }, behaviour, step),
    bank: (behaviour, started) => (tx) => bank({ ...desk, run, started }, behaviour, tx),
    undo: (key, behaviour) => async (step) => void (await perform(desk, { run, key, undo: true }, behaviour, step)),
    see: async (key, outcome) => {
      try {
        const value = await outcome;
        saw(key, value);
        return value;
      } catch (error) {
        if (!isRefusal(error)) saw(key, (error as Error).message, true);
        throw error;
      }
    },
    saw: (key, value) => saw(key, value),
    pause: (ms) => new Promise((resolve) => void desk.wait(ms, resolve)),
  };
}

/** The call itself was refused, because the run is being stopped: that is no outcome. */
function isRefusal(error: unknown): boolean {
  const { code } = error as { readonly code?: unknown };
  return code === "RUN_CANCELLED" || code === "CTX_AFTER_END";
}

type Task = { readonly run: string; readonly key: string; readonly undo: boolean };

async function perform(desk: Desk, task: Task, behaviour: Behaviour, step: StepContext): Promise<string> {
  const { attempt } = step;
  const execution = desk.nextExecution();
  const dice = openDice(`${desk.seed} ${task.run} ${task.key} ${attempt} ${task.undo}`);
  const base = { ...task, attempt, execution };
  desk.log.push({ kind: "start", ...desk.stamp(), wallMs: desk.wallMs(), ...base });
  const end = (result: "value" | "error" | "permanent", retryAfterMs: number | null = null): void => {
    desk.log.push({ kind: "end", ...desk.stamp(), wallMs: desk.wallMs(), ...base, result, retryAfterMs });
  };
  if (behaviour.beats === true) step.heartbeat({ execution, after: step.lastHeartbeat });
  try {
    await spend(desk, dice, behaviour, step);
  } catch (error) {
    end("error");
    throw error;
  }
  const down = behaviour.outages === true && isOutage(desk.stamp().trueMs);
  const failure = chooseFailure(
    dice,
    down ? { ...behaviour, error: DOWN } : behaviour,
    `${task.key} failed in attempt ${attempt}`,
  );
  if (failure === null) {
    end("value");
    return `${task.key}#${execution}`;
  }
  const permanent = failure instanceof PermanentError;
  end(permanent ? "permanent" : "error", failure instanceof RetryableError ? (failure.retryAfterMs ?? null) : null);
  throw failure;
}

/** Chance of an error in an outage: some calls come through all the same. What is permanent is so at any time. */
const DOWN = 0.85;

const OUTAGE_MS = 4_000;

/** Whether the service that some steps call is down: so long of every three times that. */
function isOutage(trueMs: number): boolean {
  return Math.floor(trueMs / OUTAGE_MS) % 3 === 0;
}

/** As every shape is given. */
type Salted = { readonly salt: number; readonly size: number };

type Bank = Desk & { readonly run: string; readonly started: Workflow<Salted, unknown> };

/** Of the run that a transaction starts. */
export function bankedRunId(runId: string, key: string): string {
  return `${BANKED_PREFIX}${runId}:${key}`;
}

/** What the ids of such runs begin with. */
export const BANKED_PREFIX = "tx:";

/** Leaves no word in the witness log: what it has done is told by its rows, if it has done anything. */
async function bank(desk: Bank, behaviour: Behaviour, tx: TxStep): Promise<string> {
  const { run } = desk;
  const execution = desk.nextExecution();
  const dice = openDice(`${desk.seed} ${run} ${tx.step} ${tx.attempt} bank`);
  const write = (part: number): Promise<unknown> =>
    tx.execute("INSERT INTO banked (run, key, part, execution) VALUES (?, ?, ?, ?)", [run, tx.step, part, execution]);
  await write(1);
  if (dice.chance(0.2)) {
    await tx.start(desk.started, { salt: 1, size: 1 }, { id: bankedRunId(tx.runId, tx.step) });
    await write(3);
  }
  await spend(desk, dice, behaviour, tx);
  await write(2);
  const failure = chooseFailure(dice, behaviour, `${tx.step} failed in attempt ${tx.attempt}`);
  if (failure !== null) throw failure;
  return `${tx.step}#${execution}`;
}

/** Take time; half of the hands let go when their signal fires, the others work on. */
function spend(desk: Desk, dice: Dice, behaviour: Behaviour, step: Pick<StepContext, "signal">): Promise<void> {
  const hangs = dice.chance(behaviour.hang ?? 0);
  const attentive = hangs || dice.chance(0.5);
  const drawnMs = dice.chance(0.2) ? 0 : dice.integer((behaviour.msMax ?? 200) + 1);
  const ms = untilStrike(desk, behaviour.strikeMs ?? 1, drawnMs);
  return new Promise((resolve, reject) => {
    const done = (): void => {
      if (behaviour.deadly !== true || !desk.die()) resolve();
    };
    const cancel = hangs ? (): void => {} : desk.wait(ms, done);
    if (!attentive) return;
    const { signal } = step;
    const letGo = (): void => {
      cancel();
      reject(signal.reason as Error);
    };
    if (signal.aborted) letGo();
    else signal.addEventListener("abort", letGo, { once: true });
  });
}

/** `ms`, made longer until the clock strikes. */
function untilStrike(desk: Desk, strikeMs: number, ms: number): number {
  if (strikeMs === 1) return ms;
  const { trueMs } = desk.stamp();
  return Math.ceil((trueMs + ms) / strikeMs) * strikeMs - trueMs;
}

function chooseFailure(dice: Dice, behaviour: Behaviour, message: string): Error | null {
  const code = behaviour.code === undefined ? {} : { code: behaviour.code };
  if (dice.chance(behaviour.permanent ?? 0)) return new PermanentError(message, code);
  if (dice.chance(behaviour.retryAfter ?? 0)) {
    return new RetryableError(message, { ...code, retryAfter: 1 + dice.integer(RETRY_AFTER_MS_MAX) });
  }
  return dice.chance(behaviour.error ?? 0) ? Object.assign(new Error(message), code) : null;
}
