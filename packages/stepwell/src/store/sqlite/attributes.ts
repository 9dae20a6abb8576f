/**
 * Attributes: what a run can be found by. The run's row has them as one object; the
 * table of that name has an entry each, for the look-up by value.
 */
import { attributeEntries } from "../attributes.ts";
import type { Write, WriteResult } from "../write.ts";
import { answerAgain, type Batch, findLastHeld, isAlive, STALE } from "./batch.ts";

/** Replace a run's attributes. */
export function saveAttributes(batch: Batch, { owner, values }: Extract<Write, { kind: "attributes" }>): WriteResult {
  if (!isAlive(batch, owner.workerId)) return STALE;
  const { sql } = batch;
  const { rowId, workerId, fence } = owner;
  const row = sql.findAttributes.get(rowId, workerId, fence);
  if (row === undefined) return answerAgain(batch, findLastHeld(batch, owner));
  sql.saveAttributes.run(values, rowId, workerId, fence);
  for (const [name, value] of attributeEntries(row["attributes"] as string | null)) {
    sql.deleteAttribute.run(name, value, rowId);
  }
  for (const [name, value] of attributeEntries(values)) sql.insertAttribute.run(name, value, rowId);
  return batch.stored;
}
