/**
 * Recovery: how soon after a restart of the server as much gets done as before it (F9).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "../../../../scripts/postgres/query.ts";
import type { OwnServer } from "../../../../scripts/postgres/server.ts";
import type { Dice } from "../../src/model/dice.ts";
import type { FleetShape } from "../fleet/duties.ts";
import type { Harbour } from "../fleet/fleet.ts";
import { underLoad } from "./load.ts";

/** How the server is restarted; `none`: it is not, which tells what the machine does by itself meanwhile. */
export type RestartMode = "none" | "fast" | "immediate";

/** How it is measured. */
export type Measure = {
  readonly dice: Dice;
  readonly workers: number;
  /** Runs that a worker executes at a time. */
  readonly slots: number;
  /** Runs under way at a time: more than there are slots, so that none is ever empty. */
  readonly lanes: number;
  readonly shape: FleetShape;
  readonly restarts: readonly RestartMode[];
  /** Length of what is compared, before a restart and afterwards. */
  readonly windowMs: number;
  /** From the beginning of the restart to the beginning of the second window. */
  readonly graceMs: number;
};

/** One restart. */
export type Recovery = {
  readonly mode: RestartMode;
  /** Runs that ended per second, in each window. */
  readonly before: number;
  readonly after: number;
  /** From the beginning of the restart until the first run ended after it. */
  readonly firstEndMs: number;
};

/** Restart the server under load, once per mode given, and count the ends on either side. */
export async function measureRecovery(
  harbour: Harbour,
  server: OwnServer,
  measure: Measure,
): Promise<{ readonly violations: readonly string[]; readonly recoveries: readonly Recovery[] }> {
  const { dice, slots, lanes, shape, restarts, windowMs, graceMs } = measure;
  const workers = Array.from({ length: measure.workers }, () => ({ slots, lease: "10s" }));
  const moments: { readonly mode: RestartMode; readonly atMs: number }[] = [];
  const { violations } = await underLoad(harbour, { dice, workers, lanes, shapes: [shape] }, async () => {
    await sleep(WARM_UP_MS);
    for (const mode of restarts) {
      await sleep(windowMs);
      moments.push({ mode, atMs: Date.now() });
      if (mode !== "none") await server.restart(mode);
      await sleep(moments.at(-1)!.atMs + graceMs + windowMs - Date.now());
    }
  });
  const endsAtMs = await listEnds(harbour.store);
  const recoveries = moments.map(({ mode, atMs }) => ({
    mode,
    before: rateOf(endsAtMs, atMs - windowMs, atMs),
    after: rateOf(endsAtMs, atMs + graceMs, atMs + graceMs + windowMs),
    firstEndMs: (endsAtMs.find((endAtMs) => endAtMs > atMs + DOWN_MS) ?? Infinity) - atMs,
  }));
  return { violations, recoveries };
}

/** Processes start, and their code gets warm. */
const WARM_UP_MS = 4_000;

/** What ends so soon after a restart began was in time. */
const DOWN_MS = 50;

async function listEnds(url: string): Promise<readonly number[]> {
  const client = await connect(url);
  const sql = "SELECT ended_at_ms FROM stepwell.runs WHERE ended_at_ms IS NOT NULL ORDER BY ended_at_ms";
  const { rows } = await client.query<{ ended_at_ms: string }>(sql);
  await client.end();
  return rows.map((row) => Number(row.ended_at_ms));
}

function rateOf(endsAtMs: readonly number[], fromMs: number, toMs: number): number {
  const ends = endsAtMs.filter((atMs) => atMs >= fromMs && atMs < toMs).length;
  return (ends * 1_000) / (toMs - fromMs);
}
