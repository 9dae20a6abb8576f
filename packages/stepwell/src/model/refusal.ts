/**
 * Refusal: why a value cannot be stored, and where in it the reason is.
 *
 * Made where the fault is found; each level adds its key while the exception passes
 * through it, so that the walk of copy.ts tracks nothing on its way down. A cycle is
 * found here too: it has run into a limit, and an ancestor occurs twice.
 */
import { type ErrorCode, StepwellError } from "./codes.ts";
import type { Limits } from "./limits.ts";
import { type PathPart, pathText } from "./path.ts";
import { shorten } from "./plain.ts";

/** Why, and where; `parts` and `holders` grow from the inside out. */
export type Refusal = {
  readonly code: ErrorCode;
  /** Completes the sentence "the value at $.x …". */
  readonly what: string;
  readonly cause: unknown;
  readonly parts: PathPart[];
  /** The containers passed, the innermost first. */
  readonly holders: object[];
};

/** State of one walk over one value. */
export type Walk = {
  readonly limits: Limits;
  /** Whether JSON.stringify alone cannot write the copy. */
  tagged: boolean;
  /** Bytes left, by a lower bound of the text's length, so that huge values are refused early. */
  bytesLeft: number;
  refusal: Refusal | null;
};

/** Thrown while a refusal is on its way up; `Walk.refusal` says the rest. One object, so that no stack is captured. */
const REFUSED = new Error("a value was refused");

/** Begin a refusal. `offender`: the container at fault, if one is. */
export function refuse(walk: Walk, code: ErrorCode, what: string, offender?: object): never {
  walk.refusal = { code, what, cause: undefined, parts: [], holders: offender === undefined ? [] : [offender] };
  throw REFUSED;
}

/** What to throw on from `holder`, in whose `part` something was refused, or foreign code threw. */
export function passOn(walk: Walk, thrown: unknown, holder: object, part: PathPart): Error {
  walk.refusal ??= toRefusal(thrown);
  walk.refusal.parts.push(part);
  walk.refusal.holders.push(holder);
  return REFUSED;
}

/** The error for the caller, at the end of the way up. */
export function toRefusedError(walk: Walk, thrown: unknown): StepwellError {
  const { code, what, cause, parts, holders } = walk.refusal ?? toRefusal(thrown);
  const path = parts.toReversed();
  const endless = code === "PAYLOAD_TOO_DEEP" || code === "PAYLOAD_TOO_LARGE";
  const cycle = endless ? findCycle(holders.toReversed()) : null;
  const options = cause === undefined ? {} : { cause };
  if (cycle === null) {
    const at = pathText(path);
    return new StepwellError(code, `the value at ${at} ${what}`, { ...options, details: { path: at } });
  }
  const [at, to] = [pathText(path.slice(0, cycle.end)), pathText(path.slice(0, cycle.start))];
  return new StepwellError("NOT_SERIALISABLE", `the value at ${at} is a cycle: it is the same object as ${to}`, {
    details: { path: at, cycleTo: to },
  });
}

function toRefusal(thrown: unknown): Refusal {
  return {
    code: "NOT_SERIALISABLE",
    what: `cannot be read: ${reasonOf(thrown)}`,
    cause: thrown,
    parts: [],
    holders: [],
  };
}

/** Foreign code may throw anything, also what throws when it is shown. */
function reasonOf(thrown: unknown): string {
  try {
    return shorten(thrown instanceof Error ? thrown.message : String(thrown), 200);
  } catch {
    return "reading it threw";
  }
}

/** The first container that is its own ancestor: how many steps below the root it stands, both times. */
function findCycle(holders: readonly object[]): { readonly start: number; readonly end: number } | null {
  const seenAt = new Map<object, number>();
  for (const [end, holder] of holders.entries()) {
    const start = seenAt.get(holder);
    if (start !== undefined) return { start, end };
    seenAt.set(holder, end);
  }
  return null;
}
