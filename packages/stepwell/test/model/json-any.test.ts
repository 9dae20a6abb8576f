/** The codec against values that nobody thought of: round trips, hostile values, hostile texts (P2, F23). */
import fc from "fast-check";
import { describe, it } from "vitest";
import {
  COPY_IS_REPLAYED,
  DECODED_OR_REFUSED,
  FAITHFUL_OR_REFUSED,
  NOTHING_IS_LOST,
  TRAPS_ARE_REFUSED,
} from "./payload-properties.ts";

/** Cases of each property in the ordinary run; `npm run check:deep` tries twenty times as many. */
const CASES = { numRuns: 5_000 };

/** Seconds on a slow machine, where an ordinary test takes milliseconds. */
const SLOW = { timeout: 60_000 };

describe("any value", () => {
  it("P2, F23: the copy is what the text decodes to, and is stored as the same text", SLOW, () => {
    fc.assert(COPY_IS_REPLAYED, CASES);
  });

  it("P2: plain and tagged values lose nothing", SLOW, () => {
    fc.assert(NOTHING_IS_LOST, CASES);
  });

  it("F23: hostile values are stored faithfully or refused with a path, never half", SLOW, () => {
    fc.assert(FAITHFUL_OR_REFUSED, CASES);
  });

  it("F23: accessors that throw, cycles and functions are refused with a path, wherever they hide", SLOW, () => {
    fc.assert(TRAPS_ARE_REFUSED, CASES);
  });

  it("decodes or refuses any text with a code", SLOW, () => {
    fc.assert(DECODED_OR_REFUSED, CASES);
  });
});
