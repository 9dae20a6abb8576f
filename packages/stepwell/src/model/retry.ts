/**
 * Retry: how often, and how long to wait in between (P10).
 *
 * Pure arithmetic. The clock and the dice belong to the caller.
 */
import { showValue } from "./plain.ts";
import { StepwellError } from "./codes.ts";
import { type Duration, parseDuration } from "./duration.ts";
import type { Failure } from "./failure.ts";
import { checkKeys } from "./options.ts";

/**
 * How often a step is tried, and how long is waited in between. What is left out keeps its default: 3 attempts,
 * exponential, from "1s" to "5m", jitter 0.2; of a compensation 10 attempts.
 */
export type RetryOptions = {
  /** Total attempts including the first: 1 to 10,000. 1 means never retry. */
  readonly attempts?: number;
  /** How the delay grows: doubled each time, by one base each time, or not at all. */
  readonly backoff?: "exponential" | "linear" | "fixed";
  /** Delay after the first attempt. */
  readonly base?: Duration;
  /** No delay is longer, jitter aside. */
  readonly max?: Duration;
  /** Longest random addition, as a fraction of the delay: 0 to 1. Never shortens it. */
  readonly jitter?: number;
};

/** A checked policy. Delays are whole milliseconds; baseMs ≤ maxMs. */
export type RetryPolicy = {
  readonly attemptsMax: number;
  readonly backoff: "exponential" | "linear" | "fixed";
  readonly baseMs: number;
  readonly maxMs: number;
  readonly jitter: number;
};

/** Used where neither step nor workflow names a policy. */
export const RETRY_DEFAULT: RetryPolicy = {
  attemptsMax: 3,
  backoff: "exponential",
  baseMs: 1_000,
  maxMs: 300_000,
  jitter: 0.2,
};

/** Bounds what one step can write about its failures (P11). */
export const ATTEMPTS_LIMIT = 10_000;

const BACKOFFS: readonly string[] = ["exponential", "linear", "fixed"] satisfies RetryPolicy["backoff"][];

/** What follows a failed attempt. `dueInMs` counts from the moment the failure is stored. */
export type RetryDecision = { readonly kind: "retry"; readonly dueInMs: number } | { readonly kind: "final" };

/**
 * Lay `options` over `base`. A number is the count of attempts. When only one of
 * `base` and `max` is given, the other one gives way.
 *
 * @param where names the place in the error, as "retry of step charge"
 * @throws OPTION_UNKNOWN, OPTION_INVALID, DURATION_INVALID
 */
export function parseRetry(options: RetryOptions | number, base: RetryPolicy, where: string): RetryPolicy {
  if (typeof options === "number") return { ...base, attemptsMax: parseAttempts(options, where) };
  checkKeys(where, options, ["attempts", "backoff", "base", "max", "jitter"]);
  const { attempts = base.attemptsMax, backoff = base.backoff, jitter = base.jitter } = options;
  if (!BACKOFFS.includes(backoff)) throw invalid(where, "backoff", backoff, `one of ${BACKOFFS.join(", ")}`);
  const jitters = typeof jitter === "number" && jitter >= 0 && jitter <= 1;
  if (!jitters) throw invalid(where, "jitter", jitter, "a number from 0 to 1");
  return { attemptsMax: parseAttempts(attempts, where), backoff, jitter, ...parseDelays(options, base, where) };
}

/** Options that may name `attempts` beside `retry`: the short form wins. */
export function toRetry(options: { readonly attempts?: number; readonly retry?: RetryOptions }): RetryOptions {
  return options.attempts === undefined ? (options.retry ?? {}) : { ...options.retry, attempts: options.attempts };
}

/**
 * Milliseconds to wait after `attempt` has failed.
 *
 * | after attempt | 1    | 2        | 3        | …   |
 * | ------------- | ---- | -------- | -------- | --- |
 * | exponential   | base | 2 · base | 4 · base | max |
 * | linear        | base | 2 · base | 3 · base | max |
 * | fixed         | base | base     | base     |     |
 *
 * Jitter only lengthens: the delay is never below the nominal one of the table.
 *
 * @param attempt  1-based number of the attempt that failed
 * @param fraction in [0, 1): 0 gives the nominal delay, 1 would give nominal · (1 + jitter)
 */
export function retryDelayMs(policy: RetryPolicy, attempt: number, fraction: number): number {
  const nominalMs = Math.min(policy.baseMs * growth(policy.backoff, attempt), policy.maxMs);
  return Math.round(nominalMs * (1 + policy.jitter * fraction));
}

/** Whether attempt number `attempt`, which ended in `failure`, is followed by another, and when. */
export function afterFailure(policy: RetryPolicy, attempt: number, failure: Failure, fraction: number): RetryDecision {
  if (!failure.retryable || attempt >= policy.attemptsMax) return { kind: "final" };
  return { kind: "retry", dueInMs: failure.retryAfterMs ?? retryDelayMs(policy, attempt, fraction) };
}

/** The exponent is capped so that the product stays finite; every ceiling is reached long before. */
function growth(backoff: RetryPolicy["backoff"], attempt: number): number {
  switch (backoff) {
    case "exponential":
      return 2 ** Math.min(attempt - 1, 50);
    case "linear":
      return attempt;
    case "fixed":
      return 1;
  }
}

function parseAttempts(attempts: number, where: string): number {
  if (Number.isInteger(attempts) && attempts >= 1 && attempts <= ATTEMPTS_LIMIT) return attempts;
  throw invalid(where, "attempts", attempts, `a whole number from 1 to ${ATTEMPTS_LIMIT}`);
}

function parseDelays(options: RetryOptions, base: RetryPolicy, where: string): { baseMs: number; maxMs: number } {
  const baseMs = options.base === undefined ? undefined : parseDuration(options.base, `base of ${where}`);
  const maxMs = options.max === undefined ? undefined : parseDuration(options.max, `max of ${where}`);
  if (baseMs !== undefined && maxMs !== undefined && baseMs > maxMs) {
    throw invalid(where, "max", options.max, `at least base, which is ${baseMs} ms`);
  }
  if (maxMs === undefined) return { baseMs: baseMs ?? base.baseMs, maxMs: Math.max(baseMs ?? 0, base.maxMs) };
  return { baseMs: baseMs ?? Math.min(base.baseMs, maxMs), maxMs };
}

function invalid(where: string, option: string, got: unknown, range: string): StepwellError {
  const shown = showValue(got);
  return new StepwellError("OPTION_INVALID", `${where}: ${option} must be ${range}, got ${shown}`, {
    details: { where, option, got: shown },
  });
}
