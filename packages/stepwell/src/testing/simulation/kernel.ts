/**
 * Kernel: a discrete-event machine on which whole processes run under a seed.
 *
 * Nothing here knows the engine. A process has deferred tasks and timers; the dice
 * choose whose next task runs and how far time moves, so that one seed is one
 * interleaving. Runs in a browser: no clock, no Node, integer time.
 *
 *   K1. Between two tasks all promise jobs are drained, so that a task sees a settled world.
 *   K2. Deferred tasks of one process run in the order given; timers run in the order of their
 *       moments; everything else (processes, timers of one moment, timer or task) is the dice's.
 *   K3. A crashed process runs nothing any more: what it awaited never settles.
 *   K4. Same dice, same tasks: same trace hash.
 */
import type { Dice } from "../../model/dice.ts";
import { openTraceHash } from "./trace-hash.ts";

/** One simulated process, from its start to its crash. */
export type Process = {
  readonly name: string;
  readonly defer: (task: () => void) => void;
  /** Run `task` after `ms` ≥ 0 whole milliseconds; the result cancels it. */
  readonly timer: (ms: number, task: () => void) => () => void;
  /** Forget all tasks and timers, for ever (K3). */
  readonly crash: () => void;
  /** Run nothing for `ms`: a long garbage collection, a SIGSTOP. */
  readonly stall: (ms: number) => void;
  readonly isAlive: () => boolean;
};

/** How a run of the kernel stopped. `idle`: nothing is left to happen. `spun`: more tasks than allowed. */
export type Stop = "done" | "late" | "idle" | "spun";

/** See the header. */
export type Kernel = {
  /** True time in milliseconds since the start; only moves forward. */
  readonly nowMs: () => number;
  readonly openProcess: (name: string) => Process;
  /** Run until `isDone`, at most to `untilMs`. */
  readonly run: (isDone: () => boolean, untilMs: number) => Promise<Stop>;
  /** Put a line into the trace. */
  readonly note: (line: string) => void;
  readonly traceHash: () => string;
  /** Tasks run so far. */
  readonly tasks: () => number;
  /** Name of the process whose task ran last. */
  readonly current: () => string;
};

/** What the kernel is given. */
export type KernelOptions = {
  readonly dice: Dice;
  /** Resolves once all promise jobs are done (K1): `setImmediate` in Node, a MessageChannel in a browser. */
  readonly drain: () => Promise<void>;
  /** Runaway guard; 1,000,000 unless told. */
  readonly tasksMax?: number;
  /** A task threw: on a real machine the process would end. It goes on here unless this crashes it. */
  readonly thrown: (process: string, error: unknown) => void;
  /** Called with every line of the trace. */
  readonly trace?: ((line: string) => void) | undefined;
};

/** Chance that time moves before a task although others are ready, and by how much at most. */
const DRIFT_CHANCE = 0.15;
const DRIFT_MS_MAX = 4;

type Timer = { readonly dueAtMs: number; readonly tie: number; readonly task: () => void; cancelled: boolean };

type State = {
  readonly name: string;
  alive: boolean;
  stalledUntilMs: number;
  deferred: (() => void)[];
  /** Sorted by moment, then by tie. */
  timers: Timer[];
};

