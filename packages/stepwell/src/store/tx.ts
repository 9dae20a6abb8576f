/**
 * Tx: a transaction in which a user's statements and the engine's own rows commit together (P4).
 *
 * A store begins it, proves the owner, lets `work` say what is to be done, stores the checkpoint that `work` ends
 * with, and commits: all of it, or nothing.
 */
import type { Owner } from "../model/run.ts";
import type { Checkpoint } from "../model/step.ts";
import type { Write, WriteResult } from "./write.ts";

/** What a transaction is about. */
export type TxTerms = {
  /** Who must hold the run, from the beginning to the commit; null: no run is concerned. */
  readonly owner: Owner | null;
  /**
   * Key of a checkpoint that an earlier transaction of unknown outcome may have stored. It is looked for before anything
   * else, once that transaction has ended for certain. Null: there was none.
   */
  readonly doubt: string | null;
  /** A server ends by itself what takes longer; `work` is expected to end in this time as well. */
  readonly limitMs: number;
  /** As everywhere in the port: null is the store's own clock. */
  readonly nowMs: number | null;
};

/** A row of the user's, as the driver gives it. */
export type TxRow = Readonly<Record<string, unknown>>;

/** The open transaction, as `work` is handed it. Errors of statements are the driver's own. */
export type TxDoor = {
  readonly query: (sql: string, params: readonly unknown[]) => Promise<readonly TxRow[]>;
  readonly execute: (sql: string, params: readonly unknown[]) => Promise<{ readonly changes: number }>;
  /** As in a flush; `claimFor` and `owner` are null. */
  readonly insertRun: (write: Extract<Write, { kind: "insert_run" }>) => Promise<WriteResult>;
};

/** What a checkpoint is submitted as. */
export type CheckpointWrite = Extract<Write, { kind: "checkpoint" }>;

/** What `work` asks for when it is done. `checkpoint`: to be stored with it, under the owner of the terms. */
export type TxVerdict =
  | { readonly commit: false }
  | { readonly commit: true; readonly checkpoint: CheckpointWrite | null };

/** How a transaction ended. In all cases but the first nothing of it is left. */
export type TxAnswer =
  | { readonly kind: "committed" }
  /** There is a checkpoint of that key: of the transaction in doubt, which has committed, or of somebody else. */
  | { readonly kind: "recorded"; readonly checkpoint: Checkpoint }
  /** As `work` asked. */
  | { readonly kind: "rolled_back" }
  /** The owner does not hold the run. */
  | { readonly kind: "stale" }
  /** Another transaction was in the way: it may succeed when it is tried again at once. */
  | { readonly kind: "conflict"; readonly error: unknown }
  /** It could not be committed as `work` has left it: a constraint that is looked at last, or a frame that was broken. */
  | { readonly kind: "refused"; readonly error: unknown };
