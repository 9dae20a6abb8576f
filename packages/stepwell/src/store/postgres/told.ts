/**
 * Told: what is known about a round once its statement is back, and the answers that follow from it.
 */
import { toEnding } from "../../model/transition.ts";
import { type Delivery, endingDelivery, endingOperation } from "../delivery.ts";
import type { NowMs } from "../store.ts";
import type { Write, WriteResult } from "../write.ts";
import type { Session } from "./session.ts";

/** One flush under way. */
export type Batch = {
  readonly session: Session;
  readonly writes: readonly Write[];
  readonly nowMs: NowMs;
  /** At the places of the writes; filled round by round. */
  readonly results: WriteResult[];
  /** A part of it has been stored: whatever fails from then on, it is not true that nothing was. */
  begun: boolean;
};

/** A kind of write. */
export type Of<Kind extends Write["kind"]> = Extract<Write, { kind: Kind }>;

/** What is known about a round once its statement is back. */
export type Told = {
  readonly atMs: number;
  readonly alive: ReadonlySet<number>;
  readonly stored: WriteResult;
  /** Items that were delivered, by run and operation, see itemKey. */
  readonly items: ReadonlyMap<string, DeliveredItem>;
  /** And by operation alone; null where two runs have one of that name. */
  readonly byOperation: ReadonlyMap<string, DeliveredItem | null>;
  readonly wakes: ReadonlySet<number>;
  /** Inserted runs. */
  readonly runs: readonly number[];
};

/** An item as its run's inbox numbered it. */
export type DeliveredItem = {
  readonly rowId: number;
  readonly seq: number;
  readonly claimable: boolean;
  readonly actor: string;
};

/** The answer to a write whose owner does not hold the run. */
export const STALE: WriteResult = { kind: "stale" };

/** Operations are unique within one run. */
export function itemKey(rowId: number, operationId: string): string {
  return `${rowId} ${operationId}`;
}

/** The answer to a run that this round has inserted. */
export function insertedResult({ atMs, alive }: Told, { claimFor }: Of<"insert_run">, rowId: number): WriteResult {
  return { kind: "inserted", atMs, rowId, claimed: claimFor !== null && alive.has(claimFor) };
}

/** The answer to a transition that was applied. A parent that has ended, or is gone, needs no telling. */
export function turnedResult(told: Told, { owner, parent, transition }: Of<"transition">): WriteResult {
  const ending = parent?.awaited === true ? toEnding(transition) : null;
  if (parent === null || ending === null) return told.stored;
  const item = told.items.get(itemKey(parent.rowId, endingOperation(owner)));
  return item === undefined ? told.stored : postedResult(told, item, endingDelivery({ owner, id: "", parent, ending }));
}

/** The answer to an item that this round has delivered. */
export function postedResult({ atMs }: Told, item: DeliveredItem, sent: Omit<Delivery, "operationId">): WriteResult {
  const { rowId, seq, claimable, actor } = item;
  const { kind, name, payload } = sent;
  return { kind: "posted", atMs, rowId, item: { seq, kind, name, payload, actor, atMs }, claimable };
}
