/**
 * Failure: how a throw is stored, and how it is thrown again.
 *
 * Anything can be thrown: null, a text, a frozen error, a proxy that throws in turn.
 * All of it becomes a bounded Failure, and every Failure becomes an error again.
 * Doing both twice changes nothing, so a replayed `catch` takes the same branch (P2).
 */
import { type ErrorCode, StepwellError } from "./codes.ts";
import { PERMANENT, PermanentError, RetryableError, RunFailed } from "./errors.ts";
import { copyPlain, shorten } from "./plain.ts";

/** A stored error. Texts are bounded, see the constants below. */
export type Failure = {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  /** False: no further attempt can cure it (P10). */
  readonly retryable: boolean;
  /** Overrides the policy's backoff; whole milliseconds ≥ 0. */
  readonly retryAfterMs?: number;
  /** Plain JSON. */
  readonly details?: unknown;
  readonly stack?: string;
  readonly cause?: Failure;
};

/** Bounds of one stored failure, in UTF-16 code units (P11): enough to debug, little enough for a row per attempt. */
export const MESSAGE_LENGTH_MAX = 8_192;
const STACK_LENGTH_MAX = 4_096;
const DETAILS_LENGTH_MAX = 16_384;
const NAME_LENGTH_MAX = 200;
/** Causes below the failure itself. */
const CAUSES_MAX = 4;
const AGGREGATED_MAX = 5;

/** Codes of StepwellError that the same step would meet again in its next attempt. */
export const FINAL_CODES: ReadonlySet<string> = new Set<ErrorCode>([
  "NOT_SERIALISABLE",
  "PAYLOAD_TOO_LARGE",
  "PAYLOAD_TOO_DEEP",
  "PAYLOAD_TOO_MANY_KEYS",
  "PAYLOAD_CORRUPT",
  "STEP_UNCERTAIN",
  "STEP_NAME_REUSED",
  "STEP_NAME_INVALID",
  "CTX_IN_STEP",
  "TX_NESTED",
  "TX_STATEMENT",
  "CTX_AFTER_END",
  "CHAIN_STARTED",
  "COMPENSATION_MISSING",
  "REPLAY_DIVERGED",
  "WORKFLOW_DUPLICATE",
  "WORKFLOW_INVALID",
  "INPUT_INVALID",
  "OUTPUT_INVALID",
  "SIGNAL_INVALID",
  "RUN_ID_CONFLICT",
  "RUN_ID_INVALID",
  "RUN_ENDED",
  "HISTORY_LIMIT",
  "OPTION_UNKNOWN",
  "OPTION_INVALID",
  "DURATION_INVALID",
  "STORE_URL_INVALID",
  "STORE_NEWER",
  "STORE_DRIVER_MISSING",
  "STORE_UNSUPPORTED",
  "STORE_FOREIGN",
]);

/** What `thrown` leaves behind. Never throws, whatever it is given. */
export function toFailure(thrown: unknown): Failure {
  return toFailureBelow(thrown, []);
}

/** The stored form: JSON. */
export function failureText(failure: Failure): string {
  return JSON.stringify(failure);
}

/** Read a stored Failure; PAYLOAD_CORRUPT when the text is none. Unknown fields are dropped. */
export function parseFailure(text: string): Failure {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new StepwellError("PAYLOAD_CORRUPT", `a stored failure is not JSON: ${shorten(text, 100)}`, { cause });
  }
  const failure = findFailure(parsed, 0);
  if (failure !== null) return failure;
  throw new StepwellError("PAYLOAD_CORRUPT", `a stored failure has no name or message: ${shorten(text, 100)}`);
}

/** The error that a Failure stands for: an instance of our own classes where it was one, a plain Error otherwise. */
export function toError(failure: Failure): Error {
  const error = reviveError(failure.name, failure.message, !failure.retryable && failure.name !== "StepwellError");
  const { code, details, retryAfterMs, cause } = failure;
  if (code !== undefined) assign(error, "code", code);
  if (details !== undefined) assign(error, "details", details);
  else if (error instanceof StepwellError) assign(error, "details", {});
  if (retryAfterMs !== undefined) assign(error, "retryAfterMs", retryAfterMs);
  if (cause !== undefined) hide(error, "cause", toError(cause));
  hide(error, "stack", failure.stack);
  return error;
}

/**
 * An error of that name, without fields: one of our classes by name, PermanentError for any other permanent one
 * (a user's subclass keeps its name and stays permanent), else a plain Error. Its stack is its header alone.
 */
export function reviveError(name: string, message: string, permanent: boolean): Error {
  const error = new Error(message);
  const prototype = PROTOTYPES.get(name) ?? (permanent ? PermanentError.prototype : null);
  if (prototype !== null) Object.setPrototypeOf(error, prototype);
  if (error.name !== name) hide(error, "name", name);
  hide(error, "stack", `${name}: ${message}`);
  return error;
}

/** Whether an error says of itself that trying again cannot cure it. May throw when reading `error` does. */
export function isPermanent(error: object): boolean {
  return Reflect.get(error, PERMANENT) === true || Reflect.get(error, "name") === "PermanentError";
}

const PROTOTYPES: ReadonlyMap<string, object> = new Map<string, object>([
  ["PermanentError", PermanentError.prototype],
  ["RetryableError", RetryableError.prototype],
  ["StepwellError", StepwellError.prototype],
  ["RunFailed", RunFailed.prototype],
]);

