/**
 * Piece: a row of an answer that was read from several tables at one moment. `piece` says from which, and the columns
 * that they share stand for what each calls its own.
 */
import type { NoteRow } from "../events.ts";
import type { AttemptRow, ItemRow, StepRow } from "../rows.ts";
import type { Row } from "./query.ts";

/** Columns of a piece, as far as any reader wants them. */
export type Piece = Row & {
  readonly piece: "run" | "step" | "attempt" | "item" | "note" | "undone";
  readonly seq: number;
  readonly value: string;
};

/** Those from `steps`. */
export function toSteps(pieces: readonly Piece[]): readonly StepRow[] {
  return pieces.filter(({ piece }) => piece === "step") as unknown as readonly StepRow[];
}

/** Those from `attempts`. */
export function toAttempts(pieces: readonly Piece[]): readonly AttemptRow[] {
  const attempts = pieces.filter(({ piece }) => piece === "attempt");
  return attempts.map((piece) => ({ ...piece, state: piece["outcome"], error: piece.value }) as unknown as AttemptRow);
}

/** Those from `inbox`, by `seq`. */
export function toItems(pieces: readonly Piece[]): readonly ItemRow[] {
  const items = pieces.filter(({ piece }) => piece === "item").toSorted(bySeq);
  return items.map((piece) => ({ ...piece, name: piece["key"], payload: piece.value }) as unknown as ItemRow);
}

/** Those from `notes`. */
export function toNotes(pieces: readonly Piece[]): readonly NoteRow[] {
  return pieces.filter(({ piece }) => piece === "note") as unknown as readonly NoteRow[];
}

/** In the order of a history. */
export function bySeq(one: { readonly seq: number }, other: { readonly seq: number }): number {
  return one.seq - other.seq;
}
