/**
 * Properties of the codec over values that nobody thought of: round trips, hostile values, hostile texts (P2, F23).
 * The ordinary tests try thousands of cases, the deep check of the codec hundreds of thousands.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { StepwellError } from "../../src/model/errors.ts";
import { decode, encode } from "../../src/model/json.ts";
import { account, roundTrip } from "./round-trip.ts";

/** Texts with what databases and JSON stumble over. */
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
const { lossless } = fc.letrec((tie) => ({
  lossless: fc.oneof({ maxDepth: 4 }, leaf, tie("list"), tie("object"), tie("map")),
  list: fc.array(tie("lossless"), { maxLength: 4 }),
  object: fc.dictionary(key, tie("lossless"), { maxKeys: 4, noNullPrototype: true }),
  map: fc.array(fc.tuple(tie("lossless"), tie("lossless")), { maxLength: 3 }).map((entries) => new Map(entries)),
}));
const tag = fc.record({
  $sw: fc.oneof(
    fc.constantFrom("undefined", "number", "bigint", "date", "map", "set", "bytes", "error", "entries"),
    fc.string(),
  ),
  value: fc.jsonValue(),
});

/** Any value that the codec accepts. */
export const ANY_VALUE: fc.Arbitrary<unknown> = value;

/** The first value is the replayed one: the copy is what the text decodes to, and is stored as the same text. */
export const COPY_IS_REPLAYED: fc.IProperty<[unknown]> = fc.property(value, (any) => {
  roundTrip(any);
});

/** Plain and tagged values lose nothing. */
export const NOTHING_IS_LOST: fc.IProperty<[unknown]> = fc.property(lossless, (any) => {
  assert.equal(account(roundTrip(any)), account(any));
});

/** Hostile values are stored faithfully or refused with a path. */
export const FAITHFUL_OR_REFUSED: fc.IProperty<[unknown]> = fc.property(fc.oneof(hostile, wrapped), (any) => {
  try {
    roundTrip(any);
  } catch (error) {
    expectRefused(error);
  }
});

/** Any text is decoded or refused with a code. */
export const DECODED_OR_REFUSED: fc.IProperty<[string]> = fc.property(
  fc.oneof(
    fc.string(),
    fc.json(),
    tag.map((any) => JSON.stringify([any])),
  ),
  (any) => {
    try {
      encode(decode(any));
    } catch (error) {
      if (!(error instanceof StepwellError)) throw error;
      assert.equal(error.code, "PAYLOAD_CORRUPT");
    }
  },
);

/** Anything put deep inside an accepted value: an accessor that throws, a cycle, a proxy that is gone, a function. */
export const TRAPS_ARE_REFUSED: fc.IProperty<[unknown, string, number, string]> = fc.property(
  value,
  key,
  fc.nat(6),
  fc.constantFrom(...Object.keys(trapsAt())),
  (any, name, depth, kind) => {
    const root: Record<string, unknown> = { any };
    let place = root;
    for (let level = 0; level < depth; level += 1) place = place["next"] = { level };
    Object.defineProperty(place, name, { ...trapsAt()[kind]!(root), enumerable: true });
    assert.throws(
      () => encode(root),
      (error) => {
        expectRefused(error);
        return true;
      },
    );
  },
);

function trapsAt(): Readonly<Record<string, (root: object) => PropertyDescriptor>> {
  return {
    "an accessor that throws": () => ({
      get: () => {
        throw new TypeError("no");
      },
    }),
    "a cycle": (root) => ({ value: root }),
    "a cycle through a Map": (root) => ({ value: new Map([[root, [root]]]) }),
    "a proxy that is gone": () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return { value: proxy };
    },
    "a function": () => ({ value: () => 1 }),
  };
}

/** With a path, so that the place can be found. */
function expectRefused(error: unknown): void {
  if (!(error instanceof StepwellError)) throw error;
  assert.equal(error.code, "NOT_SERIALISABLE");
  assert.match(String(error.details["path"]), /^\$/);
}
