/**
 * JSON: the codec of payloads, the one way in which values become stored text.
 *
 *     encode(value)  walk: copy and validate ▸ tag, only where something needs it ▸ text
 *     decode(text)   parse ▸ revive, only where the text holds a tag
 *
 * The body of a workflow sees only decoded values (P2). To spare parsing what was just
 * written, `encode` returns the copy it made on the way: exactly what `decode(text)` gives.
 * What cannot be represented is refused with its path before anything is stored (P11, P12).
 *
 * Accepted beside JSON: undefined, NaN, ±Infinity, −0, BigInt, Date, Map, Set, Uint8Array
 * (a Buffer becomes one) and Error. `toJSON` is not called; accessors are read once; what
 * two places share is copied twice; an object without prototype becomes an ordinary one;
 * properties that are not enumerable are left out, as by `{ ...value }`.
 */
import { StepwellError } from "./codes.ts";
import { type Copied, copyValue } from "./copy.ts";
import { LIMITS_DEFAULT, type Limits } from "./limits.ts";
import { shorten } from "./plain.ts";
import { fromTagged, hasSpecialKey, TAG_MARK, toTagged, UNDEFINED_TEXT } from "./tag.ts";

/** The bounds of one payload, see limits.ts. */
export { LIMITS_DEFAULT, type Limits } from "./limits.ts";

/** A value as stored, and as the body may see it. */
export type Encoded<T> = { readonly text: string; readonly value: T };

/**
 * Encode `value`.
 *
 * @returns its text, and the copy that `decode(text)` equals in values and in order of keys
 * @throws NOT_SERIALISABLE, PAYLOAD_TOO_LARGE, PAYLOAD_TOO_DEEP, PAYLOAD_TOO_MANY_KEYS; each with the path
 */
export function encode<T>(value: T, limits: Limits = LIMITS_DEFAULT): Encoded<T> {
  if (value === undefined) return { text: UNDEFINED_TEXT, value };
  const copied = copyValue(value, limits);
  const text = textOf(copied);
  if (text.length * 3 > limits.bytesMax) checkBytes(text, limits.bytesMax);
  return { text, value: copied.value as T };
}

/** The value of a text that `encode` wrote; PAYLOAD_CORRUPT for any other. Every call builds a new value. */
export function decode(text: string): unknown {
  if (text === UNDEFINED_TEXT) return undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    return text.includes(TAG_MARK) ? fromTagged(parsed) : parsed;
  } catch (cause) {
    if (cause instanceof StepwellError) throw cause;
    throw new StepwellError("PAYLOAD_CORRUPT", `stored text cannot be read: ${shorten(text, 100)}`, { cause });
  }
}

/** A text without backslash has no escaped key; only with one are the keys looked at. */
function textOf({ value, tagged }: Copied): string {
  if (tagged) return JSON.stringify(toTagged(value, "kept"));
  const text = JSON.stringify(value);
  return text.includes("\\") && hasSpecialKey(value) ? JSON.stringify(toTagged(value, "kept")) : text;
}

/** A UTF-16 code unit takes one to three bytes of UTF-8; only near the limit are they counted. */
function checkBytes(text: string, bytesMax: number): void {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes <= bytesMax) return;
  throw new StepwellError("PAYLOAD_TOO_LARGE", `the value at $ takes ${bytes} bytes of at most ${bytesMax}`, {
    details: { path: "$", bytesMax },
  });
}
