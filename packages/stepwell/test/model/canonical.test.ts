/** Canonical texts: equal for inputs that mean the same, different otherwise. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalText } from "../../src/model/canonical.ts";
import { encode } from "../../src/model/json.ts";

describe("canonicalText", () => {
  it.each<[unknown, unknown]>([
    [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ],
    [{ a: 1 }, { b: undefined, a: 1 }],
    [{ n: { x: [], y: { d: 1, c: 2 } } }, { n: { y: { c: 2, d: 1 }, x: [] } }],
    [[{ b: 1, a: 2 }], [{ a: 2, b: 1 }]],
    [new Map([["k", { a: 1, b: 2 }]]), new Map([["k", { b: 2, a: 1 }]])],
    [Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    [Object.assign(new Error("x"), { a: 1, b: 2 }), Object.assign(new Error("x"), { b: 2, a: 1 })],
    [Buffer.from("abc"), new Uint8Array([97, 98, 99])],
  ])("%# takes both for one input", (left, right) => {
    expect(canonicalText(left)).toBe(canonicalText(right));
  });

  it.each<[unknown, unknown]>([
    [{ a: 1 }, { a: "1" }],
    [{ a: 1 }, { a: 1n }],
    [{ a: null }, { a: undefined }],
    [
      [1, 2],
      [2, 1],
    ],
    [[undefined], [null]],
    [0, -0],
    [new Date(0), "1970-01-01T00:00:00.000Z"],
    [new Date(0), { $sw: "date", value: "1970-01-01T00:00:00.000Z" }],
    [new Set([1]), [1]],
    [undefined, null],
  ])("%# takes them for two inputs", (left, right) => {
    expect(canonicalText(left)).not.toBe(canonicalText(right));
  });

  it("keeps an own __proto__ as a key", () => {
    expect(canonicalText(JSON.parse('{"b":1,"__proto__":{"a":1}}'))).toBe('{"__proto__":{"a":1},"b":1}');
  });

  it("refuses what encode refuses", () => {
    expect(() => canonicalText({ f: () => 1 })).toThrow("NOT_SERIALISABLE: the value at $.f is a function.");
    expect(() => canonicalText([[1]], { bytesMax: 100, depthMax: 1, keysMax: 1 })).toThrow("PAYLOAD_TOO_DEEP");
  });

  it("does not depend on the order of keys, at any depth", () => {
    const shuffled = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(shuffled);
      if (typeof value !== "object" || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .toReversed()
          .map(([key, child]) => [key, shuffled(child)]),
      );
    };
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(canonicalText(shuffled(value))).toBe(canonicalText(value));
        expect(canonicalText(encode(value).value)).toBe(canonicalText(value));
      }),
      { numRuns: 1_000 },
    );
  });
});
