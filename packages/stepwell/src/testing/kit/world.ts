/**
 * World: a machine in a test's hands, with a fresh store in memory, a virtual clock and
 * processes that can be killed. Worlds share nothing, so tests may run side by side.
 */
import { openHost } from "../../engine/host.ts";
import { openDice } from "../../model/dice.ts";
import { openSqliteStore } from "../../store/sqlite/sqlite.ts";
import type { Store } from "../../store/store.ts";
import { type Deed, type Patience, rest } from "./activity.ts";
import { type Clock, openClock } from "./clock.ts";
import { type Machine, openProcess, type Process, type ProcessOptions } from "./process.ts";

/** How a world is. */
export type WorldOptions = {
  /** Where its clock begins; epoch milliseconds. */
  readonly startMs: number;
  /** The host's dice, in [0, 1). 0 leaves out all jitter. */
  readonly random: () => number;
  /** How long things may take in real time before the clock moves on without them. */
  readonly patience: Patience;
  readonly reach?: Machine["reach"];
  readonly stored?: Machine["stored"];
  /** The store, empty, which goes by that clock; by default one in memory. */
  readonly openStore?: (nowMs: () => number) => Promise<Store>;
};

/** See the header. */
export type World = {
  readonly store: Store;
  readonly clock: Clock;
  readonly freshId: () => string;
  readonly open: (options: ProcessOptions) => Promise<Process>;
  /** Everything that is ready has happened; what is left waits for the clock, or for somebody outside. */
  readonly idle: () => Promise<void>;
  /** Move the clock to `atMs`, and let everything happen that falls due on the way. */
  readonly advanceTo: (atMs: number) => Promise<void>;
  /** Step code that is under way: `namespace/name id key`. */
  readonly steps: () => readonly string[];
  readonly close: () => Promise<void>;
};

/** A world without processes. */
export async function openWorld(options: WorldOptions): Promise<World> {
  const real = openHost();
  const clock = openClock(options.startMs);
  const openStore = options.openStore ?? ((nowMs) => openSqliteStore(":memory:", { clock: nowMs }));
  const store = await openStore(clock.nowMs);
  const machine: Machine = {
    real,
    clock,
    store,
    random: options.random,
    freshId: openIds(clock),
    activities: new Set(),
    deadPids: new Set(),
    pids: 100,
    reach: options.reach ?? (() => {}),
    stored: options.stored ?? (() => {}),
  };
  const deeds = (): readonly Deed[] => [...machine.activities].flatMap((activity) => activity.deeds());
  const idle = (): Promise<void> => rest(real, deeds, options.patience);
  return {
    store,
    clock,
    freshId: machine.freshId,
    open: (options) => openProcess(machine, options),
    idle,
    advanceTo: (atMs) => advanceTo(clock, idle, atMs),
    steps: () => deeds().flatMap(({ step }) => (step === null ? [] : [step])),
    close: () => store.close(),
  };
}

async function advanceTo(clock: Clock, idle: () => Promise<void>, atMs: number): Promise<void> {
  await idle();
  for (let nextAtMs = clock.nextAtMs(); nextAtMs !== null && nextAtMs <= atMs; nextAtMs = clock.nextAtMs()) {
    clock.fireNext();
    await idle();
  }
  clock.moveTo(atMs);
  await idle();
}

/** In the layout of UUIDv7: the clock's milliseconds, then a counter instead of dice. The same in every run of a test. */
function openIds(clock: Clock): () => string {
  const dice = openDice("ids");
  let count = 0;
  return () => {
    const time = clock.nowMs().toString(16).padStart(12, "0");
    count = (count + 1) % 0x1000;
    const counter = count.toString(16).padStart(3, "0");
    return `${time.slice(0, 8)}-${time.slice(8, 12)}-7${counter}-${dice.uuid().slice(19)}`;
  };
}
