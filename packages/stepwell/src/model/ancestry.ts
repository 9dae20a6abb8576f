/**
 * Ancestry: where a fork comes from, told by the first checkpoint that it begins with.
 */
import type { Checkpoint } from "./step.ts";

/** Key of that checkpoint. */
export const FORK_KEY = "@fork";

/** Its value. */
export type Ancestry = {
  /** Id of the run that was forked. */
  readonly run: string;
  /** The id from which randomness derives: that of the first of all ancestors. */
  readonly origin: string;
  /** In which the run was. */
  readonly generation: number;
  /** Key of the first step that is performed again; null: as by a retry. */
  readonly from: string | null;
  /** Keys whose outputs were given; `input`, if that was. */
  readonly edited: readonly string[];
  readonly actor: string;
  readonly reason: string;
};

/** Where the run comes from; null: it is no fork. */
export function ancestryOf(checkpoints: readonly Checkpoint[]): Ancestry | null {
  const told = checkpoints.find(({ key }) => key === FORK_KEY);
  return told === undefined ? null : (JSON.parse(told.value) as Ancestry);
}
