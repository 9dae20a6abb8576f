/**
 * Attributes: what a run can be found by. Small scalars by name, so that an index of
 * them stays small; everything else belongs into the run's input, output or progress.
 */
import { StepwellError } from "./codes.ts";
import type { Attributes, AttributeValue } from "./run.ts";

/** Attributes of one run at most. */
export const ATTRIBUTES_MAX = 32;

/** Longest text, in UTF-16 code units. */
export const ATTRIBUTE_LENGTH_MAX = 256;

/** Where most attributes come from. */
const SET = "ctx.set";

const NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

/** What `ctx.set` takes: null removes a name. */
export type AttributeChanges = { readonly [name: string]: AttributeValue | null };

/**
 * Lay `changes` over `attributes`.
 *
 * @throws ATTRIBUTE_INVALID for a name or value that is not stored, and when the result has too many names
 */
export function changeAttributes(attributes: Attributes, changes: AttributeChanges): Attributes {
  if (typeof changes !== "object" || changes === null || Array.isArray(changes)) {
    throw invalid("the attributes must be an object of names and values");
  }
  for (const [name, value] of Object.entries(changes)) checkEntry(name, value);
  const kept = Object.entries({ ...attributes, ...changes }).filter(([, value]) => value !== null);
  if (kept.length > ATTRIBUTES_MAX) {
    throw invalid(`${kept.length} names are more than the ${ATTRIBUTES_MAX} of one run`);
  }
  return Object.fromEntries(kept) as Attributes;
}

/**
 * What a search asks for: each value as JSON, which is how a store keeps it.
 *
 * @param where names the place in the error
 * @throws ATTRIBUTE_INVALID for a name or value that no run can have
 */
export function attributeTexts(where: string, wanted: Attributes): { readonly [name: string]: string } {
  if (typeof wanted !== "object" || wanted === null || Array.isArray(wanted)) {
    throw invalid("the attributes must be an object of names and values", where);
  }
  const entries = Object.entries(wanted);
  for (const [name, value] of entries) {
    checkEntry(name, value, where);
    if (value === null) throw invalid(`"${name}" is null, which no run has`, where);
  }
  return Object.fromEntries(entries.map(([name, value]) => [name, JSON.stringify(value)]));
}

function checkEntry(name: string, value: unknown, where: string = SET): void {
  if (!NAME.test(name)) throw invalid(`${JSON.stringify(name.slice(0, 80))} is no name of an attribute`, where);
  if (value === null || typeof value === "boolean" || Number.isFinite(value)) return;
  if (typeof value !== "string") {
    throw invalid(`"${name}" is neither a text, a finite number, true, false nor null`, where);
  }
  if (!value.isWellFormed()) throw invalid(`the text of "${name}" holds half a character (a lone surrogate)`, where);
  if (value.length <= ATTRIBUTE_LENGTH_MAX) return;
  throw invalid(`the text of "${name}" has ${value.length} characters of at most ${ATTRIBUTE_LENGTH_MAX}`, where);
}

function invalid(what: string, where: string = SET): StepwellError {
  return new StepwellError("ATTRIBUTE_INVALID", `${where}: ${what}`);
}
