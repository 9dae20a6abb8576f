/** Options: unknown keys are refused, with the nearest known one (P12). */
import { describe, expect, it } from "vitest";
import { checkKeys, nearestOf } from "../../src/model/options.ts";

describe("checkKeys", () => {
  it("accepts any subset of the allowed keys", () => {
    expect(() => checkKeys("options", { a: 1 }, ["a", "b"])).not.toThrow();
    expect(() => checkKeys("options", {}, [])).not.toThrow();
  });

  it("names the place, the key and the nearest allowed key", () => {
    expect(() => checkKeys("retry of step charge", { atempts: 3 }, ["attempts", "backoff"])).toThrow(
      'OPTION_UNKNOWN: retry of step charge: there is no option "atempts"; did you mean "attempts"? Correct or remove it.',
    );
  });

  it("lists what is known when nothing is near", () => {
    expect(() => checkKeys("here", { colour: 1 }, ["attempts", "max"])).toThrow("known are attempts, max. Correct");
    expect(() => checkKeys("here", { colour: 1 }, [])).toThrow("there are none. Correct");
  });

  it("does not take inherited names such as constructor for allowed", () => {
    expect(() => checkKeys("here", { constructor: 1 }, ["a"])).toThrow(
      expect.objectContaining({ code: "OPTION_UNKNOWN" }),
    );
  });

  it.each([
    [null, "null"],
    [3, "number"],
    ["text", "string"],
    [undefined, "undefined"],
  ])("refuses %j", (options, got) => {
    const attempt = () => checkKeys("here", options as unknown as object, []);
    expect(attempt).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
    expect(attempt).toThrow(`here must be an object, got ${got}`);
  });

  it("shortens a long key in message and details", () => {
    expect(() => checkKeys("here", { ["x".repeat(5_000)]: 1 }, ["a"])).toThrow(
      expect.objectContaining({ details: { where: "here", option: "x".repeat(100), nearest: null } }),
    );
  });
});

describe("nearestOf", () => {
  it.each([
    ["retires", ["retries", "timeout"], "retries"],
    ["TIMEOUT", ["timeout"], "timeout"],
    ["timeoutMs", ["timeout"], "timeout"],
    ["ttl", ["tag", "ttm"], "ttm"],
    ["ab", ["ac", "ad"], "ac"],
    ["colour", ["attempts"], null],
    ["x".repeat(101), ["x".repeat(100)], null],
    ["", ["a"], "a"],
  ])("finds for %s among %j: %s", (word, candidates, nearest) => {
    expect(nearestOf(word, candidates)).toBe(nearest);
  });
});