/** `above` holds what this is a cause of, so that a circle ends. */
function toFailureBelow(thrown: unknown, above: readonly unknown[]): Failure {
  const name = nameOf(thrown);
  const message = messageOf(thrown);
  const code = textOf(thrown, "code", NAME_LENGTH_MAX);
  const retryAfterMs = retryAfterOf(thrown);
  const details = detailsOf(thrown);
  const stack = stackOf(thrown, name, message);
  const cause = causeOf(thrown, [...above, thrown]);
  return {
    name,
    message,
    ...(code === null ? {} : { code }),
    retryable: isRetryable(thrown, name, code),
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
    ...(details === undefined ? {} : { details }),
    ...(stack === null ? {} : { stack }),
    ...(cause === null ? {} : { cause }),
  };
}

function nameOf(thrown: unknown): string {
  const looksLikeError = typeof read(thrown, "message") === "string";
  return (looksLikeError ? textOf(thrown, "name", NAME_LENGTH_MAX) : null) ?? "Error";
}

function messageOf(thrown: unknown): string {
  if (typeof thrown === "string") return shorten(thrown, MESSAGE_LENGTH_MAX);
  const message = read(thrown, "message");
  if (typeof message !== "string") return `${shown(thrown)} was thrown instead of an Error`;
  return message === "" ? aggregated(thrown) : shorten(message, MESSAGE_LENGTH_MAX);
}

/** An AggregateError, such as Node's refused connection, often has an empty message and tells all in `errors`. */
function aggregated(thrown: unknown): string {
  const errors = read(thrown, "errors");
  if (!isArray(errors)) return "";
  const messages: string[] = [];
  for (let index = 0; index < AGGREGATED_MAX; index += 1) {
    const message = read(read(errors, String(index)), "message");
    if (typeof message === "string" && message !== "") messages.push(shorten(message, 500));
  }
  return messages.join("; ");
}

function shown(thrown: unknown): string {
  if (typeof thrown === "function") return "A function";
  if (typeof thrown !== "object" || thrown === null) return shorten(String(thrown), 200);
  const copied = copyPlain(thrown, 1_000);
  return copied.ok ? copied.text : "An object";
}

function retryAfterOf(thrown: unknown): number | null {
  const ms = read(thrown, "retryAfterMs");
  return typeof ms === "number" && Number.isFinite(ms) && ms >= 0 ? Math.round(ms) + 0 : null;
}

/** A thrown object that is no error is kept whole as details. */
function detailsOf(thrown: unknown): unknown {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  const isError = typeof read(thrown, "message") === "string";
  const details = isError ? read(thrown, "details") : thrown;
  if (details === undefined) return undefined;
  const copied = copyPlain(details, DETAILS_LENGTH_MAX);
  if (!copied.ok) return { dropped: copied.why };
  return copied.text === "{}" ? undefined : copied.value;
}

/** A header that repeats a long message would leave no room for the frames. */
function stackOf(thrown: unknown, name: string, message: string): string | null {
  const stack = read(thrown, "stack");
  if (typeof stack !== "string" || stack === "") return null;
  const framesAt = stack.indexOf("\n    at ");
  if (stack.length <= STACK_LENGTH_MAX || framesAt < 0) return shorten(stack, STACK_LENGTH_MAX);
  return shorten(`${name}: ${shorten(message, 500)}${stack.slice(framesAt)}`, STACK_LENGTH_MAX);
}

function causeOf(thrown: unknown, above: readonly unknown[]): Failure | null {
  const cause = typeof thrown === "object" ? read(thrown, "cause") : undefined;
  if (cause === undefined || cause === null || above.length > CAUSES_MAX || above.includes(cause)) return null;
  return toFailureBelow(cause, above);
}

function isRetryable(thrown: unknown, name: string, code: string | null): boolean {
  if (name === "StepwellError") return !FINAL_CODES.has(code ?? "");
  return name !== "PermanentError" && read(thrown, PERMANENT) !== true;
}

function textOf(thrown: unknown, key: string, lengthMax: number): string | null {
  const text = typeof thrown === "object" ? read(thrown, key) : undefined;
  return typeof text === "string" && text !== "" ? shorten(text, lengthMax) : null;
}

/** A property of anything; undefined where there is none or reading it throws. */
function read(from: unknown, key: PropertyKey): unknown {
  if ((typeof from !== "object" && typeof from !== "function") || from === null) return undefined;
  try {
    return Reflect.get(from, key);
  } catch {
    return undefined;
  }
}

/** Array.isArray throws for a revoked proxy. */
function isArray(value: unknown): boolean {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}

function findFailure(parsed: unknown, depth: number): Failure | null {
  const fields = Object(parsed) as Record<string, unknown>;
  const { name, message, code, retryable, retryAfterMs, details, stack, cause } = fields;
  if (typeof name !== "string" || typeof message !== "string") return null;
  const below = cause === undefined || depth >= CAUSES_MAX ? null : findFailure(cause, depth + 1);
  return {
    name,
    message,
    ...(typeof code === "string" ? { code } : {}),
    retryable: retryable !== false,
    ...(typeof retryAfterMs === "number" ? { retryAfterMs } : {}),
    ...(details === undefined ? {} : { details }),
    ...(typeof stack === "string" ? { stack } : {}),
    ...(below === null ? {} : { cause: below }),
  };
}

/** As a class field is: own and enumerable. */
function assign(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: true });
}

/** As Error's own fields are: own, not enumerable. */
function hide(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: false });
}
