/**
 * Key: a step's identity inside its run, as text.
 *
 *     "charge"            charge
 *     ["ship", "a/b", 7]  ship/a%2Fb/7
 *
 * "/" and "%" inside a part are escaped, so that no two names give one key.
 * Keys that begin with "@" are the engine's own. A scope puts its prefix, which ends with "/", before all of them.
 */
import { showValue } from "./plain.ts";
import { StepwellError } from "./codes.ts";

/** What a step is called: a text, or a text and the parts that tell items apart. */
export type StepName = string | readonly [string, ...(string | number)[]];

/** Longest key, in UTF-16 code units after escaping: it is part of an index. */
export const KEY_LENGTH_MAX = 200;

const SLASH = 47;
const PERCENT = 37;

/**
 * The key of a step's name.
 *
 * @param where names the place in the error, as "ctx.step"
 * @throws STEP_NAME_INVALID
 */
export function stepKey(name: StepName, where = "step"): string {
  if (typeof name === "string" && isPlain(name)) return name;
  const parts: readonly unknown[] = Array.isArray(name) ? name : [name];
  if (typeof parts[0] !== "string") throw invalid(where, `does not begin with a text but with ${typeof parts[0]}`);
  const key = parts.map((part) => escapePart(part, where)).join("/");
  if (key.startsWith("@")) throw invalid(where, `${show(key)} begins with @, which is the engine's own`);
  return checkKey(key, where);
}

/**
 * The key of a name within a scope.
 *
 * @param prefix of the scope: "", or ends with "/"
 * @throws STEP_NAME_INVALID, also when both together are too long
 */
export function scopedKey(prefix: string, name: StepName): string {
  const key = stepKey(name);
  return prefix === "" ? key : checkKey(prefix + key);
}

/**
 * A key made of parts that are keys already.
 *
 * @throws STEP_NAME_INVALID when it is too long
 */
export function checkKey(key: string, where = "step"): string {
  if (key.length <= KEY_LENGTH_MAX) return key;
  throw invalid(where, `${show(key)} has ${key.length} characters of at most ${KEY_LENGTH_MAX}`);
}

/** The common case, decided without allocating: nothing to escape and nothing to refuse. */
function isPlain(name: string): boolean {
  const length = name.length;
  if (length === 0 || length > KEY_LENGTH_MAX || name.charCodeAt(0) === 64) return false;
  for (let index = 0; index < length; index += 1) {
    const unit = name.charCodeAt(index);
    if (unit < 32 || unit > 126 || unit === SLASH || unit === PERCENT) return false;
  }
  return true;
}

function escapePart(part: unknown, where: string): string {
  if (typeof part === "number" && Number.isFinite(part)) return String(part);
  if (typeof part !== "string") throw invalid(where, `has a part that is no text or finite number: ${showValue(part)}`);
  if (part === "") throw invalid(where, "is empty, or has an empty part");
  // A lone surrogate cannot be stored as UTF-8; two such names would become one.
  if (!part.isWellFormed()) throw invalid(where, `${show(part)} holds half a character (a lone surrogate)`);
  if (/\p{Cc}/u.test(part)) throw invalid(where, `${show(part)} holds a control character`);
  return part.replaceAll("%", "%25").replaceAll("/", "%2F");
}

function invalid(where: string, what: string): StepwellError {
  return new StepwellError("STEP_NAME_INVALID", `${where}: the name ${what}`, { details: { where } });
}

function show(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
