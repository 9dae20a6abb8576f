/**
 * Kills: workers on one database are killed with SIGKILL, over and over, while a client asks for runs of every shape,
 * sends them signals and cancels some of them; the client is killed as well, now and then.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Dice } from "../../src/model/dice.ts";
import { type Fleet, type Harbour, openFleet } from "../fleet/fleet.ts";
import type { Wanted } from "../fleet/orders.ts";
import { drawRuns } from "../fleet/wanted.ts";
import { drawLife } from "../kill/campaign.ts";
import { MIXED_SHAPES } from "./load.ts";

/** How many, of what. */
export type Slaughter = {
  readonly dice: Dice;
  readonly workers: number;
  readonly kills: number;
  readonly runs: number;
  /** Runs under way at a time. */
  readonly lanes: number;
};

/** What came of it. */
export type Toll = {
  readonly violations: readonly string[];
  readonly kills: number;
  readonly runs: number;
  readonly executions: number;
  readonly takeovers: number;
};

/** Share of the kills that hit the client. */
const CLIENT_SHARE = 0.05;

/** After the last kill everything ends within this time. */
const REST_MS_MAX = 90_000;

/** Kill until there have been so many, then let everything come to its end, and judge. */
export async function killWorkers(harbour: Harbour, slaughter: Slaughter): Promise<Toll> {
  const { dice, workers, kills, runs: count, lanes } = slaughter;
  const fleet = await openFleet(harbour);
  const runs = drawRuns({ dice, name: harbour.name, shapes: MIXED_SHAPES, count, cancelling: true });
  const state: State = { fleet, dice, kills, workers, ended: false };
  try {
    const client = serve(state, runs, lanes);
    await Promise.all([...Array.from({ length: workers }, () => toil(state)), client]);
  } finally {
    await fleet.end();
  }
  const { violations, evidence, kills: killed } = await fleet.judge(runs);
  const notes = evidence.stories.flatMap(({ history }) => history.filter((event) => event.kind === "note"));
  return {
    violations,
    kills: killed,
    runs: evidence.stories.length,
    executions: evidence.witness.filter((event) => event.kind === "start").length,
    takeovers: notes.filter((event) => event.kind === "note" && event.note === "takeover").length,
  };
}

type State = {
  readonly fleet: Fleet;
  readonly dice: Dice;
  readonly kills: number;
  readonly workers: number;
  /** Every run has come to its end. */
  ended: boolean;
};

/** A worker, and who takes its place, until all is done; the last one leaves in good order. */
async function toil(state: State): Promise<void> {
  const { fleet, dice } = state;
  while (!state.ended && fleet.kills() < state.kills) {
    const { death, killAfterMs } = drawLife(dice);
    const worker = fleet.hire({ death });
    await worker.working;
    await Promise.race([worker.ended, sleep(killAfterMs)]);
    await worker.kill();
  }
  if (state.ended) return;
  const last = fleet.hire();
  while (!state.ended) await sleep(20);
  await last.leave();
}

/** Asks for all runs; whoever takes its place asks for them again, until one has seen the end of each. */
async function serve(state: State, runs: readonly Wanted[], lanes: number): Promise<void> {
  const { fleet, dice, kills } = state;
  for (let code: number | null = null; code === null && fleet.kills() <= kills + state.workers;) {
    const client = fleet.hire({ asks: { runs, lanes }, slots: null });
    const diesAt = fleet.kills() + 1 + dice.integer(2 / CLIENT_SHARE);
    while (!client.isGone() && fleet.kills() < Math.min(diesAt, kills)) await sleep(20);
    if (fleet.kills() >= kills) await Promise.race([client.ended, sleep(REST_MS_MAX)]);
    ({ code } = await client.kill());
  }
  await fleet.settle(REST_MS_MAX);
  state.ended = true;
}
