/**
 * Host: the machine, as the engine sees it. Clock, dice, scheduling, identity.
 *
 * `defer` and `timer` are the only schedulers of the engine, so that a simulation
 * which supplies its own host owns every interleaving. No other file of the
 * engine reads a clock, rolls dice or touches `process`.
 */
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { createHash, getRandomValues } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { V7Generator } from "uuidv7";
import type { WorkerProcess } from "../store/store.ts";

/** Whose code is running. `name` is the run's, with the step's key where it is a step. */
export type Place = { readonly kind: "body" | "step"; readonly name: string };

/** Everything impure that the engine needs. */
export type Host = {
  /** Epoch milliseconds; never runs backwards. */
  readonly nowMs: () => number;
  /** Milliseconds from an arbitrary start, steady under clock changes. */
  readonly monotonicMs: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** A fresh id, increasing in time (UUIDv7). */
  readonly freshId: () => string;
  /** Run `task` in a later macrotask, once all promise jobs are done. Tasks run in the order given. */
  readonly defer: (task: () => void) => void;
  /** Run `task` after `ms` ≥ 0; the result cancels it. */
  readonly timer: (ms: number, task: () => void) => () => void;
  /** As `timer`, for a look that is taken again and again while something runs, and that nobody waits for. */
  readonly upkeep: (ms: number, task: () => void) => () => void;
  /** 22 characters that identify a text (128 bits of SHA-256, base64url). */
  readonly hash: (text: string) => string;
  /** Mark `work`, and all that it starts, also across awaits, as code of this step or body. */
  readonly inside: <T>(place: Place, work: () => T) => T;
  /** Name of the step whose code is running, if any. */
  readonly currentStep: () => string | undefined;
  /** This process, for the worker registry. */
  readonly describeProcess: () => WorkerProcess;
  /** True when that process has provably ended; false when it lives, or runs where this host cannot look. */
  readonly isGone: (worker: WorkerProcess) => boolean;
  /**
   * Call `report` for errors that the code of a step or a body lets escape, instead of letting them end the process.
   * Returns the undoing.
   */
  readonly catchStrays: (report: (place: Place, thrown: unknown) => void) => () => void;
  /** Call `first` on the first of these signals; a second one ends the process at once. Returns the undoing. */
  readonly onShutdown: (signals: readonly string[], first: () => void) => () => void;
  readonly exit: (code: number) => void;
};

/** The host of a real process. */
export function openHost(): Host {
  const scope = new AsyncLocalStorage<Place | undefined>();
  const ids = new V7Generator({ nextUint32: openRandomWords() });
  let lastMs = 0;
  let described: WorkerProcess | null = null;
  const here = (): WorkerProcess => (described ??= describeProcess());
  return {
    nowMs: () => (lastMs = Math.max(lastMs, Date.now())),
    monotonicMs: () => performance.now(),
    random: () => Math.random(),
    freshId: () => ids.generate().toString(),
    defer: (task) => void setImmediate(() => scope.run(undefined, task)),
    timer: (ms, task) => startTimer(ms, () => scope.run(undefined, task)),
    upkeep: (ms, task) => startTimer(ms, () => scope.run(undefined, task)),
    hash: (text) => createHash("sha256").update(text).digest("base64url").slice(0, 22),
    inside: <T>(place: Place, work: () => T): T =>
      new AsyncResource("Stepwell").runInAsyncScope(runAt<T>, undefined, scope, place, work),
    currentStep: () => stepOf(scope.getStore()),
    describeProcess: here,
    isGone: (worker) => isGone(worker, here()),
    catchStrays: (report) => catchStrays(() => scope.getStore(), report),
    onShutdown,
    exit: (code) => process.exit(code),
  };
}

/**
 * Called inside of a resource, which takes the caller's context back with it. `scope.run` would make a second context
 * to go back to: 0.2 us instead of 0.13, and 450 bytes (measured).
 */
