/**
 * Input factories: inputs for tests that name only what the test is about.
 *
 *     const anOrder = inputFactory(({ seq }) => ({ id: `order:${seq}`, cents: 500, customer: { name: "Kim", vip: false } }));
 *     anOrder({ customer: { vip: true } });
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type Dice, openDice } from "../../model/dice.ts";
import { StepwellError } from "../../model/errors.ts";
import { checkKeys } from "../../model/options.ts";
import { issuesText, toIssues } from "../../model/schema.ts";
import { refusal } from "./refusal.ts";

/** What defaults may be made of: a number that counts, and dice that fall the same in every run of the tests. */
export type Seeded = Pick<Dice, "integer" | "pick" | "chance" | "uuid"> & {
  /** Counts the inputs of this factory, from 1. */
  readonly seq: number;
};

/** Any part of `T`, at any depth. Arrays, dates and the like are replaced as a whole. */
export type PartOf<T> = T extends readonly unknown[] | Date | Map<unknown, unknown> | Set<unknown> | Uint8Array
  ? T
  : T extends object
    ? { readonly [K in keyof T]?: PartOf<T[K]> | undefined }
    : T;

/** Makes inputs: one, or several. */
export type InputFactory<T> = ((part?: PartOf<T>) => T) & {
  /** `count` inputs, each with its own number. `part` may depend on the index, from 0. */
  readonly many: (count: number, part?: PartOf<T> | ((index: number) => PartOf<T>)) => T[];
};

/** Options of {@link inputFactory}. */
export type InputFactoryOptions = {
  /** Checks every input: one that does not fit fails the test where it is made. Must validate synchronously. */
  readonly schema?: StandardSchemaV1;
  /** Other dice. */
  readonly seed?: string;
};

/**
 * Make a factory.
 *
 * @param defaults a whole valid input, or how to make one
 */
export function inputFactory<T extends object>(
  defaults: T | ((seeded: Seeded) => T),
  options: InputFactoryOptions = {},
): InputFactory<T> {
  checkKeys("options of inputFactory", options, ["schema", "seed"]);
  const dice = openDice(options.seed ?? "inputs");
  let count = 0;
  const make = (part?: PartOf<T>): T => {
    count += 1;
    const whole = typeof defaults === "function" ? defaults({ ...dice.split(String(count)), seq: count }) : defaults;
    const input = merge(whole, part) as T;
    if (options.schema !== undefined) check(options.schema, input);
    return input;
  };
  const many: InputFactory<T>["many"] = (count, part) => {
    const partOf = typeof part === "function" ? (part as (index: number) => PartOf<T>) : () => part;
    return Array.from({ length: count }, (_input, index) => make(partOf(index)));
  };
  return Object.assign(make, { many });
}

/** A copy in which `part` wins. A part that is given as undefined counts: it tests what is missing. */
function merge(whole: unknown, part: unknown): unknown {
  if (!isPlainObject(whole)) return structuredClone(part === undefined ? whole : part);
  if (part === undefined) return mergeFields(whole, {});
  return isPlainObject(part) ? mergeFields(whole, part) : structuredClone(part);
}

function mergeFields(whole: Fields, part: Fields): Fields {
  const keys = [...new Set([...Object.keys(whole), ...Object.keys(part)])];
  return Object.fromEntries(
    keys.map((key) => [key, key in part && part[key] === undefined ? undefined : merge(whole[key], part[key])]),
  );
}

type Fields = Readonly<Record<string, unknown>>;

function isPlainObject(value: unknown): value is Fields {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function check(schema: StandardSchemaV1, input: unknown): void {
  const result = schema["~standard"].validate(input);
  if (result instanceof Promise) {
    throw new StepwellError("OPTION_INVALID", "the schema of an inputFactory validates asynchronously.");
  }
  if (result.issues === undefined) return;
  throw refusal(`this input does not fit its schema: ${issuesText(toIssues(result.issues))}.`);
}
