/**
 * History: everything that happened to a run, in the order it happened.
 *
 * Most events are read off rows that exist anyway (the run, its checkpoints,
 * failed attempts, consumed inbox items), so that a step costs one row, not two.
 */
import type { InboxKind } from "./inbox.ts";
import type { StepKind, StepOutcome } from "./step.ts";

/**
 * One event. `seq` is gapless per run from 1; null: an inbox item not consumed yet. `value` and `error` are encoded.
 */
export type HistoryEvent = { readonly seq: number | null; readonly atMs: number } & (
  | { readonly kind: "started"; readonly actor: string; readonly input: string }
  | {
      readonly kind: "step";
      readonly step: StepKind;
      readonly key: string;
      readonly outcome: StepOutcome;
      readonly value: string;
      readonly attempt: number;
      readonly durationMs: number;
    }
  | {
      readonly kind: "attempt_failed";
      readonly step: StepKind;
      readonly key: string;
      readonly attempt: number;
      readonly error: string;
      readonly dueAtMs: number | null;
      readonly durationMs: number;
    }
  /** Told only of attempts that run for a while. One that a crash cut off begins again under the same number. */
  | { readonly kind: "attempt_began"; readonly step: StepKind; readonly key: string; readonly attempt: number }
  | { readonly kind: "wait_began"; readonly step: StepKind; readonly key: string; readonly dueAtMs: number | null }
  | {
      readonly kind: "received";
      readonly item: InboxKind;
      readonly name: string;
      readonly value: string;
      readonly actor: string;
    }
  | { readonly kind: "note"; readonly note: NoteKind; readonly value: string }
  | { readonly kind: "ended"; readonly state: "completed" | "failed" | "cancelled"; readonly value: string }
);

/**
 * Events with a row of their own. `value` of each: log {message, fields}; floating {key}; takeover, compensating,
 * paused, quarantined {error}; breaker {name, state, failures}: an attempt of this run opened or closed it; stuck
 * {doing, sinceMs}; rolled_back {key}: of a transaction; held, resumed null: what an operator asked for has been done;
 * retried, resolved {actor, reason, generation, again, operation}: an operator opened that generation, in which the steps
 * `again` are performed anew, or `step` has a value of his.
 */
export type NoteKind =
  | "log"
  | "floating"
  | "takeover"
  | "compensating"
  | "paused"
  | "held"
  | "resumed"
  | "retried"
  | "resolved"
  | "released"
  | "quarantined"
  | "breaker"
  | "stuck"
  | "rolled_back";
