/** Retry policies: what users may write, the delays they give, and what follows a failure (P10). */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Failure } from "../../src/model/failure.ts";
import { afterFailure, parseRetry, RETRY_DEFAULT, retryDelayMs, type RetryOptions } from "../../src/model/retry.ts";

const WHERE = "retry of step charge";
const failure = (fields: Partial<Failure> = {}): Failure => ({
  name: "Error",
  message: "",
  retryable: true,
  ...fields,
});

describe("parseRetry", () => {
  it("takes a number as the count of attempts and keeps the rest", () => {
    expect(parseRetry(7, RETRY_DEFAULT, WHERE)).toEqual({ ...RETRY_DEFAULT, attemptsMax: 7 });
  });

  it("lays the given fields over the base", () => {
    const options: RetryOptions = { attempts: 5, backoff: "linear", base: "2s", max: "1m", jitter: 0 };
    expect(parseRetry({}, RETRY_DEFAULT, WHERE)).toEqual(RETRY_DEFAULT);
    expect(parseRetry({ jitter: 1 }, { ...RETRY_DEFAULT, attemptsMax: 9 }, WHERE)).toMatchObject({
      attemptsMax: 9,
      jitter: 1,
    });
    expect(parseRetry(options, RETRY_DEFAULT, WHERE)).toEqual({
      attemptsMax: 5,
      backoff: "linear",
      baseMs: 2_000,
      maxMs: 60_000,
      jitter: 0,
    });
  });

  it("lets the side that was not given way when base and max would cross", () => {
    expect(parseRetry({ base: "10m" }, RETRY_DEFAULT, WHERE)).toMatchObject({ baseMs: 600_000, maxMs: 600_000 });
    expect(parseRetry({ max: "100ms" }, RETRY_DEFAULT, WHERE)).toMatchObject({ baseMs: 100, maxMs: 100 });
  });

  it.each<[number | object, string, string]>([
    [0, "OPTION_INVALID", "attempts must be a whole number from 1 to 10000, got 0"],
    [1.5, "OPTION_INVALID", "got 1.5"],
    [10_001, "OPTION_INVALID", "got 10001"],
    [Number.NaN, "OPTION_INVALID", "got NaN"],
    [{ attempts: "3" }, "OPTION_INVALID", 'got "3"'],
    [{ backoff: "cubic" }, "OPTION_INVALID", 'backoff must be one of exponential, linear, fixed, got "cubic"'],
    [{ jitter: -0.1 }, "OPTION_INVALID", "jitter must be a number from 0 to 1, got -0.1"],
    [{ jitter: 1.1 }, "OPTION_INVALID", "jitter"],
    [{ jitter: Number.NaN }, "OPTION_INVALID", "jitter"],
    [{ jitter: "0.5" as unknown as number }, "OPTION_INVALID", 'jitter must be a number from 0 to 1, got "0.5"'],
    [{ attempts: { toString: 0 } as unknown as number }, "OPTION_INVALID", "got an object"],
    [{ base: "5s", max: "1s" }, "OPTION_INVALID", 'max must be at least base, which is 5000 ms, got "1s"'],
    [{ base: "soon" }, "DURATION_INVALID", `base of ${WHERE}`],
    [{ max: -1 }, "DURATION_INVALID", `max of ${WHERE}`],
    [{ delay: 1 }, "OPTION_UNKNOWN", 'there is no option "delay"'],
  ])("refuses %j", (options, code, text) => {
    const attempt = () => parseRetry(options, RETRY_DEFAULT, WHERE);
    expect(attempt).toThrow(expect.objectContaining({ code }));
    expect(attempt).toThrow(text);
  });
});

describe("retryDelayMs", () => {
  const policy = { ...RETRY_DEFAULT, attemptsMax: 10_000, baseMs: 1_000, maxMs: 10_000 };
  it.each([
    ["exponential", [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]],
    ["linear", [1_000, 2_000, 3_000, 4_000, 5_000, 6_000]],
    ["fixed", [1_000, 1_000, 1_000, 1_000, 1_000, 1_000]],
  ] as const)("grows %s from base to max", (backoff, delays) => {
    expect(delays.map((_, index) => retryDelayMs({ ...policy, backoff }, index + 1, 0))).toEqual(delays);
  });

  it("adds up to `jitter` of the nominal delay", () => {
    expect(retryDelayMs(policy, 1, 0.5)).toBe(1_100);
    expect(retryDelayMs(policy, 1, 1)).toBe(1_200);
  });

  it("stays a number when base is 0 or the attempts are very many", () => {
    expect(retryDelayMs({ ...policy, baseMs: 0 }, 10_000, 0.5)).toBe(0);
    expect(retryDelayMs(policy, 10_000, 0)).toBe(10_000);
  });

  it("is whole, never below the nominal delay, never above max and its jitter", () => {
    const anyPolicy = fc.record({
      attemptsMax: fc.constant(10_000),
      backoff: fc.constantFrom("exponential" as const, "linear" as const, "fixed" as const),
      baseMs: fc.integer({ min: 0, max: 1e6 }),
      maxMs: fc.integer({ min: 1e6, max: 315_360_000_000 }),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(anyPolicy, fc.integer({ min: 1, max: 10_000 }), fraction, (any, attempt, dice) => {
        const ms = retryDelayMs(any, attempt, dice);
        expect(Number.isSafeInteger(ms)).toBe(true);
        expect(ms).toBeGreaterThanOrEqual(retryDelayMs(any, attempt, 0));
        expect(ms).toBeLessThanOrEqual(Math.round(any.maxMs * (1 + any.jitter)));
      }),
    );
  });
});

describe("afterFailure", () => {
  it("P10: retries until the attempts are used up", () => {
    expect(afterFailure(RETRY_DEFAULT, 1, failure(), 0)).toEqual({ kind: "retry", dueInMs: 1_000 });
    expect(afterFailure(RETRY_DEFAULT, 2, failure(), 0)).toEqual({ kind: "retry", dueInMs: 2_000 });
    expect(afterFailure(RETRY_DEFAULT, 3, failure(), 0)).toEqual({ kind: "final" });
  });

  it("P10: a permanent failure stops at once", () => {
    expect(afterFailure(RETRY_DEFAULT, 1, failure({ retryable: false, retryAfterMs: 5 }), 0)).toEqual({
      kind: "final",
    });
  });

  it("P10: retryAfter overrides the backoff, also with zero, but not the count of attempts", () => {
    expect(afterFailure(RETRY_DEFAULT, 1, failure({ retryAfterMs: 90_000 }), 0.9)).toEqual({
      kind: "retry",
      dueInMs: 90_000,
    });
    expect(afterFailure(RETRY_DEFAULT, 1, failure({ retryAfterMs: 0 }), 0.9)).toEqual({ kind: "retry", dueInMs: 0 });
    expect(afterFailure(RETRY_DEFAULT, 3, failure({ retryAfterMs: 0 }), 0.9)).toEqual({ kind: "final" });
  });
});
