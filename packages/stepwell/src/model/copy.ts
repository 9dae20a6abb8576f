/**
 * Copy: the walk that copies and validates a value on its way into storage.
 *
 * The hottest code of the model. An object is cloned by spread, which keeps its shape
 * and reads each accessor once, then only children that changed are written back. Neither
 * path nor ancestors are tracked on the way down: when something is refused, each level
 * adds its key while the exception passes through it. A cycle needs no bookkeeping
 * either: it runs into a limit, and the ancestors then show where it closes.
 */
import { isPermanent } from "./failure.ts";
import type { Limits } from "./limits.ts";
import { shorten } from "./plain.ts";
import { passOn, refuse, toRefusedError, type Walk } from "./refusal.ts";
import { buildError, isJsonNumber, TAG } from "./tag.ts";

/** A copy that shares nothing with its source. `tagged`: JSON.stringify alone cannot write it. */
export type Copied = { readonly value: unknown; readonly tagged: boolean };

type Fields = { [key: string]: unknown };

/**
 * Copy `value` as decode(encode(value)) would give it.
 *
 * @throws NOT_SERIALISABLE, PAYLOAD_TOO_LARGE, PAYLOAD_TOO_DEEP, PAYLOAD_TOO_MANY_KEYS
 */
export function copyValue(value: unknown, limits: Limits): Copied {
  const walk: Walk = { limits, tagged: false, bytesLeft: limits.bytesMax, refusal: null };
  try {
    return { value: copyNode(value, 0, walk), tagged: walk.tagged };
  } catch (thrown) {
    throw toRefusedError(walk, thrown);
  }
}

/** `depth`: containers around this node. */
function copyNode(value: unknown, depth: number, walk: Walk): unknown {
  switch (typeof value) {
    case "string":
      return spend(value, value.length, walk);
    case "boolean":
      return value;
    case "number":
      if (!isJsonNumber(value)) walk.tagged = true;
      return value;
    case "object":
      return value === null ? null : copyContainer(value, depth + 1, walk);
    case "undefined":
      walk.tagged = true;
      return value;
    case "bigint":
      walk.tagged = true;
      return spend(value, value.toString(16).length, walk);
    case "function":
      return refuse(walk, "NOT_SERIALISABLE", "is a function");
    case "symbol":
      return refuse(walk, "NOT_SERIALISABLE", `is a symbol, ${String(value)}`);
  }
}

function copyContainer(value: object, depth: number, walk: Walk): unknown {
  const { depthMax } = walk.limits;
  if (depth > depthMax) refuse(walk, "PAYLOAD_TOO_DEEP", `is nested more than ${depthMax} deep`, value);
  if (walk.bytesLeft < 0) spend(value, 0, walk);
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === Object.prototype) return copyObject(value as Fields, depth, walk);
  if (Array.isArray(value)) return copyArray(value, prototype, depth, walk);
  if (isPlainPrototype(prototype)) return copyObject(value as Fields, depth, walk);
  walk.tagged = true;
  return copyClass(value, prototype, depth, walk);
}

function copyObject(source: Fields, depth: number, walk: Walk): Fields {
  const copy = cloneFields(source, walk);
  const keys = Object.keys(copy);
  const { keysMax } = walk.limits;
  if (keys.length > keysMax) refuse(walk, "PAYLOAD_TOO_MANY_KEYS", `has ${keys.length} keys of at most ${keysMax}`);
  let index = 0;
  try {
    for (; index < keys.length; index += 1) {
      const key = keys[index]!;
      const child = copy[key];
      walk.bytesLeft -= key.length + 1;
      if (key === TAG) walk.tagged = true;
      const copied = copyNode(child, depth, walk);
      if (copied !== child) copy[key] = copied;
    }
  } catch (thrown) {
    throw passOn(walk, thrown, source, { kind: "key", key: keys[index]! });
  }
  return copy;
}

/** A spread defines properties, so that a key `__proto__` stays a key, and reads each accessor once. */
function cloneFields(source: Fields, walk: Walk): Fields {
  let copy: Fields;
  try {
    copy = { ...source };
  } catch (thrown) {
    const key = Object.keys(source).find((name) => throwsOnRead(source, name));
    if (key === undefined) throw thrown;
    throw passOn(walk, thrown, source, { kind: "key", key });
  }
  const symbols = Object.getOwnPropertySymbols(copy);
  if (symbols.length > 0) refuse(walk, "NOT_SERIALISABLE", `has a symbol for a key, ${String(symbols[0])}`);
  return copy;
}

function copyArray(source: readonly unknown[], prototype: object | null, depth: number, walk: Walk): unknown[] {
  if (prototype !== Array.prototype && classOf(prototype) !== "Array") refuseInstance(walk, prototype);
  const copy: unknown[] = [];
  const length = source.length;
  let index = 0;
  spend(source, length, walk);
  try {
    for (; index < length; index += 1) {
      const child = source[index];
      if (child === undefined && !(index in source)) refuse(walk, "NOT_SERIALISABLE", "is a hole in a sparse array");
      copy.push(copyNode(child, depth, walk));
    }
  } catch (thrown) {
    throw passOn(walk, thrown, source, { kind: "key", key: index });
  }
  refuseExtraKeys(source, length, walk);
  return copy;
}

