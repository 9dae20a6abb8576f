/**
 * Tag: how values that JSON has no form for are written in it.
 *
 *     { "$sw": "date", "value": "2026-01-31T00:00:00.000Z" }
 *
 * | tag       | value                                                    |
 * | --------- | -------------------------------------------------------- |
 * | undefined | absent                                                   |
 * | number    | "NaN", "Infinity", "-Infinity" or "-0"                   |
 * | bigint    | decimal digits                                           |
 * | date      | ISO 8601 in UTC; null for an invalid date                |
 * | map       | array of [key, value]                                    |
 * | set       | array                                                    |
 * | bytes     | base64                                                   |
 * | error     | name, message, permanent?, cause?, own: its own fields   |
 * | entries   | a plain object with a special key: array of [key, value] |
 *
 * Special are the key "$sw" and every key that JSON would escape, see isEscapedKey.
 * Works on the copies that copy.ts makes: nothing here checks or calls foreign code.
 */
import { StepwellError } from "./codes.ts";
import { isPermanent, reviveError } from "./failure.ts";
import { isEscapedKey, shorten } from "./plain.ts";

/** The key that marks a tag. */
export const TAG = "$sw";

/** Occurs in every text that holds a tag. */
export const TAG_MARK = '"$sw":';

/** What most steps without a result store. */
export const UNDEFINED_TEXT = '{"$sw":"undefined"}';

/** The numbers that JSON cannot write, as texts. */
const NUMBERS: ReadonlySet<string> = new Set(["NaN", "Infinity", "-Infinity", "-0"]);

type Json = { [key: string]: unknown };

/** Order of the keys of plain objects: as they are, or sorted with undefined properties left out. */
export type KeyOrder = "kept" | "sorted";

/** A tree for JSON.stringify; `value` is not changed. */
export function toTagged(value: unknown, order: KeyOrder): unknown {
  switch (typeof value) {
    case "undefined":
      return { [TAG]: "undefined" };
    case "number":
      return isJsonNumber(value) ? value : { [TAG]: "number", value: Object.is(value, -0) ? "-0" : String(value) };
    case "bigint":
      return { [TAG]: "bigint", value: String(value) };
    case "object":
      return value === null ? null : containerToTagged(value, order);
    default:
      return value;
  }
}

/** Whether JSON writes and reads this number unchanged. */
export function isJsonNumber(value: number): boolean {
  return Number.isFinite(value) && (value !== 0 || 1 / value > 0);
}

/** Whether an object inside a value without tags has a special key. */
export function hasSpecialKey(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(hasSpecialKey);
  return Object.keys(value).some(isSpecial) || Object.values(value).some(hasSpecialKey);
}

/** Rebuild values from a freshly parsed tree, which is used up; PAYLOAD_CORRUPT for an unknown or malformed tag. */
export function fromTagged(node: unknown): unknown {
  if (typeof node !== "object" || node === null) return node;
  if (Array.isArray(node)) return reviveItems(node);
  return Object.hasOwn(node, TAG) ? reviveTag(node as Json) : reviveProperties(node as Json);
}

function containerToTagged(value: object, order: KeyOrder): unknown {
  if (Array.isArray(value)) return value.map((item) => toTagged(item, order));
  if (Object.getPrototypeOf(value) === Object.prototype) return objectToTagged(value as Json, order);
  if (value instanceof Date) return { [TAG]: "date", value: isNaN(Number(value)) ? null : value.toISOString() };
  if (value instanceof Map) return { [TAG]: "map", value: toTagged([...value], order) };
  if (value instanceof Set) return { [TAG]: "set", value: toTagged([...value], order) };
  if (value instanceof Uint8Array) return { [TAG]: "bytes", value: toBase64(value) };
  return { [TAG]: "error", value: errorToTagged(value as Error, order) };
}

function objectToTagged(source: Json, order: KeyOrder): Json {
  const keys = keysOf(source, order);
  if (keys.some(isSpecial)) return { [TAG]: "entries", value: keys.map((key) => [key, toTagged(source[key], order)]) };
  if (order === "sorted") return Object.fromEntries(keys.map((key) => [key, toTagged(source[key], order)]));
  const copy = { ...source };
  for (const key of keys) {
    const value = copy[key];
    if (typeof value !== "string") copy[key] = toTagged(value, order);
  }
  return copy;
}

