/**
 * Expectation: assertions about a run that say, when they fail, what was expected, what is
 * the case, and everything that happened to the run.
 *
 *     await expectRun(run).completed({ parcel: "p1" }).ranStep("charge", { times: 1 }).noFloating();
 *
 * A chain is a real Promise: the linter finds one that nobody awaits, and one that fails
 * unawaited is an unhandled rejection, which every test runner reports.
 */
import { isDeepStrictEqual } from "node:util";
import type { DecodedEvent, RunHandle, RunStatus } from "../../engine/handle.ts";
import type { Signal } from "../../engine/signal.ts";
import { StepwellError } from "../../model/errors.ts";
import { stepKey, type StepName } from "../../model/key.ts";
import { checkKeys } from "../../model/options.ts";
import type { Wait } from "../../model/run.ts";
import type { StepOutcome } from "../../model/step.ts";
import { type Compared, framesAbove, refusal } from "./refusal.ts";
import { showValue, tellRun, tellWait } from "./timeline.ts";
import { openWaits } from "./waits.ts";

/** Which failure is meant: its code or name; what its message matches; or several of these. */
export type FailureMatch =
  | string
  | RegExp
  | { readonly code?: string; readonly name?: string; readonly message?: string | RegExp };

/** What else is expected of a step that ran. */
export type StepMatch = {
  /** How often its code was tried, as far as is recorded: 1 is success at first go. */
  readonly times?: number;
  /** How it ended. */
  readonly outcome?: StepOutcome;
  /** What the body got. */
  readonly value?: unknown;
};

/** Assertions about a run. Every method adds one; they hold at the same moment. Await the last one. */
export type RunExpectation<Output> = Promise<void> & {
  /** It has completed; with this output, if one is given. */
  readonly completed: (...output: [output?: Output]) => RunExpectation<Output>;
  /** It has failed; with this error, if one is described. */
  readonly failed: (error?: FailureMatch) => RunExpectation<Output>;
  /** It was cancelled; for this reason, if one is given. */
  readonly cancelled: (reason?: string | RegExp) => RunExpectation<Output>;
  /** It waits, for a signal, or for the timer, retry or child of that name. */
  readonly waitingFor: (what: Signal<never, unknown> | StepName) => RunExpectation<Output>;
  /** The code of this step was tried; as `match` says, if it is given. */
  readonly ranStep: (step: StepName, match?: StepMatch) => RunExpectation<Output>;
  /** The code of this step was never tried. */
  readonly didNotRun: (step: StepName) => RunExpectation<Output>;
  /** These have ended in this order; others may have ended in between. */
  readonly stepsInOrder: (steps: readonly StepName[]) => RunExpectation<Output>;
  /** Exactly these were undone, in this order. */
  readonly compensated: (steps: readonly StepName[]) => RunExpectation<Output>;
  /** The body awaited every step that it started. */
  readonly noFloating: () => RunExpectation<Output>;
};

type Seen = {
  readonly name: string;
  readonly status: RunStatus;
  readonly history: readonly DecodedEvent[];
  readonly waits: readonly Wait[];
};

/** `what` continues "expected RUN". */
type Problem = { readonly what: string; readonly compared?: Compared } | null;
type Check = (seen: Seen) => Problem;

