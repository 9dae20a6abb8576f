/** Migration: one numbered step of a schema, and the way back from it. The stores apply them, each in its own manner. */
import { StepwellError } from "../model/errors.ts";

/** Numbers run 1, 2, 3, … `down` undoes it; null: of the first, before which there is nothing. */
export type Migration = {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
  readonly down: string | null;
};

/** A migration with its way back. */
export type Undoable = Migration & { readonly down: string };

/**
 * What to undo, newest first, until `to` is the newest.
 *
 * @throws OPTION_INVALID when `to` is no number from 1 to `from`
 */
export function wayDown(
  migrations: readonly Migration[],
  { from, to }: { readonly from: number; readonly to: number },
): readonly Undoable[] {
  if (!Number.isInteger(to) || to < 1 || to > from) {
    throw new StepwellError(
      "OPTION_INVALID",
      `a schema of version ${from} goes back to 1 to ${from}, not to ${String(to)}`,
    );
  }
  const undone = migrations.slice(to, from).filter((migration): migration is Undoable => migration.down !== null);
  return undone.toReversed();
}
