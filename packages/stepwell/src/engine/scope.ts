/**
 * Scope: where a ctx stands. What the keys of its calls begin with, and the defaults
 * of its steps. `ctx.each` narrows the first, `ctx.with` changes the second.
 */
import { type BreakerOptions, type BreakerPolicy, parseBreaker } from "../model/breaker.ts";
import { type Duration, parseDuration } from "../model/duration.ts";
import { checkKey } from "../model/key.ts";
import { checkKeys } from "../model/options.ts";
import { parseRetry, RETRY_DEFAULT, type RetryOptions, type RetryPolicy, toRetry } from "../model/retry.ts";
import type { Handler } from "./handler.ts";

/** Defaults of steps: `ctx.with`. */
export type StepDefaults = {
  /** Total attempts including the first; short for `retry: { attempts }`. */
  readonly attempts?: number;
  readonly retry?: RetryOptions;
  /** Per attempt. */
  readonly timeout?: Duration;
  /** Of every step; see `.circuitBreaker` of a step. */
  readonly circuitBreaker?: BreakerOptions;
};

/** See the header. */
export type Scope = {
  /** "" of the body's own ctx; else it ends with "/". */
  readonly prefix: string;
  readonly retry: RetryPolicy;
  readonly timeoutMs: number | null;
  readonly breaker: BreakerPolicy | null;
};

/** Of the ctx that a body is given. */
export const ROOT: Scope = { prefix: "", retry: RETRY_DEFAULT, timeoutMs: null, breaker: null };

/**
 * The same place with other defaults; what is not given stays as it was.
 *
 * @throws OPTION_UNKNOWN, OPTION_INVALID, DURATION_INVALID
 */
export function withDefaults(scope: Scope, options: StepDefaults): Scope {
  checkKeys("ctx.with", options, ["attempts", "retry", "timeout", "circuitBreaker"]);
  const timeoutMs =
    options.timeout === undefined ? scope.timeoutMs : parseDuration(options.timeout, "timeout of ctx.with");
  const breaker =
    options.circuitBreaker === undefined ? scope.breaker : parseBreaker(options.circuitBreaker, "ctx.with");
  return { ...scope, retry: parseRetry(toRetry(options), scope.retry, "ctx.with"), timeoutMs, breaker };
}

/** How a step is retried before its chain says otherwise: the handler's own options win over the scope's. */
export function retryOf(scope: Scope, handler: Handler | null): RetryPolicy {
  if (handler === null) return scope.retry;
  if (scope.retry === RETRY_DEFAULT) return handler.retry;
  return parseRetry(handler.explicitRetry, scope.retry, `handler "${handler.name}"`);
}

/** How long an attempt of a step may take before its chain says otherwise. */
export function timeoutOf(scope: Scope, handler: Handler | null): number | null {
  return handler?.timeoutMs ?? scope.timeoutMs;
}

/** The breaker that a step goes through before its chain says otherwise. */
export function breakerOf(scope: Scope, handler: Handler | null): BreakerPolicy | null {
  return handler?.breaker ?? scope.breaker;
}

/** The key of a wait: the n-th of a signal is `@wait/SIGNAL/n`, a named one `@wait/SIGNAL/NAME`. */
export function waitBase(scope: Scope, signal: string): string {
  return checkKey(`${scope.prefix}@wait/${signal}/`, `waitFor "${signal}"`);
}

/** What `ctx.uuid` and `ctx.random` derive from; no two scopes share one, since no prefix holds a control character. */
export function diceLabel(scope: Scope, kind: "uuid" | "random", label: string): string {
  return scope.prefix === "" ? `${kind}/${label}` : `each/${scope.prefix}\u0000${kind}/${label}`;
}
