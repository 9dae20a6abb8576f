/** The line through measurements is the right one, and its margin says how little a few of them tell. */
import { describe, expect, it } from "vitest";
import { openDice } from "../../packages/stepwell/src/model/dice.ts";
import { fitSlope, type Point } from "./slope.ts";

const line = (count: number, perX: number, noise: (x: number) => number = () => 0): readonly Point[] =>
  Array.from({ length: count }, (_, x) => ({ x, y: 100 + perX * x + noise(x) }));

describe("fitSlope", () => {
  it("finds an exact line without a margin", () => {
    const { perX, margin } = fitSlope(line(10, 2.5));
    expect(perX).toBeCloseTo(2.5, 10);
    expect(margin).toBeCloseTo(0, 10);
  });

  it.each([
    [3, 12.7],
    [4, 4.303],
    [12, 2.228],
    [62, 2.0],
  ])("widens the margin of %i points by Student's t", (count, t) => {
    const zigzag = line(count, 0, (x) => (x % 2 === 0 ? 1 : -1));
    const { perX, margin } = fitSlope(zigzag);
    const mean = (count - 1) / 2;
    const spread = zigzag.reduce((sum, { x }) => sum + (x - mean) ** 2, 0);
    const middle = zigzag.reduce((sum, { y }) => sum + y, 0) / count;
    const rest = zigzag.reduce((sum, { x, y }) => sum + (y - middle - perX * (x - mean)) ** 2, 0);
    expect(margin / Math.sqrt(rest / (count - 2) / spread) / t).toBeCloseTo(1, 1);
  });

  it("covers the true slope about 19 times in 20", () => {
    const dice = openDice("slope");
    const noise = (): number => dice.next() + dice.next() + dice.next() - 1.5;
    const covered = Array.from({ length: 1_000 }, () => fitSlope(line(20, 0.3, noise))).filter(
      ({ perX, margin }) => Math.abs(perX - 0.3) <= margin,
    );
    expect(covered.length).toBeGreaterThan(920);
    expect(covered.length).toBeLessThan(980);
  });

  it("knows nothing from two points, or from many at one place", () => {
    expect(fitSlope(line(2, 1)).margin).toBe(Infinity);
    expect(fitSlope([1, 2, 3].map((y) => ({ x: 5, y }))).margin).toBe(Infinity);
  });
});
