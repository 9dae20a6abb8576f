/**
 * Proof that the simulation can fail: for every invariant a bug is planted in a copy of
 * the library, and that invariant notices. Few seeds here, those that are known to
 * catch it first; `npm run planted-bugs` tries a thousand.
 */
import { describe, expect, it } from "vitest";
import { listPlantedBugs, plant } from "../../../../scripts/planted-bugs.ts";
import { INVARIANTS } from "../../src/testing/simulation/checker.ts";

const SEEDS_MAX = 40;
const BUG_MS_MAX = 60_000;

const bugs = listPlantedBugs();

describe.concurrent("planted bugs", { timeout: BUG_MS_MAX }, () => {
  it.each(bugs)("$invariant notices $name", async (bug) => {
    const verdict = await plant(bug, SEEDS_MAX);
    const advice = "see scripts/planted-bugs.ts; a patch that does not apply any more is made anew";
    expect(verdict.kind, `${JSON.stringify(verdict)}; ${advice}`).toBe("caught");
  });

  it("stand for every invariant", () => {
    const planted = new Set(bugs.map((bug) => bug.invariant));
    expect(INVARIANTS.map(({ id }) => id).filter((id) => !planted.has(id))).toEqual([]);
  });
});
