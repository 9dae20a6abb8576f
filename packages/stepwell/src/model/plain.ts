/**
 * Plain: bounded copies of untrusted things, for what is stored beside an error.
 *
 * Plain JSON is null, booleans, finite numbers, texts, arrays and plain objects whose keys
 * need no escape.
 * The codec of payloads (json.ts) takes more and refuses loudly; this never throws.
 */

/** A copy and its JSON text, or why there is none. */
export type PlainCopy =
  | { readonly ok: true; readonly value: unknown; readonly text: string }
  | { readonly ok: false; readonly why: string };

const DEPTH_MAX = 32;

/** Room for "… [n more characters]". */
const NOTE_LENGTH_MAX = 40;

/**
 * Copy `value` if it is plain JSON of at most `lengthMax` characters. Properties that
 * are undefined are left out, as JSON does. Never throws.
 */
export function copyPlain(value: unknown, lengthMax: number): PlainCopy {
  const budget = { left: lengthMax };
  try {
    const copy = copyNode(value, budget, 0);
    const text = copy === undefined ? "" : JSON.stringify(copy);
    if (budget.left < 0 || text.length > lengthMax) return { ok: false, why: `longer than ${lengthMax} characters` };
    return copy === undefined ? { ok: false, why: "not plain JSON" } : { ok: true, value: copy, text };
  } catch {
    return { ok: false, why: "reading it threw" };
  }
}

/** `text`, or its beginning and how much is missing: at most `lengthMax` (≥ 50) code units, no surrogate cut off. */
export function shorten(text: string, lengthMax: number): string {
  if (text.length <= lengthMax) return text;
  const end = lengthMax - NOTE_LENGTH_MAX;
  const head = text.slice(0, /[\uD800-\uDBFF]/.test(text.charAt(end - 1)) ? end - 1 : end);
  return `${head}… [${text.length - head.length} more characters]`;
}

/** Any value in a few words, for an error that complains about it. Never throws, whatever its `toString` does. */
export function showValue(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(shorten(value, 100));
    case "object":
      return value === null ? "null" : "an object";
    case "function":
      return "a function";
    default:
      return String(value);
  }
}

/**
 * Whether JSON writes this key with an escape. Such keys are kept out of stored text: JSON.parse
 * of V8 in Node 24 and 26 may take one for another key (github.com/nodejs/node/issues/63785).
 * Also true for DEL and the C1 controls, which JSON does not escape.
 */
export function isEscapedKey(key: string): boolean {
  return /["\\\p{Cc}\p{Cs}]/u.test(key);
}

/** Undefined: not plain, or the budget is used up (its `left` is then below 0). */
function copyNode(value: unknown, budget: { left: number }, depth: number): unknown {
  budget.left -= 1;
  if (budget.left < 0 || depth > DEPTH_MAX) return undefined;
  switch (typeof value) {
    case "string":
      budget.left -= value.length;
      return value;
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value + 0 : undefined;
    case "object":
      if (value === null) return null;
      return Array.isArray(value) ? copyArray(value, budget, depth) : copyObject(value, budget, depth);
    default:
      return undefined;
  }
}

function copyArray(source: readonly unknown[], budget: { left: number }, depth: number): unknown[] | undefined {
  const copy: unknown[] = [];
  for (let index = 0; index < source.length; index += 1) {
    const child = copyNode(source[index], budget, depth + 1);
    if (child === undefined) return undefined;
    copy.push(child);
  }
  return copy;
}

function copyObject(source: object, budget: { left: number }, depth: number): object | undefined {
  const prototype: unknown = Object.getPrototypeOf(source);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return undefined;
  const entries: [string, unknown][] = [];
  for (const key of Object.keys(source)) {
    const value: unknown = Reflect.get(source, key);
    if (value === undefined) continue;
    const child = copyNode(value, budget, depth + 1);
    if (child === undefined || isEscapedKey(key)) return undefined;
    budget.left -= key.length;
    entries.push([key, child]);
  }
  return Object.fromEntries(entries);
}
