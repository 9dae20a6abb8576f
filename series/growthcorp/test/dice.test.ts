/** Generated data is the same for the same seed. */
import { describe, expect, it } from "vitest";
import { seededDice } from "../dice.ts";

const roll = (seed: number, count: number): number[] => {
  const dice = seededDice(seed);
  return Array.from({ length: count }, () => dice.between(1, 6));
};

describe("seeded dice", () => {
  it("repeat themselves for a seed and differ between seeds", () => {
    expect(roll(7, 50)).toEqual(roll(7, 50));
    expect(roll(7, 50)).not.toEqual(roll(8, 50));
  });

  it("reach both ends of a range and nothing outside", () => {
    const rolls = roll(2_026, 2_000);
    expect([Math.min(...rolls), Math.max(...rolls)]).toEqual([1, 6]);
    for (let face = 1; face <= 6; face += 1) {
      expect(rolls.filter((rolled) => rolled === face).length).toBeGreaterThan(250);
    }
  });

  it("refuse to pick from nothing", () => {
    expect(() => seededDice(1).pick([])).toThrow(RangeError);
  });
});