/** Look at a run, of a test engine or of any other, and assert what follows. */
export function expectRun<Output>(run: RunHandle<Output>): RunExpectation<Output> {
  const checks: { readonly check: Check; readonly frames: string }[] = [];
  let begun = false;
  const looking = Promise.resolve().then(async () => {
    begun = true;
    const seen = await look(run);
    for (const { check, frames } of checks) {
      const problem = check(seen);
      if (problem === null) continue;
      const message = `expected ${seen.name} ${problem.what}\n\n${tellRun(seen.status, seen.history)}`;
      throw refusal(message, problem.compared ?? null, frames);
    }
  });
  const method = <A extends unknown[]>(toCheck: (...args: A) => Check) => {
    const add = (...args: A): RunExpectation<Output> => {
      if (begun) {
        throw new StepwellError("OPTION_INVALID", "an assertion was added after expectRun had looked at the run.");
      }
      checks.push({ check: toCheck(...args), frames: framesAbove(add) });
      return expectation;
    };
    return add;
  };
  const expectation: RunExpectation<Output> = Object.assign(looking, {
    completed: method(completed),
    failed: method(failed),
    cancelled: method(cancelled),
    waitingFor: method(waitingFor),
    ranStep: method(ranStep),
    didNotRun: method(didNotRun),
    stepsInOrder: method(stepsInOrder),
    compensated: method(compensated),
    noFloating: method(noFloating),
  });
  return expectation;
}

async function look(run: RunHandle): Promise<Seen> {
  const history = await run.history();
  const status = await run.status();
  return { name: `${status.workflow} ${status.id}`, status, history, waits: openWaits(status, history) };
}

/** How the run stands, to continue "but". */
function standing({ status, waits }: Seen): string {
  if (status.state === "completed") return `it completed with ${showValue(status.output)}`;
  if (status.state === "failed" || status.state === "cancelled") {
    return `it ${status.state === "failed" ? "failed" : "was cancelled"}: ${showValue(status.error)}`;
  }
  if (waits.length > 0) return `it waits for ${waits.map(tellWait).join("; ")}`;
  return `it is ${status.state}${status.error === null ? "" : `: ${showValue(status.error)}`}`;
}

function completed(...expected: [output?: unknown]): Check {
  return (seen) => {
    const { state, output } = seen.status;
    if (state !== "completed") return { what: `to have completed, but ${standing(seen)}` };
    if (expected.length === 0 || isDeepStrictEqual(output, expected[0])) return null;
    const what = `to have completed with ${showValue(expected[0])}, but ${standing(seen)}`;
    return { what, compared: { actual: output, expected: expected[0] } };
  };
}

function failed(match?: FailureMatch): Check {
  return (seen) => {
    const { state, error } = seen.status;
    if (state !== "failed") return { what: `to have failed, but ${standing(seen)}` };
    if (match === undefined || (error !== null && fits(error, match))) return null;
    return { what: `to have failed with ${showValue(match)}, but ${standing(seen)}` };
  };
}

function fits(error: Error & { readonly code?: unknown }, match: FailureMatch): boolean {
  if (typeof match === "string") return error.code === match || error.name === match;
  if (match instanceof RegExp) return match.test(error.message);
  checkKeys("failed", match, ["code", "name", "message"]);
  const { code, name, message } = match;
  if (code !== undefined && error.code !== code) return false;
  if (name !== undefined && error.name !== name) return false;
  return (
    message === undefined || (typeof message === "string" ? error.message === message : message.test(error.message))
  );
}

function cancelled(reason?: string | RegExp): Check {
  return (seen) => {
    if (seen.status.state !== "cancelled") return { what: `to have been cancelled, but ${standing(seen)}` };
    const { details } = seen.status.error as { readonly details?: { readonly reason?: unknown } };
    const given = typeof details?.reason === "string" ? details.reason : "";
    const same = typeof reason === "string" ? given === reason : (reason?.test(given) ?? true);
    if (same) return null;
    return { what: `to have been cancelled because of ${showValue(reason)}, but ${standing(seen)}` };
  };
}

function waitingFor(what: Signal<never, unknown> | StepName): Check {
  const name = isSignal(what) ? what.name : stepKey(what);
  return (seen) => {
    const found = seen.waits.some((wait) => wait.name === name || wait.key === name);
    return found ? null : { what: `to wait for "${name}", but ${standing(seen)}` };
  };
}

function isSignal(what: Signal<never, unknown> | StepName): what is Signal<never, unknown> {
  return typeof what === "object" && "kind" in what;
}

