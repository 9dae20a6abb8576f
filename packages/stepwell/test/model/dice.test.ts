/** Dice: known answers from an independent implementation, and what a split stream promises. */
import { describe, expect, it } from "vitest";
import { openDice } from "../../src/model/dice.ts";

describe("openDice", () => {
  it("gives the known numbers of its seed", () => {
    const dice = openDice("stepwell");
    expect([dice.next(), dice.next(), dice.next()]).toEqual([
      0.14704178338659168, 0.2767795448772664, 0.8545346801304733,
    ]);
    const other = openDice("stepwell");
    expect(Array.from({ length: 10 }, () => other.integer(6))).toEqual([5, 1, 1, 4, 3, 1, 2, 3, 1, 1]);
    expect(openDice("π🎲").next()).toBe(0.7461538859700646);
    expect(openDice("stepwell").uuid()).toBe("25a487cb-1653-41f5-86db-0621ab98d460");
  });

  it("splits into a stream that depends on seed and label alone", () => {
    const fresh = openDice("stepwell").split("retry");
    expect([fresh.next(), fresh.next()]).toEqual([0.2645242387902791, 0.9558045096601929]);
    const used = openDice("stepwell");
    used.next();
    used.split("other").next();
    expect(used.split("retry").next()).toBe(0.2645242387902791);
  });

  it("is not advanced by a split", () => {
    const dice = openDice("stepwell");
    dice.split("a").next();
    expect(dice.next()).toBe(0.14704178338659168);
  });

  it("splits differently by label, by order of labels and from its own stream", () => {
    const root = openDice("seed");
    const streams = [
      root,
      root.split(""),
      root.split("a"),
      root.split("b"),
      root.split("a").split("b"),
      root.split("b").split("a"),
    ];
    expect(new Set(streams.map((dice) => dice.next())).size).toBe(streams.length);
  });

  it("draws evenly: mean, range and each face of a die", () => {
    const dice = openDice("even");
    const draws = Array.from({ length: 10_000 }, () => dice.next());
    expect(Math.min(...draws)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...draws)).toBeLessThan(1);
    expect(draws.reduce((sum, draw) => sum + draw, 0) / draws.length).toBeCloseTo(0.5, 1);
    const faces = Array.from({ length: 6 }, () => 0);
    for (let roll = 0; roll < 6_000; roll += 1) faces[dice.integer(6)]! += 1;
    for (const count of faces) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });

  it("draws again where a face would be likelier, so that the range is exact", () => {
    const dice = openDice("fair");
    const below = 3 * 2 ** 30;
    const draws = Array.from({ length: 1_000 }, () => dice.integer(below));
    expect(Math.max(...draws)).toBeLessThan(below);
    expect(draws.filter((draw) => draw < 2 ** 30).length / draws.length).toBeCloseTo(1 / 3, 1);
    expect(dice.integer(1)).toBe(0);
    expect(dice.integer(2 ** 32)).toBeLessThan(2 ** 32);
  });

  it.each([0, -1, 1.5, 2 ** 32 + 1, Number.NaN])("refuses a choice among %d", (below) => {
    expect(() => openDice("x").integer(below)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });

  it("takes chances for certain at 0 and 1", () => {
    const dice = openDice("chance");
    const draws = Array.from({ length: 100 }, () => [dice.chance(0), dice.chance(1)]);
    expect(draws.every(([never, always]) => !never && always)).toBe(true);
  });

  it("picks every element, and refuses an empty list", () => {
    const dice = openDice("pick");
    expect(new Set(Array.from({ length: 50 }, () => dice.pick(["a", "b", "c"])))).toEqual(new Set(["a", "b", "c"]));
    expect(() => dice.pick([])).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });

  it("writes UUIDs in the layout of version 4, all different", () => {
    const dice = openDice("ids");
    const ids = Array.from({ length: 1_000 }, () => dice.uuid());
    expect(new Set(ids).size).toBe(1_000);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