/** Open a kernel at time 0 without processes. */
export function openKernel(options: KernelOptions): Kernel {
  const { dice, drain, trace } = options;
  const tasksMax = options.tasksMax ?? 1_000_000;
  const hash = openTraceHash();
  const processes: State[] = [];
  let nowMs = 0;
  let tasks = 0;
  let current = "";

  const note = (line: string): void => {
    hash.add(line);
    trace?.(`${nowMs} ${line}`);
  };
  const openProcess = (name: string): Process => {
    const state: State = { name, alive: true, stalledUntilMs: 0, deferred: [], timers: [] };
    processes.push(state);
    note(`open ${name}`);
    return processOf(state, { dice, nowMs: () => nowMs, note });
  };
  const run = async (isDone: () => boolean, untilMs: number): Promise<Stop> => {
    for (;;) {
      await drain();
      if (isDone()) return "done";
      if (tasks >= tasksMax) return "spun";
      forget(processes);
      const nextMs = nextMoment(processes);
      if (nextMs === null) return "idle";
      if (nextMs > untilMs) return "late";
      nowMs = Math.max(nowMs, nextMs);
      if (dice.chance(DRIFT_CHANCE)) nowMs += dice.integer(DRIFT_MS_MAX);
      const chosen = choose(processes, nowMs, dice);
      tasks += 1;
      hash.addNumber(nowMs);
      hash.addNumber(processes.indexOf(chosen));
      current = chosen.name;
      try {
        takeTask(chosen, nowMs, dice)();
      } catch (error) {
        options.thrown(chosen.name, error);
      }
    }
  };
  return {
    nowMs: () => nowMs,
    openProcess,
    run,
    note,
    traceHash: hash.text,
    tasks: () => tasks,
    current: () => current,
  };
}

function processOf(state: State, kernel: { dice: Dice; nowMs: () => number; note: Kernel["note"] }): Process {
  return {
    name: state.name,
    defer: (task) => {
      if (state.alive) state.deferred.push(task);
    },
    timer: (ms, task) => {
      const dueAtMs = kernel.nowMs() + Math.max(0, Math.ceil(ms));
      const timer: Timer = { dueAtMs, tie: kernel.dice.next(), task, cancelled: false };
      if (state.alive) insertTimer(state.timers, timer);
      return () => void (timer.cancelled = true);
    },
    crash: () => {
      kernel.note(`crash ${state.name}`);
      state.alive = false;
      state.deferred = [];
      state.timers = [];
    },
    stall: (ms) => {
      kernel.note(`stall ${state.name} ${ms}`);
      state.stalledUntilMs = Math.max(state.stalledUntilMs, kernel.nowMs() + ms);
    },
    isAlive: () => state.alive,
  };
}

/** Binary search for the place: sorted by moment, then by tie. */
function insertTimer(timers: Timer[], timer: Timer): void {
  let low = 0;
  let high = timers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(timers[middle]!, timer)) low = middle + 1;
    else high = middle;
  }
  timers.splice(low, 0, timer);
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.dueAtMs < b.dueAtMs || (a.dueAtMs === b.dueAtMs && a.tie < b.tie);
}

/** Drop dead processes and cancelled timers that have come to the front. */
function forget(processes: readonly State[]): void {
  for (const { timers } of processes) while (timers[0]?.cancelled === true) timers.shift();
}

/** When the next task can run; null: never. May lie in the past. */
function nextMoment(processes: readonly State[]): number | null {
  let nextMs: number | null = null;
  for (const process of processes) {
    const ownMs = process.deferred.length > 0 ? 0 : process.timers[0]?.dueAtMs;
    if (ownMs === undefined) continue;
    const momentMs = Math.max(ownMs, process.stalledUntilMs);
    if (nextMs === null || momentMs < nextMs) nextMs = momentMs;
  }
  return nextMs;
}

function choose(processes: readonly State[], nowMs: number, dice: Dice): State {
  const ready = processes.filter(
    (process) => process.stalledUntilMs <= nowMs && (process.deferred.length > 0 || isDue(process, nowMs)),
  );
  return dice.pick(ready);
}

function isDue(process: State, nowMs: number): boolean {
  const first = process.timers[0];
  return first !== undefined && first.dueAtMs <= nowMs;
}

/** The next deferred task or the earliest due timer; by the dice when there are both. */
function takeTask(process: State, nowMs: number, dice: Dice): () => void {
  const due = isDue(process, nowMs);
  const deferred = process.deferred.length > 0;
  return due && (!deferred || dice.chance(0.5)) ? process.timers.shift()!.task : process.deferred.shift()!;
}
