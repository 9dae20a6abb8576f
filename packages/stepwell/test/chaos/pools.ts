/**
 * Pools: a server that has no connection left to give, and a pooler between the workers and the server (F11).
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import type { Pooler } from "../../../../scripts/postgres/pooler.ts";
import { connect } from "../../../../scripts/postgres/query.ts";
import type { Dice } from "../../src/model/dice.ts";
import type { Harbour, Verdict } from "../fleet/fleet.ts";
import { underLoad } from "./load.ts";

/** Who works, and for how long it goes on. */
export type Crowding = { readonly dice: Dice; readonly workers: number; readonly lanes: number; readonly ms: number };

/**
 * Take every connection that the server has to give, also those that it keeps for its own superusers, end some of the
 * workers', and take these as well. The server should have few.
 */
export function exhaustConnections(harbour: Harbour, crowding: Crowding): Promise<Verdict> {
  const { dice, lanes, ms } = crowding;
  const workers = Array.from({ length: crowding.workers }, () => ({}));
  return underLoad(harbour, { dice, workers, lanes }, async () => {
    await sleep(CALM_MS);
    const crowd: Client[] = [await connect(harbour.store)];
    const untilMs = performance.now() + ms;
    while (performance.now() < untilMs) {
      await fill(harbour.store, crowd);
      const ours = "application_name LIKE 'stepwell%' AND random() < 0.2";
      await crowd[0]!.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${ours}`);
    }
    await Promise.all(crowd.map((client) => client.end()));
  });
}

/** Until the server refuses. */
async function fill(url: string, crowd: Client[]): Promise<void> {
  for (;;) {
    try {
      crowd.push(await connect(url));
    } catch {
      return sleep(50);
    }
  }
}

/** Let all go through a pooler, which is killed and started anew now and then. */
export function workThroughPooler(harbour: Harbour, pooler: Pooler, crowding: Crowding): Promise<Verdict> {
  const { dice, lanes, ms } = crowding;
  const through = { store: pooler.url };
  const workers = Array.from({ length: crowding.workers }, () => through);
  return underLoad(harbour, { dice, workers, lanes, client: through }, async () => {
    const untilMs = performance.now() + ms;
    while (performance.now() < untilMs) {
      await sleep(CALM_MS + dice.integer(PAUSE_MS_MAX));
      await pooler.restart();
    }
    await sleep(CALM_MS);
  });
}

/** Before anything happens, and before it is over. */
const CALM_MS = 1_000;

/** Longest time more that a pooler lives. */
const PAUSE_MS_MAX = 4_000;
