/**
 * Inbox: what outsiders leave for a run. Each item is a row, numbered per run,
 * consumed once and in order (P6); nobody but the owner of the claim acts on it.
 */

/** What an item is. All but signals, the ends of children and decisions on approvals are requests of operators. */
export type InboxKind = "signal" | "child" | "decision" | "cancel" | "pause" | "resume";

/** One message for a run, as stored. */
export type InboxItem = {
  /** Numbered per run from 1, without gaps. */
  readonly seq: number;
  readonly kind: InboxKind;
  /** Signal name; key of the step that awaits the child, or of the approval; empty for what an operator asks for. */
  readonly name: string;
  /** Encoded signal payload, decision, or reason of what an operator asks for; a child's Ending in JSON. */
  readonly payload: string;
  readonly actor: string;
  readonly atMs: number;
};

/** What an outsider posts. `operationId` makes a resubmission harmless. */
export type NewInboxItem = {
  readonly kind: Exclude<InboxKind, "child">;
  readonly name: string;
  readonly payload: string;
  readonly actor: string;
  readonly operationId: string;
};
