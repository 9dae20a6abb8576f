/**
 * Process: a real engine whose machine is in a test's hands. `crash` stops it as kill -9
 * would: between two tasks, without a word; its promises never settle, and its timers,
 * calls of the store and fakes of services have no effect any more.
 */
import { type Engine, openEngineOn } from "../../engine/engine.ts";
import type { Host } from "../../engine/host.ts";
import type { EngineOptions, LogEntry } from "../../engine/settings.ts";
import type { Store } from "../../store/store.ts";
import type { TxAnswer, TxDoor, TxTerms, TxVerdict } from "../../store/tx.ts";
import type { Write, WriteResult } from "../../store/write.ts";
import { type Activity, openActivity } from "./activity.ts";
import type { Clock } from "./clock.ts";
import { asCaller, type Caller, type KillPoint, never } from "./scope.ts";

/** See the header. */
export type Process = {
  readonly engine: Engine;
  readonly logged: readonly LogEntry[];
  readonly crash: () => void;
  /** Resolves when it has crashed. */
  readonly crashed: Promise<void>;
};

/** What the processes of one test share. */
export type Machine = {
  /** Real scheduling and hashing; its clock is used for patience alone. */
  readonly real: Host;
  readonly clock: Clock;
  readonly store: Store;
  readonly random: () => number;
  readonly freshId: () => string;
  /** Of the processes that live. */
  readonly activities: Set<Activity>;
  readonly deadPids: Set<number>;
  pids: number;
  /** Hears of every moment at which a process may be killed, and may kill it. */
  readonly reach: (point: KillPoint, crash: () => void) => void;
  /** Hears of every flush that was stored. */
  readonly stored: (writes: readonly Write[], results: readonly WriteResult[]) => void;
};

/** How a process is opened. */
export type ProcessOptions = {
  readonly engine: EngineOptions;
  /** Puts something between the engine and the store, such as faults. */
  readonly wrap?: (store: Store) => Store;
};

type Life = { readonly alive: () => boolean; readonly crash: () => void; readonly crashed: Promise<void> };

/** Open an engine in a process of its own, on the machine's store. */
export async function openProcess(
  machine: Machine,
  { engine: options, wrap = asIs }: ProcessOptions,
): Promise<Process> {
  const pid = ++machine.pids;
  const activity = openActivity();
  const timers = new Set<() => void>();
  const life = openLife(() => {
    machine.deadPids.add(pid);
    machine.activities.delete(activity);
    activity.stop();
    for (const cancel of timers) cancel();
  });
  machine.activities.add(activity);
  const caller: Omit<Caller, "code"> = {
    nowMs: machine.clock.nowMs,
    timer: ownTimer(machine.clock.timer, timers, life),
    alive: life.alive,
    reach: (point) => machine.reach(point, life.crash),
  };
  const upkeep = ownTimer(machine.clock.upkeep, timers, life);
  const host = openTestHost(machine, { pid, activity, caller, upkeep });
  const store = mortal(observed(machine, wrap(machine.store), { ...caller, crashed: life.crashed }), {
    activity,
    alive: life.alive,
  });
  const logged: LogEntry[] = [];
  const log = (entry: LogEntry): void => {
    logged.push(entry);
    options.log?.(entry);
  };
  const engine = await openEngineOn({ ...store, close: () => Promise.resolve() }, host, { ...options, log });
  return { engine, logged, crash: life.crash, crashed: life.crashed };
}

const asIs = (store: Store): Store => store;

function openLife(onCrash: () => void): Life {
  let alive = true;
  let told = (): void => {};
  const crashed = new Promise<void>((resolve) => (told = resolve));
  const crash = (): void => {
    if (!alive) return;
    alive = false;
    onCrash();
    told();
  };
  return { alive: () => alive, crash, crashed };
}

/** Timers die with their process, so that nothing waits for them. */
function ownTimer(start: Clock["timer"], timers: Set<() => void>, life: Life): Caller["timer"] {
  return (ms, task) => {
    if (!life.alive()) return () => {};
    const cancel = start(ms, () => {
      timers.delete(cancel);
      task();
    });
    timers.add(cancel);
    return () => {
      timers.delete(cancel);
      cancel();
    };
  };
}

