/**
 * Damage: what faults are made with. Where to find a thing in the good evidence.
 */
import { encode } from "../../src/model/json.ts";
import type { Draft } from "./an-evidence.ts";

export type Flush = Draft["records"][number] & { kind: "flush" };
export type Start = Extract<Draft["witness"][number], { kind: "start" }>;

/** A way to break the good evidence, and the invariant that must notice. */
export type Fault = readonly [id: string, what: string, damage: (draft: Draft) => void];

export const text = (value: unknown): string => encode(value).text;
export const story = (draft: Draft, rowId: number) => draft.stories.find(({ run }) => run.rowId === rowId)!;
export const isFlush = (record: Draft["records"][number]): record is Flush => record.kind === "flush";

/** The flush that holds the only write of that description. */
export function flushOf(draft: Draft, matches: (write: Flush["writes"][number]) => boolean): Flush {
  return draft.records.filter(isFlush).find((record) => record.writes.some(matches))!;
}

export function checkpointOf(draft: Draft, rowId: number, key: string): Flush {
  return flushOf(
    draft,
    (write) => write.kind === "checkpoint" && write.owner.rowId === rowId && write.checkpoint.key === key,
  );
}

export function transitionOf(draft: Draft, rowId: number, kind: string): Flush {
  return flushOf(
    draft,
    (write) => write.kind === "transition" && write.owner.rowId === rowId && write.transition.kind === kind,
  );
}

/** Put a copy of a record after another, changed. */
export function again<T extends Draft["records"][number]>(
  draft: Draft,
  record: T,
  change: (copy: T) => void,
  after: Draft["records"][number] = record,
): void {
  const copy = structuredClone(record);
  copy.at = after.at + 0.5;
  change(copy);
  draft.records.push(copy);
  draft.records.sort((a, b) => a.at - b.at);
}

export function startOf(draft: Draft, run: string, key: string, undo = false): Start {
  return draft.witness.find(
    (event): event is Start => event.kind === "start" && event.run === run && event.key === key && event.undo === undo,
  )!;
}

/** One more start of a step's code, at a place in the order. */
export function startAgain(draft: Draft, start: Start, changes: Partial<Start>): void {
  draft.witness.push({ ...start, execution: 999, ...changes });
}
