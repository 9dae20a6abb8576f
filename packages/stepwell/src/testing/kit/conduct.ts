/**
 * Conduct: how a fake service behaves just now, apart from what it does. Up or down, slow,
 * limited, or about to fail some calls.
 */
import { type Duration, parseDuration } from "../../model/duration.ts";
import { RetryableError, StepwellError } from "../../model/errors.ts";
import { type Caller, sleepFor } from "./scope.ts";

/** What a call fails with: an error, a message, or a function that makes one. */
export type Fault = Error | string | ((call: number) => Error);

/** Of one function, or of all functions of a service. Durations are of the virtual clock. */
export type Conduct = {
  down: Fault | null;
  delayMs: number;
  hanging: boolean;
  limit: { readonly limit: number; readonly perMs: number; recentMs: number[] } | null;
  /** Calls to fail before anything is done. */
  failures: { left: number; readonly fault: Fault }[];
  /** Calls to fail when everything is done: the answer is lost. */
  losses: { left: number; readonly fault: Fault }[];
};

/** Up, quick and reliable. */
export function newConduct(): Conduct {
  return { down: null, delayMs: 0, hanging: false, limit: null, failures: [], losses: [] };
}

/** Back to {@link newConduct}. */
export function resetConduct(conduct: Conduct): void {
  Object.assign(conduct, newConduct());
}

/** A call, on its way to what the service does. */
export type Arrival = {
  readonly service: string;
  /** 1-based number of the call. */
  readonly number: number;
  readonly caller: Caller | undefined;
  readonly signal: AbortSignal | undefined;
};

/** Get through to the service, or throw what keeps the call from it. */
export async function arrive(conducts: readonly Conduct[], arrival: Arrival): Promise<void> {
  for (const conduct of conducts) if (conduct.down !== null) throw faultOf(conduct.down, arrival, "is down");
  for (const { limit } of conducts) if (limit !== null) admit(limit, arrival);
  const delayMs = conducts.reduce((sum, conduct) => sum + conduct.delayMs, 0);
  const hanging = conducts.some((conduct) => conduct.hanging);
  if (delayMs > 0 || hanging) await sleepFor(needCaller(arrival), hanging ? null : delayMs, arrival.signal);
  throwNext(
    conducts.map(({ failures }) => failures),
    arrival,
    "failed, as it was told to",
  );
}

/** Leave the service with its answer, unless that is to be lost. */
export function leave(conducts: readonly Conduct[], arrival: Arrival): void {
  throwNext(
    conducts.map(({ losses }) => losses),
    arrival,
    "did it, but its answer was lost",
  );
}

function throwNext(queues: readonly { left: number; readonly fault: Fault }[][], arrival: Arrival, what: string): void {
  for (const queue of queues) {
    const [next] = queue;
    if (next === undefined) continue;
    next.left -= 1;
    if (next.left <= 0) queue.shift();
    throw faultOf(next.fault, arrival, what);
  }
}

/** A window that slides: of any stretch of `perMs`, at most `limit` calls are let in. */
function admit(limit: NonNullable<Conduct["limit"]>, arrival: Arrival): void {
  const nowMs = needCaller(arrival).nowMs();
  limit.recentMs = limit.recentMs.filter((ms) => ms > nowMs - limit.perMs);
  if (limit.recentMs.length < limit.limit) return void limit.recentMs.push(nowMs);
  const retryAfter = limit.recentMs[0]! + limit.perMs - nowMs;
  throw new RetryableError(`${arrival.service} takes no more calls now`, { code: "RATE_LIMITED", retryAfter });
}

/** Only code of a workflow has a virtual clock. */
function needCaller({ caller, service }: Arrival): Caller {
  if (caller !== undefined) return caller;
  const what = `fake ${service} goes by the clock of a test engine, and was called outside of its workflows.`;
  throw new StepwellError("OPTION_INVALID", what);
}

function faultOf(fault: Fault, { service, number }: Arrival, what: string): Error {
  if (typeof fault === "function") return fault(number);
  if (fault instanceof Error) return fault;
  return new RetryableError(fault === "" ? `${service} ${what}` : fault, { code: "SERVICE_FAILED" });
}

/** Check a number of calls. */
export function parseCount(count: number, where: string): number {
  if (count === Infinity || (Number.isSafeInteger(count) && count >= 0)) return count;
  throw new StepwellError(
    "OPTION_INVALID",
    `${where} must be a whole number from 0 up, or Infinity, got ${String(count)}.`,
  );
}

/** Check a rate limit. */
export function parseLimit(rate: { readonly limit: number; readonly per: Duration }, where: string): Conduct["limit"] {
  const perMs = parseDuration(rate.per, `per of ${where}`);
  if (perMs < 1 || rate.limit < 1) {
    throw new StepwellError("OPTION_INVALID", `${where} must let in at least one call per 1 ms.`);
  }
  return { limit: parseCount(rate.limit, `limit of ${where}`), perMs, recentMs: [] };
}
