/** What must be true of every value that the codec accepts; for the tests of json.ts and for the deep check of the codec. */
import assert from "node:assert/strict";
import { inspect, isDeepStrictEqual } from "node:util";
import { decode, encode } from "../../src/model/json.ts";

/** Types, order of keys, −0, prototypes and all: an account of a value that shares no code with the codec. */
export const account = (value: unknown): string =>
  inspect(value, {
    depth: Infinity,
    maxArrayLength: null,
    maxStringLength: null,
    breakLength: Infinity,
    showProxy: false,
  });

/** Bun 1.4 takes two such Maps for unequal; there the accounts must do. */
const KNOWS_ALIKE_KEYS = isDeepStrictEqual(alikeKeys(), alikeKeys());

/** Encode, and hold everything that must be true of the result. */
export function roundTrip<T>(value: T): T {
  const { text, value: copy } = encode(value);
  const decoded = decode(text);
  assert.equal(account(decoded), account(copy));
  if (KNOWS_ALIKE_KEYS) assert.deepStrictEqual(decoded, copy);
  assert.equal(encode(copy).text, text);
  assert.ok(text.isWellFormed() && !text.includes("\u0000"), "the text cannot be stored as UTF-8");
  return copy;
}

function alikeKeys(): Map<object, number> {
  return new Map([
    [{}, 1],
    [{}, 2],
  ]);
}