/** What is neither a plain object nor an array. The class itself is accepted, not its subclasses; any Error is. */
function copyClass(value: object, prototype: object | null, depth: number, walk: Walk): unknown {
  if (prototype === Date.prototype) return new Date(Date.prototype.getTime.call(value));
  if (isError(value)) return copyError(value, depth, walk);
  const name = classOf(prototype);
  switch (`${name} ${Object.prototype.toString.call(value)}`) {
    case "Date [object Date]":
      return new Date(Date.prototype.getTime.call(value));
    case "Map [object Map]":
      return copyMap(value as ReadonlyMap<unknown, unknown>, depth, walk);
    case "Set [object Set]":
      return copySet(value as ReadonlySet<unknown>, depth, walk);
    case "Uint8Array [object Uint8Array]":
    case "Buffer [object Uint8Array]":
      return copyBytes(value as Uint8Array, walk);
    default:
      return refuseInstance(walk, prototype);
  }
}

function copyMap(source: ReadonlyMap<unknown, unknown>, depth: number, walk: Walk): Map<unknown, unknown> {
  const copy = new Map<unknown, unknown>();
  let part = "";
  spend(source, source.size * 2, walk);
  try {
    for (const [key, value] of Map.prototype.entries.call(source)) {
      part = `.keys()[${copy.size}]`;
      const copiedKey = copyNode(key, depth, walk);
      part = typeof key === "object" ? `.values()[${copy.size}]` : `.get(${shorten(shownKey(key), 50)})`;
      copy.set(copiedKey, copyNode(value, depth, walk));
    }
  } catch (thrown) {
    throw passOn(walk, thrown, source, { kind: "text", text: part });
  }
  return copy;
}

function copySet(source: ReadonlySet<unknown>, depth: number, walk: Walk): Set<unknown> {
  const copy = new Set<unknown>();
  spend(source, source.size, walk);
  try {
    for (const item of Set.prototype.values.call(source)) copy.add(copyNode(item, depth, walk));
  } catch (thrown) {
    throw passOn(walk, thrown, source, { kind: "text", text: `.values()[${copy.size}]` });
  }
  return copy;
}

function copyBytes(source: Uint8Array, walk: Walk): Uint8Array {
  spend(source, source.byteLength, walk);
  return new Uint8Array(source);
}

/** The class is kept by name for our own errors, see failure.ts; own enumerable fields and `errors` come along. */
function copyError(source: Error, depth: number, walk: Walk): Error {
  const { name, message }: { name: unknown; message: unknown } = source;
  const text = typeof message === "string" ? message : "";
  const fields = cloneFields(source as unknown as Fields, walk);
  for (const key of ["name", "message", "stack", "cause"]) delete fields[key];
  if (Object.hasOwn(source, "errors")) fields["errors"] = Reflect.get(source, "errors");
  let part = ".cause";
  try {
    const cause = Object.hasOwn(source, "cause") ? { cause: copyNode(source.cause, depth, walk) } : {};
    part = "";
    return buildError({
      name: typeof name === "string" ? name : "Error",
      message: spend(text, text.length, walk),
      permanent: isPermanent(source),
      fields: copyObject(fields, depth, walk),
      ...cause,
    });
  } catch (thrown) {
    throw passOn(walk, thrown, source, { kind: "text", text: part });
  }
}

/** `value`, having spent at least `bytes` of what the payload may take. */
function spend<T>(value: T, bytes: number, walk: Walk): T {
  walk.bytesLeft -= bytes;
  if (walk.bytesLeft < 0) refuse(walk, "PAYLOAD_TOO_LARGE", `takes the payload past ${walk.limits.bytesMax} bytes`);
  return value;
}

function refuseInstance(walk: Walk, prototype: object | null): never {
  const name = classOf(prototype);
  const hint = name === "Promise" ? "; await it first" : "";
  refuse(walk, "NOT_SERIALISABLE", `is an instance of ${name === "" ? "a class without name" : name}${hint}`);
}

/** A result of `text.match` is an array with fields; JSON would drop them without a word. */
function refuseExtraKeys(source: readonly unknown[], length: number, walk: Walk): void {
  const keys = Object.keys(source);
  const extra = keys[length];
  if (extra === undefined) return;
  refuse(walk, "NOT_SERIALISABLE", `is an array with a field of its own, "${shorten(extra, 50)}"`);
}

/** Object.prototype of this realm or another one, or none. */
function isPlainPrototype(prototype: object | null): boolean {
  return prototype === null || (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "isPrototypeOf"));
}

function isError(value: object): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === "[object Error]";
}

/** Name of the class that a prototype belongs to; the same in every realm. */
function classOf(prototype: object | null): string {
  const found: unknown = Object.getOwnPropertyDescriptor(prototype ?? {}, "constructor")?.value;
  const name: unknown = typeof found === "function" ? found.name : "";
  return typeof name === "string" ? shorten(name, 100) : "";
}

function throwsOnRead(source: object, key: string): boolean {
  try {
    Reflect.get(source, key);
    return false;
  } catch {
    return true;
  }
}

function shownKey(key: unknown): string {
  return typeof key === "string" ? JSON.stringify(key) : String(key);
}
