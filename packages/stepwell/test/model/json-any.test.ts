/** The codec against values that nobody thought of: round trips, hostile values, hostile texts (P2, F23). */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StepwellError } from "../../src/model/errors.ts";
import { decode, encode } from "../../src/model/json.ts";
import { account, roundTrip } from "./round-trip.ts";

/** Cases of each property in the ordinary run. */
const RUNS = 5_000;

/** Seconds on a slow machine, where an ordinary test takes milliseconds. */
const SLOW = { timeout: 60_000 };

describe("any value", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.constantFrom("\u0000", "\ud800", "\udfff", '"$sw":', "$sw"),
  );
  const key = fc.oneof(
    text,
    fc.constantFrom("__proto__", "constructor", "toJSON", "length", "$sw", "value", "0", "10", "-1"),
  );
  const number = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(Number.NaN, -0, Infinity, -Infinity, 2 ** 53));
  const leaf = fc.oneof(
    text,
    number,
    fc.bigInt(),
    fc.boolean(),
    fc.constantFrom(null, undefined),
    fc.date({ noInvalidDate: false }),
    fc.uint8Array({ maxLength: 20 }),
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, leaf, tie("list"), tie("object"), tie("map"), tie("set"), tie("error")),
    list: fc.array(tie("value"), { maxLength: 4 }),
    object: fc.dictionary(key, tie("value"), { maxKeys: 4 }),
    map: fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 3 }).map((entries) => new Map(entries)),
    set: fc.array(tie("value"), { maxLength: 3 }).map((items) => new Set(items)),
    error: fc
      .tuple(
        fc.constantFrom("Error", "TypeError", "PermanentError", "RetryableError", "Own"),
        text,
        fc.dictionary(key, tie("value"), { maxKeys: 3 }),
      )
      .map(([name, message, fields]) =>
        Object.defineProperties(new Error(message), {
          ...Object.getOwnPropertyDescriptors(fields),
          name: { value: name },
        }),
      ),
  }));

  it("P2, F23: the copy is what the text decodes to, and is stored as the same text", SLOW, () => {
    fc.assert(
      fc.property(value, (any) => {
        expect(() => roundTrip(any)).not.toThrow();
      }),
      { numRuns: RUNS },
    );
  });

  it("P2: plain and tagged values lose nothing", SLOW, () => {
    const { lossless } = fc.letrec((tie) => ({
      lossless: fc.oneof({ maxDepth: 4 }, leaf, tie("list"), tie("object"), tie("map")),
      list: fc.array(tie("lossless"), { maxLength: 4 }),
      object: fc.dictionary(key, tie("lossless"), { maxKeys: 4, noNullPrototype: true }),
      map: fc.array(fc.tuple(tie("lossless"), tie("lossless")), { maxLength: 3 }).map((entries) => new Map(entries)),
    }));
    fc.assert(
      fc.property(lossless, (any) => {
        expect(account(roundTrip(any))).toBe(account(any));
      }),
      { numRuns: RUNS },
    );
  });

  it("F23: hostile values are stored faithfully or refused with a path, never half", SLOW, () => {
    const hostile = fc.oneof(
      fc.anything({
        withBigInt: true,
        withBoxedValues: true,
        withDate: true,
        withMap: true,
        withSet: true,
        withNullPrototype: true,
        withObjectString: true,
        withSparseArray: true,
        withTypedArray: true,
        stringUnit: "binary",
        key,
      }),
      fc.constantFrom<unknown>(
        Symbol("s"),
        () => 1,
        Promise.resolve(),
        new WeakMap(),
        /x/,
        new URL("http://a"),
        Buffer.from("b"),
        globalThis,
      ),
    );
    const wrapped = fc.tuple(key, hostile, hostile).map(([name, a, b]) => ({ [name]: [a, { b }] }));
    fc.assert(
      fc.property(fc.oneof(hostile, wrapped), (any) => {
        try {
          roundTrip(any);
        } catch (error) {
          if (!(error instanceof StepwellError)) throw error;
          expect(error.code).toBe("NOT_SERIALISABLE");
          expect(error.details["path"]).toMatch(/^\$/);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it("decodes or refuses any text with a code", SLOW, () => {
    const tag = fc.record({
      $sw: fc.oneof(
        fc.constantFrom("undefined", "number", "bigint", "date", "map", "set", "bytes", "error", "entries"),
        fc.string(),
      ),
      value: fc.jsonValue(),
    });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          tag.map((any) => JSON.stringify([any])),
        ),
        (any) => {
          try {
            encode(decode(any));
          } catch (error) {
            expect(error).toMatchObject({ code: "PAYLOAD_CORRUPT" });
          }
        },
      ),
      { numRuns: RUNS },
    );
  });
});