type Own = {
  readonly pid: number;
  readonly activity: Activity;
  readonly caller: Omit<Caller, "code">;
  readonly upkeep: Host["upkeep"];
};

function openTestHost(machine: Machine, { pid, activity, caller, upkeep }: Own): Host {
  const { real, clock } = machine;
  return {
    ...real,
    nowMs: clock.nowMs,
    monotonicMs: clock.nowMs,
    random: machine.random,
    freshId: machine.freshId,
    defer: (task) => {
      const end = activity.begin();
      real.defer(() => {
        end();
        if (caller.alive()) task();
      });
    },
    timer: caller.timer,
    upkeep,
    inside: (place, work) => {
      const run = (code: Caller["code"]) => asCaller({ ...caller, code }, () => real.inside(place, work));
      return place.kind === "step" ? activity.follow(place.name, run) : run(null);
    },
    describeProcess: () => ({
      name: `test:${pid}`,
      host: "test",
      bootId: "b",
      pid,
      pidNamespace: "n",
      pidStartedAt: "1",
    }),
    isGone: (worker) => machine.deadPids.has(worker.pid),
    // What escapes from step code is the test runner's to report.
    catchStrays: () => () => {},
    onShutdown: () => () => {},
    exit: () => {},
  };
}

type Watched = Omit<Caller, "code"> & { readonly crashed: Promise<void> };

/** A flush is a moment to be killed: just before, when what was done is forgotten, and just after. */
function observed(machine: Machine, store: Store, caller: Watched): Store {
  return {
    ...store,
    transact: (terms, work) => observedTx(machine, store, caller, { terms, work }),
    flush: async (writes, nowMs) => {
      caller.reach({ kind: "flush", when: "before", writes });
      if (!caller.alive()) return never();
      const results = await store.flush(writes, nowMs);
      machine.stored(writes, results);
      caller.reach({ kind: "flush", when: "after", writes });
      return results;
    },
  };
}

type AskedTx = { readonly terms: TxTerms; readonly work: (door: TxDoor) => Promise<TxVerdict> };

/** So is the commit of a transaction; and what a dead process has not committed is taken back. */
async function observedTx(
  machine: Machine,
  store: Store,
  caller: Watched,
  { terms, work }: AskedTx,
): Promise<TxAnswer> {
  let writes: readonly Write[] = [];
  const judge = async (door: TxDoor): Promise<TxVerdict> => {
    const verdict = await work(door);
    if (!verdict.commit || verdict.checkpoint === null) return verdict;
    writes = [verdict.checkpoint];
    caller.reach({ kind: "flush", when: "before", writes });
    return caller.alive() ? verdict : { commit: false };
  };
  const crashed = caller.crashed.then((): TxVerdict => ({ commit: false }));
  const answer = await store.transact(terms, (door) => Promise.race([judge(door), crashed]));
  if (answer.kind === "committed" && writes.length > 0) {
    machine.stored(writes, [{ kind: "stored", atMs: caller.nowMs() }]);
    caller.reach({ kind: "flush", when: "after", writes });
  }
  return answer;
}

type Mortality = { readonly activity: Activity; readonly alive: () => boolean };

/** Calls of a dead process have no effect and never answer. */
function mortal(store: Store, mortality: Mortality): Store {
  const wrapped = Object.entries(store).map(([name, value]) => [
    name,
    typeof value === "function" ? mortalCall(value as StoreCall, mortality) : value,
  ]);
  return { ...(Object.fromEntries(wrapped) as Store), watch: store.watch, pollMs: store.pollMs };
}

type StoreCall = (...args: unknown[]) => Promise<unknown>;

function mortalCall(call: StoreCall, { activity, alive }: Mortality): StoreCall {
  return async (...args) => {
    if (!alive()) return never();
    const end = activity.begin();
    try {
      const answer = await call(...args);
      return alive() ? answer : await never();
    } catch (error) {
      if (!alive()) return await never();
      throw error;
    } finally {
      end();
    }
  };
}
