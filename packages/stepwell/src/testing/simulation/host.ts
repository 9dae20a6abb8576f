/**
 * The host of a simulated process: clock, dice and scheduling come from the kernel,
 * so that the engine under test is the real one and its world is the seed's.
 *
 * All processes of one simulation stand on one machine unless `sameMachine` is false:
 * they share its wall clock, which may jump, and can see that one of them is gone. With a
 * database server their clocks may differ as well: nothing but its own counts.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Host, Place } from "../../engine/host.ts";
import type { Dice } from "../../model/dice.ts";
import type { WorkerProcess } from "../../store/store.ts";
import type { Kernel, Process } from "./kernel.ts";
import { shortHash } from "./trace-hash.ts";

/** What the processes of one simulation share. */
export type Machine = {
  readonly kernel: Kernel;
  /** Epoch milliseconds of the wall clock, before any process guards it. */
  readonly wallMs: () => number;
  /** Move the wall clock by `ms`, also backwards. */
  readonly jump: (ms: number) => void;
  /** Whether one process may see that another has ended. */
  readonly sameMachine: boolean;
  /** Every process so far, by pid. */
  readonly processes: Map<number, Process>;
  /** Which step code is running; one storage serves all processes. */
  readonly scope: AsyncLocalStorage<Place | undefined>;
};

/** Where the wall clock of every simulation begins: 2026-01-01T00:00:00Z. */
const WALL_START_MS = 1_767_225_600_000;

/** A machine without processes. */
export function openMachine(kernel: Kernel, sameMachine: boolean): Machine {
  let offsetMs = WALL_START_MS;
  return {
    kernel,
    wallMs: () => kernel.nowMs() + offsetMs,
    jump: (ms) => {
      kernel.note(`jump ${ms}`);
      offsetMs += ms;
    },
    sameMachine,
    processes: new Map(),
    scope: new AsyncLocalStorage(),
  };
}

/** The host of one incarnation. Its pid is fresh. */
export function openSimulatedHost(
  machine: Machine,
  process: Process,
  { dice, skewMs }: { readonly dice: Dice; readonly skewMs: number },
): Host {
  const { kernel, scope } = machine;
  const pid = machine.processes.size + 1;
  machine.processes.set(pid, process);
  const startedAtMs = kernel.nowMs();
  const bootId = machine.sameMachine ? "boot" : `boot-${pid}`;
  const nowMs = openMonotoneClock(() => machine.wallMs() + skewMs);
  return {
    nowMs,
    monotonicMs: () => kernel.nowMs() - startedAtMs,
    random: dice.next,
    freshId: () => `${nowMs().toString(16).padStart(12, "0")}-${dice.uuid()}`,
    // Bound as Node's own are: a task runs in the async context of whoever scheduled it.
    defer: (task) => process.defer(AsyncLocalStorage.bind(task)),
    timer: (ms, task) => process.timer(ms, AsyncLocalStorage.bind(task)),
    upkeep: (ms, task) => process.timer(ms, AsyncLocalStorage.bind(task)),
    hash: shortHash,
    inside: (place, work) => scope.run(place, work),
    currentStep: () => (scope.getStore()?.kind === "step" ? scope.getStore()?.name : undefined),
    describeProcess: () => describeProcess(process, pid, bootId),
    isGone: (worker) => worker.bootId === bootId && machine.processes.get(worker.pid)?.isAlive() === false,
    catchStrays: () => () => {},
    onShutdown: () => () => {},
    exit: () => process.crash(),
  };
}

/** The contract of Host.nowMs: never backwards, within one process. */
export function openMonotoneClock(wallMs: () => number): () => number {
  let lastMs = 0;
  return () => (lastMs = Math.max(lastMs, wallMs()));
}

function describeProcess(process: Process, pid: number, bootId: string): WorkerProcess {
  return { name: process.name, host: "simulated", bootId, pid, pidNamespace: "pid:1", pidStartedAt: String(pid) };
}
