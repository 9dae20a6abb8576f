/**
 * Inbox: what outsiders leave for a run. Each item is a row, numbered per run,
 * consumed once and in order (P6); nobody but the owner of the claim acts on it.
 */

/** One message for a run, as stored. */
export type InboxItem = {
  /** Numbered per run from 1, without gaps. */
  readonly seq: number;
  readonly kind: "signal" | "child" | "cancel";
  /** Signal name; key of the step that awaits the child; empty for a cancel. */
  readonly name: string;
  /** Encoded signal payload; a child's Ending in JSON; encoded reason of a cancel. */
  readonly payload: string;
  readonly actor: string;
  readonly atMs: number;
};

/** What an outsider posts. `operationId` makes a resubmission harmless. */
export type NewInboxItem = {
  readonly kind: "signal" | "cancel";
  readonly name: string;
  readonly payload: string;
  readonly actor: string;
  readonly operationId: string;
};
