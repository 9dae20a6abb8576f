/**
 * Harness: a real engine on a real store, with time in the test's hands. No test sleeps: the clock moves when told, and
 * `crash` stops a process as kill -9 would.
 *
 * The store is SQLite in memory or, where STEPWELL_TEST_STORE says `postgres`, a PostgreSQL schema of the test's own.
 * The world is that of `stepwell/testing`. Here leases and polls are as in production.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { EngineOptions } from "../../src/engine/settings.ts";
import type { Store } from "../../src/store/store.ts";
import { turn } from "../../src/testing/kit/activity.ts";
import type { Process } from "../../src/testing/kit/process.ts";
import { openWorld as openTestWorld } from "../../src/testing/kit/world.ts";
import { openPostgres } from "./postgres.ts";
import { openHost } from "../../src/engine/host.ts";

/** Whether the store is a server's, whose answers take time. */
export const ON_POSTGRES = process.env["STEPWELL_TEST_STORE"] === "postgres";

export type { Process } from "../../src/testing/kit/process.ts";

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

export async function openWorld(): Promise<World> {
  const world = await openTestWorld({
    startMs: 1_000_000,
    random: () => 0.5,
    // Tests hold calls of a store in memory up; a server takes its time.
    patience: { codeMs: 0, callMs: ON_POSTGRES ? 5_000 : 0 },
    ...(ON_POSTGRES ? { openStore: openPostgres } : {}),
  });
  const { clock } = world;
  const real = openHost();
  return {
    store: world.store,
    open: (engine = {}, wrap) => world.open({ engine, ...(wrap === undefined ? {} : { wrap }) }),
    advance: async (ms) => {
      const untilMs = clock.nowMs() + ms;
      await world.idle();
      if (ms > 60_000) clock.jumpTo(untilMs);
      await world.advanceTo(untilMs);
    },
    nowMs: clock.nowMs,
    settle: world.idle,
    until: async (done, what = "the condition") => {
      for (let index = 0; index < 5_000; index += 1) {
        if (await done()) return;
        await (ON_POSTGRES ? pause(1) : turn(real));
      }
      throw new Error(`${what} did not come about`);
    },
  };
}