function ranStep(step: StepName, match: StepMatch = {}): Check {
  checkKeys("ranStep", match, ["times", "outcome", "value"]);
  const key = stepKey(step);
  return ({ history }) => {
    const tries = history.filter((event) => triesOf(event, key) > 0);
    if (tries.length === 0) return { what: `to have run step "${key}", but ${ranInstead(history)}` };
    const times = Math.max(...tries.map((event) => triesOf(event, key)));
    if (match.times !== undefined && times !== match.times) {
      return { what: `to have run step "${key}" ${asTimes(match.times)}, but it ran ${asTimes(times)}` };
    }
    return endedAs(tries.find((event) => event.kind === "step") ?? null, key, match);
  };
}

function endedAs(ended: Extract<DecodedEvent, { kind: "step" }> | null, key: string, match: StepMatch): Problem {
  if (match.outcome !== undefined && ended?.outcome !== match.outcome) {
    return { what: `to have ${match.outcome} step "${key}", but it ${ended?.outcome ?? "has not ended"}` };
  }
  if (!("value" in match) || (ended !== null && isDeepStrictEqual(ended.value, match.value))) return null;
  const got = ended === null ? "it has not ended" : `it gave ${showValue(ended.value)}`;
  const what = `to have run step "${key}" with value ${showValue(match.value)}, but ${got}`;
  return { what, compared: { actual: ended?.value, expected: match.value } };
}

function didNotRun(step: StepName): Check {
  const key = stepKey(step);
  return ({ history }) => {
    const times = Math.max(0, ...history.map((event) => triesOf(event, key)));
    return times === 0 ? null : { what: `not to have run step "${key}", but it ran ${asTimes(times)}` };
  };
}

function stepsInOrder(steps: readonly StepName[]): Check {
  const keys = steps.map((step) => stepKey(step));
  return ({ history }) => {
    const ended = history.flatMap((event) => (event.kind === "step" && isUsers(event.key) ? [event.key] : []));
    const actual = ended.filter((key) => keys.includes(key));
    if (isDeepStrictEqual(actual, keys)) return null;
    const what = `to have ended its steps in the order ${list(keys)}, but the order was ${list(ended)}`;
    return { what, compared: { actual, expected: keys } };
  };
}

const COMPENSATION = "@compensate/";

function compensated(steps: readonly StepName[]): Check {
  const keys = steps.map((step) => stepKey(step));
  return ({ history }) => {
    const actual = history.flatMap((event) =>
      event.kind === "step" && event.step === "compensation" && event.outcome === "completed"
        ? [event.key.slice(COMPENSATION.length)]
        : [],
    );
    if (isDeepStrictEqual(actual, keys)) return null;
    const what = `to have undone ${list(keys)}, but it undid ${list(actual)}`;
    return { what, compared: { actual, expected: keys } };
  };
}

function noFloating(): Check {
  return ({ history }) => {
    const keys = history.flatMap((event) =>
      event.kind === "note" && event.note === "floating" ? [(event.value as { readonly key: string }).key] : [],
    );
    return keys.length === 0 ? null : { what: `to have awaited every step, but nobody awaited ${list(keys)}` };
  };
}

/** How often the step had been tried when this happened; 0: it is about something else. */
function triesOf(event: DecodedEvent, key: string): number {
  return (event.kind === "step" || event.kind === "attempt_failed") && event.key === key ? event.attempt : 0;
}

function ranInstead(history: readonly DecodedEvent[]): string {
  const keys = history.flatMap((event) => (event.kind === "step" && isUsers(event.key) ? [event.key] : []));
  return keys.length === 0 ? "it ran none" : `it ran ${list(keys)}`;
}

function isUsers(key: string): boolean {
  return !key.startsWith("@");
}

function list(keys: readonly string[]): string {
  return keys.length === 0 ? "nothing" : keys.map((key) => `"${key}"`).join(", ");
}

function asTimes(times: number): string {
  return times === 1 ? "once" : times === 2 ? "twice" : `${times} times`;
}
