/** Payload limits: counted in bytes of UTF-8, levels and keys, and checked before anything is written (P11). */
import { expect, it } from "vitest";
import { StepwellError } from "../../src/model/errors.ts";
import { encode, type Limits, LIMITS_DEFAULT } from "../../src/model/json.ts";

/** What encode makes of a value within these limits: its error code, or that it accepts it. */
const code = (value: unknown, limits: Partial<Limits>) => {
  try {
    encode(value, { ...LIMITS_DEFAULT, ...limits });
    return "accepted";
  } catch (error) {
    return error instanceof StepwellError ? error.code : error;
  }
};

it.each<[string, unknown, number]>([
  ["ASCII", "x".repeat(98), 100],
  ["two bytes each", "é".repeat(49), 100],
  ["three bytes each", "€".repeat(30), 92],
  ["four bytes each", "🚀".repeat(20), 82],
  ["escapes", "\n".repeat(49), 100],
  ["numbers", [111, 222], 9],
  ["keys", { key: 1 }, 9],
])("P11: counts bytes of UTF-8: %s", (_, value, bytes) => {
  expect(new TextEncoder().encode(encode(value).text).length).toBe(bytes);
  expect(code(value, { bytesMax: bytes })).toBe("accepted");
  expect(code(value, { bytesMax: bytes - 1 })).toBe("PAYLOAD_TOO_LARGE");
});

it.each<[string, unknown, Partial<Limits>, string]>([
  ["depth at the limit", [[[]]], { depthMax: 3 }, "accepted"],
  ["depth past it", [[[[]]]], { depthMax: 3 }, "PAYLOAD_TOO_DEEP"],
  [
    "depth through Map, Set, Error and objects",
    new Map([[1, new Set([{ e: new Error("x", { cause: [] }) }])]]),
    { depthMax: 4 },
    "PAYLOAD_TOO_DEEP",
  ],
  ["no container at all", {}, { depthMax: 0 }, "PAYLOAD_TOO_DEEP"],
  ["a text needs no depth", "x", { depthMax: 0 }, "accepted"],
  ["keys at the limit", { a: 1, b: 2 }, { keysMax: 2 }, "accepted"],
  ["keys past it", { a: 1, b: 2, c: 3 }, { keysMax: 2 }, "PAYLOAD_TOO_MANY_KEYS"],
  ["arrays have no keys", [1, 2, 3], { keysMax: 2 }, "accepted"],
  ["a long array", Array.from({ length: 101 }, () => 1), { bytesMax: 100 }, "PAYLOAD_TOO_LARGE"],
  ["many small objects", Array.from({ length: 30 }, () => ({ a: 1 })), { bytesMax: 80 }, "PAYLOAD_TOO_LARGE"],
  ["bytes", new Uint8Array(101), { bytesMax: 100 }, "PAYLOAD_TOO_LARGE"],
  ["a bigint", 10n ** 200n, { bytesMax: 100 }, "PAYLOAD_TOO_LARGE"],
  ["a message", new Error("x".repeat(101)), { bytesMax: 100 }, "PAYLOAD_TOO_LARGE"],
  ["a Map", new Map(Array.from({ length: 60 }, (_, n) => [n, "x"])), { bytesMax: 100 }, "PAYLOAD_TOO_LARGE"],
  ["a Set", new Set(Array.from({ length: 60 }, (_, n) => `${n}x`)), { bytesMax: 100 }, "PAYLOAD_TOO_LARGE"],
])("P11: %s", (_, value, limits, expected) => {
  expect(code(value, limits)).toBe(expected);
});

it("has the documented defaults", () => {
  const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
  const wide = (keys: number) => Object.fromEntries(Array.from({ length: keys }, (_, n) => [`k${n}`, 1]));
  expect([code(nested(100), {}), code(nested(101), {})]).toEqual(["accepted", "PAYLOAD_TOO_DEEP"]);
  expect([code(wide(10_000), {}), code(wide(10_001), {})]).toEqual(["accepted", "PAYLOAD_TOO_MANY_KEYS"]);
  expect([code("x".repeat(2 ** 21 - 2), {}), code("x".repeat(2 ** 21 - 1), {})]).toEqual([
    "accepted",
    "PAYLOAD_TOO_LARGE",
  ]);
});

it.each<[string, (part: unknown) => unknown]>([
  ["arrays", (part) => [part, part]],
  ["objects", (part) => ({ a: part, b: part })],
  [
    "Maps",
    (part) =>
      new Map([
        [1, part],
        [2, part],
      ]),
  ],
])("P11: ends soon on a small graph of %s that would unfold into a huge tree", (_, join) => {
  let graph: unknown = { n: 1 };
  for (let level = 0; level < 20; level += 1) graph = join(graph);
  expect(() => encode(graph)).toThrow(/^PAYLOAD_TOO_LARGE: the value at \$[.[]/);
});

it.each<[string, unknown]>([
  ["an array", Array.from({ length: 101 }, () => 1)],
  ["a Map", new Map(Array.from({ length: 51 }, (_, n) => [n, n]))],
  ["a Set", new Set(Array.from({ length: 101 }, (_, n) => n))],
  ["bytes", new Uint8Array(101)],
  ["a text", "x".repeat(101)],
  ["a bigint", 10n ** 200n],
])("P11: refuses %s by its size alone, before it is copied, and says where", (_, value) => {
  expect(() => encode({ here: value }, { ...LIMITS_DEFAULT, bytesMax: 100 })).toThrow(
    "PAYLOAD_TOO_LARGE: the value at $.here takes the payload past 100 bytes.",
  );
});
