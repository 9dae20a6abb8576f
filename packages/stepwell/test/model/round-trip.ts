/** What must be true of every value that the codec accepts, for the tests of json.ts. */
import { inspect, isDeepStrictEqual } from "node:util";
import { expect } from "vitest";
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
  expect(account(decoded)).toBe(account(copy));
  if (KNOWS_ALIKE_KEYS) expect(isDeepStrictEqual(decoded, copy)).toBe(true);
  expect(encode(copy).text).toBe(text);
  expect(text.isWellFormed() && !text.includes("\u0000")).toBe(true);
  return copy;
}

function alikeKeys(): Map<object, number> {
  return new Map([
    [{}, 1],
    [{}, 2],
  ]);
}
