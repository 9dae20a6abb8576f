/**
 * Run: one execution of a workflow, as the store keeps it and the engine claims it.
 *
 * Payloads (`input`, `output`, `error`) are encoded text here, see model/json.ts;
 * only the engine's rim decodes them.
 */

/** All states of a run. */
export const RUN_STATES = [
  "pending",
  "running",
  "waiting",
  "paused",
  "compensating",
  "completed",
  "failed",
  "cancelled",
  "quarantined",
] as const;

/** Where a run stands. `waiting` is parked; `waitingFor` says for what. */
export type RunState = (typeof RUN_STATES)[number];

/** States that no transition leaves (P8). */
export type TerminalState = "completed" | "failed" | "cancelled";

/** True for a state that no transition leaves. */
export function isTerminal(state: RunState): state is TerminalState {
  return state === "completed" || state === "failed" || state === "cancelled";
}

/**
 * From this many takeovers on, without a checkpoint in between, a run is suspected of killing its workers: it is on
 * probation, that is, executed alone (F18).
 */
export const SUSPECT_CRASHES = 2;

/** True for a run on probation. */
export function isSuspect(run: { readonly crashes: number }): boolean {
  return run.crashes >= SUSPECT_CRASHES;
}

/** A search attribute's value; numbers are finite. */
export type AttributeValue = string | number | boolean;

/** What a run can be found by, name by name. */
export type Attributes = { readonly [name: string]: AttributeValue };

/** What a run waits for, as shown to people. `dueAtMs` null: no deadline. */
export type Wait = {
  /**
   * `retry`: for the next attempt of a step. `breaker`: until one may be made. `worker`: the run is due, and no living worker
   * can execute it.
   */
  readonly kind: "retry" | "timer" | "signal" | "child" | "approval" | "breaker" | "worker";
  /** Key of the step that waits; empty for a worker. */
  readonly key: string;
  /** Signal, child run, title of an approval, breaker, or `namespace/name@version` of a worker; else as `key`. */
  readonly name: string;
  /** Epoch milliseconds by the store's clock. */
  readonly dueAtMs: number | null;
};

/** A definition's identity: `namespace/name@version`. */
export type Identity = { readonly namespace: string; readonly name: string; readonly version: string };

/**
 * The run that started this one and the step that did it; `awaited` children report their outcome to the parent's
 * inbox.
 */
export type Parent = { readonly rowId: number; readonly key: string; readonly awaited: boolean };

/** Proof of ownership: which worker, which taking (P3). Every write about a running run carries it. */
export type Owner = { readonly rowId: number; readonly workerId: number; readonly fence: number };

/** A run as read from the store. Moments are epoch milliseconds by the store's clock. */
export type Run = Identity & {
  /** The store's own integer key; never shown to users. */
  readonly rowId: number;
  /** Unique per (namespace, name): the caller's, or a UUIDv7. */
  readonly id: string;
  readonly versionId: number;
  readonly state: RunState;
  readonly input: string;
  /** Hash of the raw canonical input; null when the id was not the caller's. */
  readonly inputHash: string | null;
  readonly output: string | null;
  /** A stored Failure (model/failure.ts): of a failed, cancelled, compensating, paused or quarantined run. */
  readonly error: string | null;
  /** Paused by an operator: only one resumes it. */
  readonly onHold: boolean;
  /** The state that follows compensation; null unless `compensating`, or `paused` or `quarantined` during one. */
  readonly ending: "failed" | "cancelled" | null;
  /** Who started it. */
  readonly actor: string;
  /** Randomness that `ctx.uuid` and `ctx.random` derive from; a safe integer. */
  readonly seed: number;
  /** 1-based; an operator's retry opens the next. */
  readonly generation: number;
  /** Counts the takings; a write under an older one changes nothing. */
  readonly fence: number;
  readonly workerId: number | null;
  /** Takeovers from dead workers since the last checkpoint. */
  readonly crashes: number;
  /** Sequence number of the newest inbox item. */
  readonly inboxSeq: number;
  /** History sequence number of the newest transition. */
  readonly historySeq: number;
  readonly parent: Parent | null;
  readonly waitingFor: readonly Wait[];
  /** Encoded value of the last `ctx.progress`. */
  readonly progress: string | null;
  readonly attributes: Attributes;
  readonly createdAtMs: number;
  /** When an unowned run may next be claimed; null: not by time alone, or owned, or ended. */
  readonly dueAtMs: number | null;
  readonly endedAtMs: number | null;
  /** When the run has taken too long as a whole; null: never. The store keeps it, the engine enforces it. */
  readonly deadlineAtMs: number | null;
};

/** A run to be inserted. The store adds `createdAtMs` and the row id. */
export type NewRun = {
  /** Row of the workflow's version in this store, see Store.ensureVersion. */
  readonly versionId: number;
  readonly id: string;
  readonly input: string;
  readonly inputHash: string | null;
  readonly actor: string;
  readonly seed: number;
  readonly parent: Parent | null;
  /** From its insertion, by the store's clock, to its deadline; null: it may take for ever. */
  readonly timeoutMs: number | null;
};
