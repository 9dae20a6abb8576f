/** P1, F5, F9 on a line that breaks; see network.ts. */
import { describe, expect, it } from "vitest";
import { useFreshDatabase } from "../../../../scripts/postgres/for-tests.ts";
import { openDice } from "../../src/model/dice.ts";
import { compareOverBadLine, DROPS, openOverBadLine } from "./network.ts";

describe("a line that breaks at any statement", () => {
  const url = useFreshDatabase();

  it("P1: every operation happens once, and the last answer is the one that the first would have been", async () => {
    const comparing = { dice: openDice("chaos drops"), seed: 1, operations: 300, chance: 0.4, fates: DROPS };
    const { violations, drops } = await compareOverBadLine(url(), comparing);
    expect(violations).toEqual([]);
    for (const call of ["flush", "claimRuns", "retireWorker", "buryWorker"]) expect(drops.get(call)).toBeGreaterThan(0);
  }, 120_000);

  it("F7: opening is told that the server was out of reach, and the next one makes the tables", async () => {
    const { violations, drops } = await openOverBadLine(url(), 4);
    expect(violations).toEqual([]);
    expect(drops.get("open")).toBeGreaterThan(20);
  }, 120_000);
});
