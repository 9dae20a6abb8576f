/**
 * Write: what a group commit stores, entry by entry, and the answer to each; see S2 and S4 to S7 in store.ts.
 */
import type { NewApproval } from "../model/approval.ts";
import type { StepwellError } from "../model/errors.ts";
import type { NoteKind } from "../model/history.ts";
import type { InboxItem, NewInboxItem } from "../model/inbox.ts";
import type { NewRun, Owner, Parent, Run, RunState } from "../model/run.ts";
import type { Checkpoint, NewAttempt } from "../model/step.ts";
import type { Transition } from "../model/transition.ts";

/** One entry of a group commit. Writes of one owner are applied in the order given; posts in theirs, after all others. */
export type Write =
  /**
   * `claimFor`: insert it already claimed, under fence 1, for that worker. `owner`: the parent's, when a step starts
   * it.
   */
  | {
      readonly kind: "insert_run";
      readonly run: NewRun;
      readonly claimFor: number | null;
      readonly owner: Owner | null;
    }
  /**
   * `consumes`: the inbox item that this checkpoint uses up; its consumption has history number `checkpoint.seq - 1`.
   * `clearsCrashes`: the run makes progress, its crashes are forgotten; told only where there were some.
   */
  | {
      readonly kind: "checkpoint";
      readonly owner: Owner;
      readonly checkpoint: Checkpoint;
      readonly consumes: number | null;
      readonly clearsCrashes: boolean;
    }
  /**
   * `dueInMs` is added to the store's clock; `attempt.dueAtMs` is used where it is null. State `running` tells that the
   * attempt began `durationMs` ago, under the number `seq`; when it fails, that row turns and keeps its beginning. One
   * that was `running` when its worker died begins again: the earlier beginning stays in the history. `opens`: what the
   * run asks people for from then on; the checkpoint of that key closes it.
   */
  | {
      readonly kind: "attempt";
      readonly owner: Owner;
      readonly attempt: NewAttempt;
      readonly dueInMs: number | null;
      readonly opens?: NewApproval;
    }
  /** The heartbeat of a `running` attempt; refused when no such attempt was stored. Overwrites the one before. */
  | {
      readonly kind: "beat";
      readonly owner: Owner;
      readonly key: string;
      readonly attempt: number;
      readonly value: string | null;
    }
  /**
   * `seq`: its history number (a park has none of its own: the last one used). An end is told by the run's row;
   * `compensate`, `pause`, `hold` and `release` store a note of that number. `consumes`: the request that caused it,
   * consumed as `seq - 1`.
   * `parent`: of the run; the end of an awaited child is posted to that run's inbox as an Ending, in JSON.
   */
  | {
      readonly kind: "transition";
      readonly owner: Owner;
      readonly transition: Transition;
      readonly seq: number;
      readonly consumes: number | null;
      readonly parent: Parent | null;
    }
  | {
      readonly kind: "note";
      readonly owner: Owner;
      readonly note: NoteKind;
      readonly value: string;
      readonly seq: number;
      /** The inbox item that it tells of, consumed as `seq - 1`. */
      readonly consumes: number | null;
    }
  /** Overwrites the run's progress. */
  | { readonly kind: "progress"; readonly owner: Owner; readonly value: string }
  /** Replaces the run's search attributes: a JSON object of texts, finite numbers and booleans. */
  | { readonly kind: "attributes"; readonly owner: Owner; readonly values: string }
  | { readonly kind: "post"; readonly to: RunRef; readonly item: NewInboxItem }
  /** The body of a parked run moved by itself: make it due now, if nobody took it since `fence`. */
  | { readonly kind: "wake"; readonly rowId: number; readonly fence: number };

/** A run by its public name: namespace, workflow name, id. */
export type RunRef = { readonly namespace: string; readonly name: string; readonly id: string };

/** The answer to one Write. `atMs` is the store's clock at the flush. */
export type WriteResult =
  | { readonly kind: "stored"; readonly atMs: number }
  /** `insert_run` only: the new row. `claimed`: for `claimFor`, who was alive; false: it is due for anyone. */
  | { readonly kind: "inserted"; readonly atMs: number; readonly rowId: number; readonly claimed: boolean }
  /**
   * `insert_run` only: a run of that id was there (or our own earlier submission: `run.workerId` and `run.fence`
   * tell), as it is by this write's place in the flush, or when all of it is stored.
   */
  | { readonly kind: "exists"; readonly run: Run }
  /**
   * `post`, and a `transition` that ended an awaited child: the item left, whose inbox, and whether that run must now
   * be claimed.
   */
  | {
      readonly kind: "posted";
      readonly atMs: number;
      readonly rowId: number;
      readonly item: InboxItem;
      readonly claimable: boolean;
    }
  /** `post` only: no such run, or one that has ended. */
  | { readonly kind: "unknown_run" }
  | { readonly kind: "ended"; readonly state: RunState }
  /** The owner does not hold the run any more. */
  | { readonly kind: "stale" }
  /** `park` and `hold` only: the inbox holds more than was seen; the claim is kept. */
  | { readonly kind: "unseen" }
  /** This write alone was impossible. */
  | { readonly kind: "refused"; readonly error: StepwellError };
