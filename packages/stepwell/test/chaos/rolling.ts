/**
 * Rolling deploy: workers of one version are replaced by workers of the next, one by one, under load (F8, F28).
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Dice } from "../../src/model/dice.ts";
import type { Evidence } from "../../src/testing/simulation/evidence.ts";
import { CODE } from "../../src/testing/simulation/shapes.ts";
import type { Harbour } from "../fleet/fleet.ts";
import { underLoad } from "./load.ts";

/** How many. */
export type Deploy = { readonly dice: Dice; readonly workers: number; readonly lanes: number };

/** What came of it. */
export type Deployed = {
  readonly violations: readonly string[];
  readonly runs: number;
  /** Runs that were begun by the old version and ended by the new one. */
  readonly handedOver: number;
  /** Longest time without a checkpoint of any run, while workers were replaced. */
  readonly gapMs: number;
};

/** Before the first is replaced, and after each. */
const CALM_MS = 1_500;

/** Replace them all. */
export async function deployRolling(harbour: Harbour, { dice, workers: count, lanes }: Deploy): Promise<Deployed> {
  const workers = Array.from({ length: count }, () => ({ code: CODE.older, slots: lanes }));
  const span = { fromMs: 0, toMs: 0 };
  const shapes = ["brisk", "checkout", "brisk", "patient"] as const;
  const verdict = await underLoad(harbour, { dice, workers, lanes, shapes }, async ({ fleet, workers }) => {
    await sleep(CALM_MS);
    span.fromMs = Date.now();
    for (const old of workers) {
      await fleet.hire({ code: CODE.newer, slots: lanes }).working;
      await old.leave();
      await sleep(CALM_MS);
    }
    span.toMs = Date.now();
  });
  const { evidence } = verdict;
  return {
    violations: [...verdict.violations, ...losses(evidence)],
    runs: evidence.stories.length,
    handedOver: countHandedOver(evidence, count),
    gapMs: longestGapMs(evidence, span),
  };
}

/** None of these shapes fails by itself, and nobody died. */
function losses({ stories }: Evidence): readonly string[] {
  const unwell = stories.filter(({ run }) => run.state !== "completed").length;
  const taken = stories.filter(({ history }) => history.some((one) => one.kind === "note" && one.note === "takeover"));
  return [
    ...(unwell === 0 ? [] : [`${unwell} runs have not completed`]),
    ...(taken.length === 0 ? [] : [`${taken.length} runs were taken over as from a dead worker`]),
  ];
}

/** The old workers were hired first. */
function countHandedOver({ witness }: Evidence, workers: number): number {
  const old = new Set<string>();
  const both = new Set<string>();
  for (const { process, run } of witness) {
    const isOld = Number(process.slice(process.lastIndexOf("-") + 1)) <= workers;
    if (isOld) old.add(run);
    else if (old.has(run)) both.add(run);
  }
  return both.size;
}

function longestGapMs(
  { stories }: Evidence,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): number {
  const moments = stories
    .flatMap(({ history }) => history.filter((event) => event.kind === "step").map(({ atMs }) => atMs))
    .filter((atMs) => atMs >= fromMs && atMs <= toMs)
    .sort((a, b) => a - b);
  return Math.max(...moments.map((atMs, index) => (index === 0 ? 0 : atMs - moments[index - 1]!)));
}
