/**
 * Canonical: one text for all inputs that mean the same, to tell a repeated start from a conflict.
 *
 * As json.ts, but keys are sorted by code unit and properties that are undefined are left
 * out: `{ a: 1 }` and `{ b: undefined, a: 1 }` are one input. The order of arrays, Maps and
 * Sets counts. The text is hashed, never decoded.
 */
import { copyValue } from "./copy.ts";
import { LIMITS_DEFAULT, type Limits } from "./limits.ts";
import { toTagged } from "./tag.ts";

/** The canonical text of `value`; refuses what `encode` refuses. */
export function canonicalText(value: unknown, limits: Limits = LIMITS_DEFAULT): string {
  return JSON.stringify(toTagged(copyValue(value, limits).value, "sorted"));
}
