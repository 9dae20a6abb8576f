/**
 * Transition: what becomes of a claimed run once its body has stopped.
 *
 * `decide` is the whole state machine. It reads no clock, rolls no dice and
 * touches no store, so every rule can be tested as a table.
 *
 *     pending ─claim▸ running ─▸ completed
 *        ▴              │  ├────▸ failed, cancelled
 *        │              │  └────▸ compensating ─▸ failed, cancelled
 *        └── waiting ◂──┘           (paused: a replay or a compensation cannot go on, or an operator said so)
 */
import type { TerminalState, Wait } from "./run.ts";

/** How the execution of a claimed run stopped. `error` and `output` are encoded. */
export type Outcome =
  | { readonly kind: "returned"; readonly output: string }
  | { readonly kind: "threw"; readonly error: string }
  | { readonly kind: "cancelled"; readonly error: string }
  /** The run's deadline has passed. */
  | { readonly kind: "expired"; readonly error: string }
  | { readonly kind: "compensated" }
  | { readonly kind: "compensation_failed"; readonly error: string }
  | { readonly kind: "stuck"; readonly error: string }
  | { readonly kind: "idle"; readonly waits: readonly Wait[]; readonly inboxSeen: number }
  | { readonly kind: "drained" }
  /** An operator has asked for a pause. */
  | { readonly kind: "held"; readonly inboxSeen: number };

/** What `decide` must know of the run. */
export type Standing = {
  /** Steps that completed and have a compensation which has not run. */
  readonly compensable: number;
  /** Set while compensating: the state and error that follow. */
  readonly ending: "failed" | "cancelled" | null;
  readonly error: string | null;
  /** When the run's time is up; null: never. Undoing has no deadline. */
  readonly deadlineAtMs: number | null;
};

/** The single write that ends, parks or turns a claimed run. */
export type Transition =
  | { readonly kind: "complete"; readonly output: string }
  | { readonly kind: "fail"; readonly error: string }
  | { readonly kind: "cancel"; readonly error: string }
  /** Durable beginning of compensation; the claim is kept. */
  | { readonly kind: "compensate"; readonly ending: "failed" | "cancelled"; readonly error: string }
  /** Gives the claim up until `dueAtMs` (null: an inbox item). Refused when the inbox holds more than `inboxSeen`. */
  | {
      readonly kind: "park";
      readonly state: "waiting" | "compensating";
      readonly dueAtMs: number | null;
      readonly waitingFor: readonly Wait[];
      readonly inboxSeen: number;
    }
  | { readonly kind: "pause"; readonly error: string }
  /** Paused by an operator, until one resumes it. Refused as a park is. */
  | { readonly kind: "hold"; readonly inboxSeen: number }
  /** Gives the claim up at once, for another worker. A run that compensates goes on compensating. */
  | { readonly kind: "release" };

/** Choose the transition for `outcome`. */
export function decide(run: Standing, outcome: Outcome): Transition {
  const parkedState = run.ending === null ? "waiting" : "compensating";
  switch (outcome.kind) {
    case "returned":
      return { kind: "complete", output: outcome.output };
    case "threw":
    case "expired":
      return endOrCompensate(run, "failed", outcome.error);
    case "cancelled":
      return endOrCompensate(run, "cancelled", outcome.error);
    case "compensated":
      return end(run.ending ?? "failed", run.error ?? "null");
    case "compensation_failed":
      return { kind: "fail", error: outcome.error };
    case "stuck":
      return { kind: "pause", error: outcome.error };
    case "idle":
      return {
        kind: "park",
        state: parkedState,
        dueAtMs: earliest(outcome.waits, run.ending === null ? run.deadlineAtMs : null),
        waitingFor: outcome.waits,
        inboxSeen: outcome.inboxSeen,
      };
    case "drained":
      return { kind: "release" };
    case "held":
      return { kind: "hold", inboxSeen: outcome.inboxSeen };
  }
}

function endOrCompensate(run: Standing, ending: "failed" | "cancelled", error: string): Transition {
  return run.compensable > 0 ? { kind: "compensate", ending, error } : end(ending, error);
}

function end(ending: "failed" | "cancelled", error: string): Transition {
  return ending === "failed" ? { kind: "fail", error } : { kind: "cancel", error };
}

function earliest(waits: readonly Wait[], deadlineAtMs: number | null): number | null {
  let dueAtMs = deadlineAtMs;
  for (const wait of waits) {
    if (wait.dueAtMs !== null && (dueAtMs === null || wait.dueAtMs < dueAtMs)) dueAtMs = wait.dueAtMs;
  }
  return dueAtMs;
}

/** How a run ended; `value` is the encoded output, or the stored Failure. The parent's inbox holds it of a child. */
export type Ending = { readonly state: TerminalState; readonly value: string };

/** The end that a transition brings; null: the run goes on. */
export function toEnding(transition: Transition): Ending | null {
  switch (transition.kind) {
    case "complete":
      return { state: "completed", value: transition.output };
    case "fail":
      return { state: "failed", value: transition.error };
    case "cancel":
      return { state: "cancelled", value: transition.error };
    case "compensate":
    case "park":
    case "pause":
    case "hold":
    case "release":
      return null;
  }
}
