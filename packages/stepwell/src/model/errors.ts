/**
 * The errors that users meet: those the engine throws, and the two they throw.
 *
 * The only classes of the library. They are told apart by `name` and `code`, never
 * by `instanceof` alone, so that two copies of the package in one process agree.
 */
import { type Duration, parseDuration } from "./duration.ts";

/** The table of codes and the engine's own error, see codes.ts. */
export { ERROR_CODES, StepwellError, type ErrorCode } from "./codes.ts";

/** Present on errors that no further attempt can cure, subclasses included. Shared by all copies of the package. */
export const PERMANENT: unique symbol = Symbol.for("stepwell.permanent");

/** `code` is what `.onError` matches first; `details` is plain JSON, kept with the failure. */
export type UserErrorOptions = { readonly code?: string; readonly cause?: unknown; readonly details?: unknown };

/** Thrown by step code: stop at once, trying again cannot help (P10). */
export class PermanentError extends Error {
  declare name: string;
  /** What `.onError` matches first. */
  declare readonly code?: string;
  /** Plain JSON, kept with the failure. */
  declare readonly details?: unknown;

  static {
    Object.defineProperty(this.prototype, "name", { value: "PermanentError", writable: true, configurable: true });
    Object.defineProperty(this.prototype, PERMANENT, { value: true });
  }

  constructor(message: string, options: UserErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    if (options.code !== undefined) this.code = options.code;
    if (options.details !== undefined) this.details = options.details;
  }
}

/** Thrown by step code: try again, after `retryAfter` if given, which overrides the policy's backoff (P10). */
export class RetryableError extends Error {
  declare name: string;
  /** What `.onError` matches first. */
  declare readonly code?: string;
  /** Plain JSON, kept with the failure. */
  declare readonly details?: unknown;
  /** Whole milliseconds until the next attempt; absent: by the policy. */
  declare readonly retryAfterMs?: number;

  static {
    Object.defineProperty(this.prototype, "name", { value: "RetryableError", writable: true, configurable: true });
  }

  /** Throws DURATION_INVALID for a `retryAfter` that cannot be read. */
  constructor(message: string, options: UserErrorOptions & { readonly retryAfter?: Duration } = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    if (options.code !== undefined) this.code = options.code;
    if (options.details !== undefined) this.details = options.details;
    if (options.retryAfter !== undefined) {
      this.retryAfterMs = parseDuration(options.retryAfter, "retryAfter of a RetryableError");
    }
  }
}

/** How a run ended that has no result. `cause` is the decoded error that ended it. */
export type RunFailedOptions = {
  /** `workflow` is `namespace/name`. */
  readonly run: { readonly workflow: string; readonly id: string };
  readonly state: "failed" | "cancelled" | "quarantined";
  readonly cause?: unknown;
};

/** What `run.result()` throws for a run that ended without one. */
export class RunFailed extends Error {
  declare readonly name: "RunFailed";
  /** RUN_CANCELLED for a cancelled run, RUN_FAILED for any other. */
  readonly code: "RUN_FAILED" | "RUN_CANCELLED";
  readonly details: Pick<RunFailedOptions, "run" | "state">;

  static {
    Object.defineProperty(this.prototype, "name", { value: "RunFailed", writable: true, configurable: true });
  }

  constructor(options: RunFailedOptions) {
    const { run, state, cause } = options;
    const why = cause instanceof Error && cause.message !== "" ? `: ${cause.message}` : "";
    super(`Run "${run.id}" of ${run.workflow} ${STATE_VERBS[state]}${why}`, { cause });
    this.code = state === "cancelled" ? "RUN_CANCELLED" : "RUN_FAILED";
    this.details = { run, state };
  }

  /** The run that ended; `workflow` is `namespace/name`. */
  get run(): RunFailedOptions["run"] {
    return this.details.run;
  }

  /** How it ended. */
  get state(): RunFailedOptions["state"] {
    return this.details.state;
  }
}

const STATE_VERBS = { failed: "failed", cancelled: "was cancelled", quarantined: "was quarantined" } as const;