function keysOf(source: Json, order: KeyOrder): string[] {
  const keys = Object.keys(source);
  return order === "kept" ? keys : keys.filter((key) => source[key] !== undefined).toSorted();
}

function isSpecial(key: string): boolean {
  return key === TAG || isEscapedKey(key);
}

function errorToTagged(error: Error, order: KeyOrder): Json {
  const permanent = isPermanent(error) && error.name !== "PermanentError";
  return {
    name: error.name,
    message: error.message,
    ...(permanent ? { permanent } : {}),
    ...(Object.hasOwn(error, "cause") ? { cause: toTagged(error.cause, order) } : {}),
    own: objectToTagged(Object.fromEntries(Object.entries(error)), order),
  };
}

function reviveItems(items: unknown[]): unknown[] {
  for (let index = 0; index < items.length; index += 1) items[index] = fromTagged(items[index]);
  return items;
}

/** Assigning to an own `__proto__` sets the property; JSON.parse made it an own one. */
function reviveProperties(node: Json): Json {
  for (const key of Object.keys(node)) {
    const child = node[key];
    if (typeof child === "object" && child !== null) node[key] = fromTagged(child);
  }
  return node;
}

function reviveTag(node: Json): unknown {
  const { [TAG]: tag, value } = node;
  if (tag === "undefined") return undefined;
  if (tag === "number" && typeof value === "string" && NUMBERS.has(value)) return Number(value);
  if (tag === "bigint" && typeof value === "string") return BigInt(value);
  if (tag === "date" && (typeof value === "string" || value === null)) return reviveDate(value);
  if (tag === "map" && Array.isArray(value)) return new Map(reviveItems(value) as [unknown, unknown][]);
  if (tag === "set" && Array.isArray(value)) return new Set(reviveItems(value));
  if (tag === "entries" && Array.isArray(value)) return Object.fromEntries(reviveItems(value) as [string, unknown][]);
  if (tag === "bytes" && typeof value === "string") return fromBase64(value);
  if (tag === "error" && typeof value === "object" && value !== null) return reviveErrorTag(value as Json);
  throw corrupt(tag);
}

function reviveDate(value: string | null): Date {
  const date = new Date(value ?? Number.NaN);
  if (value !== null && Number.isNaN(date.getTime())) throw corrupt("date");
  return date;
}

function reviveErrorTag({ name, message, permanent = false, cause, own }: Json): Error {
  if (typeof name !== "string" || typeof message !== "string") throw corrupt("error");
  const fields = fromTagged(own);
  if (typeof fields !== "object" || fields === null) throw corrupt("error");
  const parts = { name, message, permanent: permanent === true, fields: fields as Json };
  return buildError(cause === undefined ? parts : { ...parts, cause: fromTagged(cause) });
}

/** What of an error is stored: `cause` only if it has one of its own, `fields` are its own enumerable properties. */
export type ErrorParts = {
  readonly name: string;
  readonly message: string;
  readonly permanent: boolean;
  readonly fields: Readonly<Json>;
  readonly cause?: unknown;
};

/** The error of these parts; copy.ts and the decoder share it, so that both give the same. */
export function buildError(parts: ErrorParts): Error {
  const error = reviveError(parts.name, parts.message, parts.permanent);
  if ("cause" in parts) {
    Object.defineProperty(error, "cause", { value: parts.cause, writable: true, configurable: true });
  }
  for (const [key, value] of Object.entries(parts.fields)) {
    Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: true });
  }
  return error;
}

/** In pieces: an argument list has a limit. */
function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let start = 0; start < bytes.length; start += 8_192) {
    binary += String.fromCharCode(...bytes.subarray(start, start + 8_192));
  }
  return btoa(binary);
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function corrupt(tag: unknown): StepwellError {
  return new StepwellError("PAYLOAD_CORRUPT", `stored text holds a malformed tag ${shorten(JSON.stringify(tag), 100)}`);
}
