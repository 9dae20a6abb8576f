/** Money is exact, and rounds half up. */
import { describe, expect, it } from "vitest";
import { formatMoney, percentOf } from "../money.ts";

describe("money", () => {
  it.each([
    [10_997, 8, 880],
    [0, 8, 0],
    [6, 8, 0],
    [7, 8, 1],
    [50, 1, 1],
    [49, 1, 0],
    [150, 1, 2],
    [250, 1, 3],
    [1_013, 8, 81],
    [9_007_199_254, 8, 720_575_940],
  ])("takes of %i cents %i percent, half up: %i", (amount, percent, expected) => {
    expect(percentOf(amount, percent)).toBe(expected);
  });

  it.each([
    [12_476, "USD", "$124.76"],
    [5, "EUR", "€0.05"],
    [100, "GBP", "£1.00"],
    [-12_476, "USD", "-$124.76"],
    [-5, "USD", "-$0.05"],
    [0, "USD", "$0.00"],
  ] as const)("shows %i in %s as %s", (amount, currency, text) => {
    expect(formatMoney(amount, currency)).toBe(text);
  });
});
