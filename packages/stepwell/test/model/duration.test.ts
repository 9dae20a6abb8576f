/** Durations: the grammar as a table, its refusals, and texts for people. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DURATION_MS_MAX, formatDuration, parseDuration } from "../../src/model/duration.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe("parseDuration", () => {
  it.each([
    [0, 0],
    [250, 250],
    [1.4, 1],
    [1.5, 2],
    [-0.4, 0],
    [DURATION_MS_MAX, DURATION_MS_MAX],
    ["0s", 0],
    ["250ms", 250],
    ["30s", 30 * SECOND],
    ["1m", MINUTE],
    ["1h30m", 90 * MINUTE],
    ["2d", 2 * DAY],
    ["1w", 7 * DAY],
    ["1w2d3h4m5s6ms", 7 * DAY + 2 * DAY + 3 * HOUR + 4 * MINUTE + 5 * SECOND + 6],
    ["1.5h", 90 * MINUTE],
    ["0.5ms", 1],
    ["  1 h  30 m ", 90 * MINUTE],
    ["007s", 7 * SECOND],
    ["3650d", DURATION_MS_MAX],
  ])("reads %j as %d ms", (duration, ms) => {
    expect(parseDuration(duration, "here")).toBe(ms);
  });

  it.each([
    ["", "cannot be read"],
    [" ", "cannot be read"],
    ["30", "cannot be read"],
    ["s", "cannot be read"],
    ["1 hour", "cannot be read"],
    ["1H", "cannot be read"],
    ["1h x", "cannot be read"],
    ["30m1h", "cannot be read"],
    ["1m1m", "cannot be read"],
    ["-1s", "cannot be read"],
    [".5s", "cannot be read"],
    ["1.s", "cannot be read"],
    ["1e3s", "cannot be read"],
    ["1".repeat(101), "cannot be read"],
    [Number.NaN, "cannot be read"],
    [-1, "is negative"],
    [Infinity, "is longer than ten years"],
    [DURATION_MS_MAX + 1, "is longer than ten years"],
    ["3651d", "is longer than ten years"],
    ["9".repeat(90) + "w", "is longer than ten years"],
    [null as unknown as string, "cannot be read"],
    [{} as unknown as string, "cannot be read"],
  ])("refuses %j: it %s", (duration, fault) => {
    const attempt = () => parseDuration(duration, "timeout of step charge");
    expect(attempt).toThrow(expect.objectContaining({ code: "DURATION_INVALID" }));
    expect(attempt).toThrow(fault);
    expect(attempt).toThrow(/^DURATION_INVALID: timeout of step charge: .*\. Write milliseconds/s);
  });

  it("never hangs or returns anything but whole milliseconds in range", () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(..."0123456789.msmhdw ") }));
    fc.assert(
      fc.property(fc.oneof(text, fc.double()), (duration) => {
        try {
          const ms = parseDuration(duration, "x");
          expect(Number.isInteger(ms) && ms >= 0 && ms <= DURATION_MS_MAX && !Object.is(ms, -0)).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ code: "DURATION_INVALID" });
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("formatDuration", () => {
  it.each([
    [0, "0 ms"],
    [0.4, "0 ms"],
    [850, "850 ms"],
    [999.4, "999 ms"],
    [999.6, "1 s"],
    [1_200, "1.2 s"],
    [59_940, "59.9 s"],
    [59_960, "1 m"],
    [MINUTE, "1 m"],
    [3 * MINUTE + 20 * SECOND, "3 m 20 s"],
    [HOUR - 1, "1 h"],
    [2 * HOUR + 5 * MINUTE, "2 h 5 m"],
    [DAY - 1, "1 d"],
    [3 * DAY + 4 * HOUR, "3 d 4 h"],
    [400 * DAY, "400 d"],
  ])("writes %d ms as %j", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});
