/**
 * Campaign: processes with real engines on one real file are killed with SIGKILL, over
 * and over; then what their steps witnessed and what they acknowledged is compared with
 * what the file holds.
 */
import { join } from "node:path";
import type { Dice } from "../../src/model/dice.ts";
import type { FleetShape } from "../fleet/duties.ts";
import { type Fleet, openFleet } from "../fleet/fleet.ts";
import type { DeathPoint, Wanted } from "../fleet/orders.ts";
import { drawRuns } from "../fleet/wanted.ts";

/** How a process is to end: by itself at a named point, or killed so long after it said that it works. */
export type Life = { readonly death: DeathPoint | null; readonly killAfterMs: number };

/** Where a campaign is fought, and for how many runs. Same dice, same runs. */
export type Field = { readonly folder: string; readonly name: string; readonly dice: Dice; readonly runs: number };

/** One file and the processes on it. */
export type Campaign = {
  /** Start a process and let it live; true when it was killed, false when it saw all runs end. Several may live at once. */
  readonly live: (life: Life) => Promise<boolean>;
  readonly kills: () => number;
  /** Let so many processes bring everything to its end, and hold the promises against what is left. */
  readonly finish: (processes: number) => Promise<Report>;
};

/** What came of a campaign. `active`: processes that executed steps. */
export type Report = { readonly violations: readonly string[]; readonly kills: number; readonly active: number };

/** The shapes whose work is done in a few real seconds. */
export const SWIFT_SHAPES: readonly FleetShape[] = [
  "sequence",
  "fan",
  "caught",
  "shaped",
  "signals",
  "saga",
  "race",
  "timed",
  "derived",
];

/** Where a process may be told to kill itself. */
export const DEATH_POINTS: readonly DeathPoint["at"][] = [
  "before flush",
  "after flush",
  "after claim",
  "step start",
  "step end",
  "acknowledged",
];

const LAST_START_MS_MAX = 60_000;

type State = { readonly fleet: Fleet; readonly runs: readonly Wanted[] };

/** Nobody has started yet. The folder must exist. */
export async function openCampaign({ folder, name, dice, runs: count }: Field): Promise<Campaign> {
  const fleet = await openFleet({ folder, name, store: `sqlite:${join(folder, `${name}.db`)}` });
  const runs = drawRuns({ dice, name: "run", shapes: SWIFT_SHAPES, count, cancelling: true });
  const state: State = { fleet, runs };
  return {
    live: (life) => live(state, life),
    kills: () => fleet.kills(),
    finish: (processes) => finish(state, processes),
  };
}

/**
 * Kill so many processes of those that share one file, in as many rounds as it takes: each has a file of its own, and
 * begins when all runs of the one before have ended.
 *
 * @param told hears of every round
 */
export async function killAmong(
  processes: number,
  kills: number,
  field: Field,
  told: (report: Report) => void = () => {},
): Promise<Report> {
  let total: Report = { violations: [], kills: 0, active: 0 };
  for (let round = 1; total.kills < kills; round += 1) {
    const name = `${field.name}-${round}`;
    const dice = field.dice.split(name);
    const campaign = await openCampaign({ ...field, name, dice });
    const left = Math.min(kills - total.kills, processes * KILLS_PER_PROCESS);
    await Promise.all(Array.from({ length: processes }, () => killOverAndOver(campaign, dice, left)));
    const report = await campaign.finish(processes);
    told(report);
    const named = report.violations.map((violation) => `${name}: ${violation}`);
    total = {
      violations: [...total.violations, ...named],
      kills: total.kills + report.kills,
      active: total.active + report.active,
    };
  }
  return total;
}

/** After so many per process the runs of a round have mostly ended. */
const KILLS_PER_PROCESS = 6;

async function killOverAndOver(campaign: Campaign, dice: Dice, kills: number): Promise<void> {
  while (campaign.kills() < kills) if (!(await campaign.live(drawLife(dice)))) return;
}

/** Half at random moments, half at named points. */
export function drawLife(dice: Dice): Life {
  if (dice.chance(0.5)) return { death: null, killAfterMs: dice.integer(400) };
  const at = dice.pick(DEATH_POINTS);
  return { death: { at, count: 1 + dice.integer(at === "after claim" ? 3 : 12) }, killAfterMs: 1_000 };
}

/** Asks for all runs and executes what it can. */
async function live({ fleet, runs }: State, { death, killAfterMs }: Life): Promise<boolean> {
  const member = fleet.hire({ asks: { runs, lanes: runs.length }, patient: false, death });
  await member.working;
  const timer = setTimeout(() => void member.kill(), killAfterMs);
  const { code } = await member.ended;
  clearTimeout(timer);
  return code === null;
}

async function finish(state: State, processes: number): Promise<Report> {
  const kills = state.fleet.kills();
  const last = { death: null, killAfterMs: LAST_START_MS_MAX };
  const killed = await Promise.all(Array.from({ length: processes }, () => live(state, last)));
  const { violations, active } = await state.fleet.judge(state.runs);
  const late = killed.includes(true) ? [`A last start had not ended after ${LAST_START_MS_MAX} ms.`] : [];
  return { violations: [...violations, ...late], kills, active };
}