function runAt<T>(scope: AsyncLocalStorage<Place | undefined>, place: Place, work: () => T): T {
  scope.enterWith(place);
  return work();
}

/** The system's random numbers, fetched a thousand at a time (0.2 of the 0.5 us that an id took, measured). */
function openRandomWords(): () => number {
  const words = new Uint32Array(1_024);
  let next = words.length;
  return () => {
    if (next === words.length) {
      getRandomValues(words);
      next = 0;
    }
    return words[next++]!;
  };
}

function stepOf(place: Place | undefined): string | undefined {
  return place?.kind === "step" ? place.name : undefined;
}

/** Longest delay that Node's timers take; longer ones are chained. */
const TIMER_MS_MAX = 2 ** 31 - 1;

function startTimer(ms: number, task: () => void): () => void {
  let timer: NodeJS.Timeout;
  const arm = (leftMs: number): void => {
    const sliceMs = Math.min(leftMs, TIMER_MS_MAX);
    timer = setTimeout(() => (leftMs > sliceMs ? arm(leftMs - sliceMs) : task()), Math.ceil(sliceMs));
  };
  arm(Math.max(0, ms));
  return () => clearTimeout(timer);
}

function describeProcess(): WorkerProcess {
  return {
    name: `${hostname()}:${process.pid}`,
    host: hostname(),
    bootId: readText("/proc/sys/kernel/random/boot_id") ?? "",
    pid: process.pid,
    pidNamespace: readLink("/proc/self/ns/pid") ?? "",
    pidStartedAt: processStartedAt(process.pid) ?? "",
  };
}

/**
 * Only on the same boot and in the same pid namespace can an absent pid, or one with another start time, prove an end.
 */
function isGone(worker: WorkerProcess, here: WorkerProcess): boolean {
  const comparable = here.bootId !== "" && here.bootId === worker.bootId && here.pidNamespace === worker.pidNamespace;
  return comparable && worker.pidStartedAt !== "" && processStartedAt(worker.pid) !== worker.pidStartedAt;
}

/**
 * Field 22 of /proc/PID/stat (proc(5)): start time in clock ticks since boot; null where there is no such process or
 * no /proc.
 */
function processStartedAt(pid: number): string | null {
  const stat = readText(`/proc/${pid}/stat`);
  // The second field is the command in parentheses and may itself hold spaces and parentheses.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  const zombie = fields?.[0] === "Z" || fields?.[0] === "X";
  return zombie ? null : (fields?.[19] ?? null);
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return null;
  }
}

function readLink(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

/**
 * Node ends the process for an error that nobody handles. One that began in the code of a step or a body is the run's,
 * not the process's: it is reported and swallowed. Any other keeps Node's behaviour: with no other listener, print and
 * exit with code 1. Bun 1.4 runs the listener of a rejection outside of the promise's async context: there it is nobody's.
 */
function catchStrays(
  currentPlace: () => Place | undefined,
  report: (place: Place, thrown: unknown) => void,
): () => void {
  const caught = (event: "uncaughtException" | "unhandledRejection") => (thrown: unknown) => {
    const place = currentPlace();
    if (place !== undefined) return report(place, thrown);
    if (process.listenerCount(event) > 1) return;
    console.error(thrown);
    process.exit(1);
  };
  const onException = caught("uncaughtException");
  const onRejection = caught("unhandledRejection");
  process.on("uncaughtException", onException);
  process.on("unhandledRejection", onRejection);
  return () => {
    process.off("uncaughtException", onException);
    process.off("unhandledRejection", onRejection);
  };
}

function onShutdown(signals: readonly string[], first: () => void): () => void {
  let asked = false;
  const received = (): void => {
    if (asked) process.exit(1);
    asked = true;
    first();
  };
  for (const signal of signals) process.on(signal, received);
  return () => {
    for (const signal of signals) process.off(signal, received);
  };
}
