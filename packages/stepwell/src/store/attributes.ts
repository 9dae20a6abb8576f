/**
 * Attributes: what a run can be found by, entry by entry as stores look it up.
 */
import { StepwellError } from "../model/errors.ts";
import type { Attributes } from "../model/run.ts";

/** Of a run that has none. */
const NO_ATTRIBUTES: Attributes = Object.freeze({});

/** The attributes of a run, from their text. */
export function toAttributes(text: string | null): Attributes {
  return text === null ? NO_ATTRIBUTES : (JSON.parse(text) as Attributes);
}

/**
 * Each value as JSON, as a filter spells it.
 *
 * @throws STORE_WRITE_REFUSED, or JSON's own error, for a text that holds no attributes
 */
export function attributeEntries(text: string | null): readonly (readonly [name: string, value: string])[] {
  const attributes: unknown = toAttributes(text);
  const isObject = typeof attributes === "object" && attributes !== null && !Array.isArray(attributes);
  if (!isObject) throw new StepwellError("STORE_WRITE_REFUSED", "search attributes are not an object");
  return Object.entries(attributes).map(([name, value]) => {
    if (["string", "number", "boolean"].includes(typeof value)) return [name, JSON.stringify(value)];
    throw new StepwellError("STORE_WRITE_REFUSED", `search attribute "${name}" is not a text, number or boolean`);
  });
}
