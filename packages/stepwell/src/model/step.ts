/**
 * Step: a named durable action inside a run, and its checkpoint.
 *
 * Identity is the key, never the position: `name`, or `name/part` for an item.
 * Keys that begin with `@` are the engine's own (`@wait/approval/1`).
 */

/**
 * What kind of ctx call wrote the checkpoint; a replay that asks for another kind has diverged. `decision` and
 * `escalation` are parts of an approval, see approval.ts; `fork` begins
 * a run that is one, see ancestry.ts.
 */
export type StepKind =
  | "step"
  | "tx"
  | "sleep"
  | "signal"
  | "child"
  | "start"
  | "now"
  | "race"
  | "compensation"
  | "approval"
  | "decision"
  | "escalation"
  | "fork";

/**
 * How a step ended. `handled`: a failure turned into a value by onError or fallback; `resolved`: one that an operator gave
 * a value.
 */
export type StepOutcome = "completed" | "handled" | "resolved" | "failed" | "cancelled";

/** A step's saved, immutable outcome (P2). */
export type Checkpoint = {
  readonly key: string;
  readonly kind: StepKind;
  readonly outcome: StepOutcome;
  /** Encoded value (`completed`, `handled`, `resolved`) or stored Failure (`failed`, `cancelled`). */
  readonly value: string;
  /** History sequence number; outcomes are delivered in this order, first and on replay. */
  readonly seq: number;
  /** 1-based attempt that produced it. */
  readonly attempt: number;
  /** Whether the call had a compensation; a replay must find its closure again. */
  readonly compensable: boolean;
  /** Milliseconds from the start of the deciding attempt to its end, by the host's monotonic clock. */
  readonly durationMs: number;
};

/** A failed attempt with its next due time, one that is still running, or the durable beginning of a wait. */
export type Attempt = NewAttempt & {
  /** History number of its `attempt_began` event; null: it ended before anybody told of its beginning. */
  readonly beganSeq: number | null;
  /** When its code began; epoch milliseconds by the store's clock. Null as `beganSeq` is. */
  readonly beganAtMs: number | null;
  /** Encoded value of its last heartbeat, kept when a crash makes the same attempt begin again; null: none. */
  readonly beat: string | null;
  /** When that heartbeat was stored; epoch milliseconds by the store's clock. */
  readonly beatAtMs: number | null;
};

/** An attempt as its owner submits it. */
export type NewAttempt = {
  readonly key: string;
  readonly kind: StepKind;
  /**
   * `failed`: attempt `attempt` threw; `waiting`: a timer or a deadline began; `running`: its code has been running for
   * a while, and did not fail. A row stays `running` beside the checkpoint of an attempt that succeeded.
   */
  readonly state: "failed" | "waiting" | "running";
  /** 1-based. Waiting costs none: a wait is always attempt 1. */
  readonly attempt: number;
  /** History number of this row's newest event. */
  readonly seq: number;
  /** Stored Failure of a failed attempt. */
  readonly error: string | null;
  /**
   * When the next attempt or the wait is due; null: without end, or the last attempt. Epoch ms by the store's clock.
   */
  readonly dueAtMs: number | null;
  /** Milliseconds from the attempt's start until this was submitted. */
  readonly durationMs: number;
};

/** A step whose code has been running for a while under the run's present claim. */
export type ActiveStep = {
  readonly key: string;
  readonly kind: StepKind;
  readonly attempt: number;
  /** Epoch milliseconds by the store's clock. */
  readonly beganAtMs: number;
  /** Encoded value of its last heartbeat; null: none. */
  readonly beat: string | null;
  /** Epoch milliseconds by the store's clock. */
  readonly beatAtMs: number | null;
};
