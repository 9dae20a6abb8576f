/** Step keys: readable, storable, and never the same for two names. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stepKey, type StepName } from "../../src/model/key.ts";

describe("stepKey", () => {
  it.each<[StepName, string]>([
    ["charge", "charge"],
    ["a b.c", "a b.c"],
    [["ship", "sku-1", 7], "ship/sku-1/7"],
    [["ship", -0], "ship/0"],
    [["a/b", "c%d"], "a%2Fb/c%25d"],
    ["a/b", "a%2Fb"],
    ["übung", "übung"],
    ["🚀", "🚀"],
    [["item", "@home"], "item/@home"],
    ["x".repeat(200), "x".repeat(200)],
  ])("writes %j as %s", (name, key) => {
    expect(stepKey(name)).toBe(key);
  });

  it.each<[unknown, string]>([
    ["", "is empty, or has an empty part"],
    [["a", ""], "is empty, or has an empty part"],
    ["@wait", "begins with @"],
    [["@wait", "x"], "begins with @"],
    ["a\nb", "holds a control character"],
    ["a\u0000", "holds a control character"],
    ["a\u0085", "holds a control character"],
    ["a\ud800", "holds half a character"],
    ["x".repeat(201), "201 characters of at most 200"],
    ["/".repeat(67), "201 characters"],
    [["a", "y".repeat(199)], "201 characters"],
    [["a", Number.NaN], "has a part that is no text or finite number: NaN"],
    [["a", Infinity], "no text or finite number"],
    [["a", null], "no text or finite number: null"],
    [[1, "a"], "does not begin with a text but with number"],
    [[], "does not begin with a text but with undefined"],
    [null, "does not begin with a text but with object"],
    [undefined, "does not begin with a text but with undefined"],
    [() => 1, "does not begin with a text but with function"],
  ])("refuses %j", (name, text) => {
    const attempt = () => stepKey(name as StepName, "ctx.step");
    expect(attempt).toThrow(expect.objectContaining({ code: "STEP_NAME_INVALID" }));
    expect(attempt).toThrow(`STEP_NAME_INVALID: ctx.step: the name `);
    expect(attempt).toThrow(text);
  });

  it("gives two names two keys", () => {
    const part = fc.string({ unit: fc.constantFrom("a", "/", "%", "2", "F", "5"), minLength: 1, maxLength: 6 });
    const name = fc.array(part, { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(name, name, (a, b) => {
        const [left, right] = [stepKey(a as [string]), stepKey(b as [string])];
        expect(left === right).toBe(JSON.stringify(a) === JSON.stringify(b));
        if (a.length === 1) expect(stepKey(a[0]!)).toBe(left);
      }),
      { numRuns: 2_000 },
    );
  });
});
