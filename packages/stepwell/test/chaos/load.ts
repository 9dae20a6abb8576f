/**
 * Load: workers on one database and a client that asks for runs without an end, while something happens to them.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Dice } from "../../src/model/dice.ts";
import type { FleetShape } from "../fleet/duties.ts";
import { type Fleet, type Harbour, type Hire, type Member, openFleet, type Verdict } from "../fleet/fleet.ts";
import { drawRuns } from "../fleet/wanted.ts";
import { SWIFT_SHAPES } from "../kill/campaign.ts";

/** Who works, and what is asked for. */
export type Load = {
  readonly dice: Dice;
  readonly workers: readonly Hire[];
  readonly client?: Hire;
  /** Runs under way at a time. */
  readonly lanes: number;
  readonly shapes?: readonly FleetShape[];
};

/** Who is there when it happens. */
export type Crew = { readonly fleet: Fleet; readonly workers: readonly Member[]; readonly client: Member };

/** Every shape whose runs end in some seconds. */
export const MIXED_SHAPES: readonly FleetShape[] = [
  ...SWIFT_SHAPES,
  "checkout",
  "sleepy",
  "parent",
  "items",
  "appointed",
  "limited",
];

/** More than a client comes to ask for; one that does is no load any more, and a fault. */
const RUNS_MAX = 150_000;

/** After the weather everything ends within this time. */
const REST_MS_MAX = 60_000;

/** Workers that lag behind at the end have this long to leave. */
const LEAVE_MS_MAX = 30_000;

/**
 * Let them work, let `weather` happen, then let everything come to its end, and judge. Nobody is to end by itself.
 */
export async function underLoad(
  harbour: Harbour,
  load: Load,
  weather: (crew: Crew) => Promise<void>,
): Promise<Verdict> {
  const { dice, lanes, shapes = MIXED_SHAPES } = load;
  const fleet = await openFleet(harbour);
  const late: string[] = [];
  try {
    const runs = drawRuns({ dice, name: harbour.name, shapes, count: RUNS_MAX, cancelling: false });
    const workers = load.workers.map((hire) => fleet.hire(hire));
    const client = fleet.hire({ asks: { runs, lanes }, slots: null, ...load.client });
    await Promise.all([...workers, client].map((member) => member.working));
    await weather({ fleet, workers, client });
    if (client.isGone()) late.push("the client had nothing more to ask for");
    const rested = (await endsWithin(client.leave(), REST_MS_MAX)) && (await fleet.settle(REST_MS_MAX));
    if (!rested) late.push(`not all runs had ended after ${REST_MS_MAX} ms`);
    const left = fleet.members().filter((member) => member !== client);
    for (const member of left) {
      if (!(await endsWithin(member.leave(), LEAVE_MS_MAX))) late.push(`${member.name} has not left`);
    }
  } finally {
    await fleet.end();
  }
  const verdict = await fleet.judge([]);
  return { ...verdict, violations: [...late, ...verdict.violations] };
}

/** Whether it ends in time; it need not. */
export async function endsWithin(end: Promise<unknown>, ms: number): Promise<boolean> {
  const ended = new AbortController();
  const tooLate = sleep(ms, false, { signal: ended.signal }).catch(() => true);
  const inTime = await Promise.race([end.then(() => true), tooLate]);
  ended.abort();
  return inTime;
}
