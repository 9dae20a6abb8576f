/**
 * Harness: a real engine on a real SQLite store in memory, with time in the test's hands.
 * No test sleeps: the clock moves when told, and `crash` stops a process as kill -9 would.
 */
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";
import type { Store } from "../../src/store/store.ts";
import { type Engine, openEngineOn } from "../../src/engine/engine.ts";
import { type Host, openHost } from "../../src/engine/host.ts";
import type { EngineOptions, LogEntry } from "../../src/engine/settings.ts";

export type Process = {
  readonly engine: Engine;
  readonly logged: LogEntry[];
  /** The process stops between two tasks; its promises never settle. */
  readonly crash: () => void;
};

export type World = {
  readonly store: Store;
  /** A new process on the same store. */
  readonly open: (options?: EngineOptions, wrap?: (store: Store) => Store) => Promise<Process>;
  /** Move the clock; timers fire in order. More than a minute is a jump: what fell due in it fires once, at its end. */
  readonly advance: (ms: number) => Promise<void>;
  readonly nowMs: () => number;
  /** Let the engine work until `done` holds; fails after many turns. */
  readonly until: (done: () => boolean | Promise<boolean>, what?: string) => Promise<void>;
  /** Let everything that is ready happen. */
  readonly settle: () => Promise<void>;
};

type Timer = { readonly atMs: number; readonly task: () => void; readonly alive: () => boolean };

type Clock = { nowMs: number; timers: Timer[]; pids: number; readonly gone: Set<number> };

export async function openWorld(): Promise<World> {
  const clock: Clock = { nowMs: 1_000_000, timers: [], pids: 100, gone: new Set() };
  const store = await openSqliteStore(":memory:", { clock: () => clock.nowMs });
  return {
    store,
    open: (options = {}, wrap = (s: Store) => s) => openProcess(clock, wrap(store), options),
    advance: (ms) => advance(clock, ms),
    nowMs: () => clock.nowMs,
    settle,
    until: async (done, what = "the condition") => {
      for (let index = 0; index < 5_000; index += 1) {
        if (await done()) return;
        await turn();
      }
      throw new Error(`${what} did not come about`);
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function settle(): Promise<void> {
  for (let index = 0; index < 60; index += 1) await turn();
}

async function openProcess(clock: Clock, store: Store, options: EngineOptions): Promise<Process> {
  let alive = true;
  const pid = ++clock.pids;
  const logged: LogEntry[] = [];
  const host: Host = {
    ...openHost(),
    nowMs: () => clock.nowMs,
    monotonicMs: () => clock.nowMs,
    random: () => 0.5,
    defer: (task) => void setImmediate(() => alive && task()),
    timer: (ms, task) => {
      const timer = { atMs: clock.nowMs + Math.max(0, ms), task, alive: () => alive };
      clock.timers.push(timer);
      return () => void (clock.timers = clock.timers.filter((other) => other !== timer));
    },
    describeProcess: () => ({
      name: `test:${pid}`,
      host: "test",
      bootId: "b",
      pid,
      pidNamespace: "n",
      pidStartedAt: "1",
    }),
    isGone: (worker) => clock.gone.has(worker.pid),
    catchStrays: () => () => {},
    onShutdown: () => () => {},
    exit: () => {},
  };
  const own: Store = { ...mortal(store, () => alive), watch: store.watch, close: () => Promise.resolve() };
  const engine = await openEngineOn(own, host, { log: (entry) => void logged.push(entry), ...options });
  const crash = (): void => {
    alive = false;
    clock.gone.add(pid);
  };
  return { engine, logged, crash };
}

async function advance(clock: Clock, ms: number): Promise<void> {
  const until = clock.nowMs + ms;
  await settle();
  if (ms > 60_000) {
    clock.nowMs = until;
    const due = clock.timers.filter((timer) => timer.atMs <= until).sort((a, b) => a.atMs - b.atMs);
    clock.timers = clock.timers.filter((timer) => timer.atMs > until);
    for (const timer of due) if (timer.alive()) timer.task();
  }
  for (;;) {
    await settle();
    const next = clock.timers.filter((timer) => timer.atMs <= until).sort((a, b) => a.atMs - b.atMs)[0];
    if (next === undefined) break;
    clock.timers = clock.timers.filter((other) => other !== next);
    clock.nowMs = Math.max(clock.nowMs, next.atMs);
    if (next.alive()) next.task();
  }
  clock.nowMs = until;
  await settle();
}

/** Calls of a crashed process have no effect and never answer. */
function mortal(store: Store, alive: () => boolean): Store {
  const wrapped = Object.entries(store).map(([name, value]) => [
    name,
    typeof value === "function"
      ? async (...args: unknown[]) => {
          if (!alive()) await new Promise(() => {});
          const answer: unknown = await (value as (...a: unknown[]) => unknown)(...args);
          if (!alive()) await new Promise(() => {});
          return answer;
        }
      : value,
  ]);
  return Object.fromEntries(wrapped) as Store;
}
