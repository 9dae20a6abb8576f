/**
 * Server: a PostgreSQL that is stopped, killed and robbed of its connections while workers depend on it (F9).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { query } from "../../../../scripts/postgres/query.ts";
import type { OwnServer } from "../../../../scripts/postgres/server.ts";
import type { Dice } from "../../src/model/dice.ts";
import type { Harbour, Verdict } from "../fleet/fleet.ts";
import { underLoad } from "./load.ts";

/** What happens to a server: it stops fast or immediately, all its processes are killed, some connections are ended. */
export const BLOWS = ["fast", "immediate", "kill", "backends"] as const;
/** One of {@link BLOWS}. */
export type Blow = (typeof BLOWS)[number];

/** How much of it. */
export type Shaking = {
  readonly dice: Dice;
  readonly workers: number;
  readonly lanes: number;
  readonly blows: readonly Blow[];
  /** Longest pause before a blow. */
  readonly pauseMsMax: number;
};

/** Strike the server, blow by blow, under load; `harbour.store` is a database of it. */
export function shakeServer(harbour: Harbour, server: OwnServer, shaking: Shaking): Promise<Verdict> {
  const { dice, lanes, blows, pauseMsMax } = shaking;
  const workers = Array.from({ length: shaking.workers }, () => ({}));
  return underLoad(harbour, { dice, workers, lanes }, async () => {
    for (const blow of blows) {
      await sleep(200 + dice.integer(pauseMsMax));
      await strike(server, blow, dice);
    }
    await sleep(pauseMsMax);
  });
}

async function strike(server: OwnServer, blow: Blow, dice: Dice): Promise<void> {
  switch (blow) {
    case "fast":
    case "immediate":
      return server.restart(blow);
    case "kill":
      await server.kill();
      return server.restart();
    case "backends":
      for (let volley = 0; volley < VOLLEYS; volley += 1) {
        await endBackends(server.url, 0.1 + dice.integer(10) / 10);
        await sleep(dice.integer(100));
      }
  }
}

const VOLLEYS = 10;

/** End each of our connections with this probability. */
async function endBackends(url: string, share: number): Promise<void> {
  const ours = "application_name LIKE 'stepwell%' AND pid <> pg_backend_pid()";
  await query(url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${ours} AND random() < ${share}`);
}
