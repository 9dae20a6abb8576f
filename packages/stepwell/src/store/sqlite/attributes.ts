/**
 * Attributes: what a run can be found by. The run's row has them as one object; the
 * table of that name has an entry each, for the look-up by value.
 */
import { StepwellError } from "../../model/errors.ts";
import type { Write, WriteResult } from "../store.ts";
import { answerAgain, type Batch, findLastHeld, isAlive, STALE } from "./batch.ts";
import { toAttributes } from "./rows.ts";

/** Replace a run's attributes. */
export function saveAttributes(batch: Batch, { owner, values }: Extract<Write, { kind: "attributes" }>): WriteResult {
  if (!isAlive(batch, owner.workerId)) return STALE;
  const { sql } = batch;
  const { rowId, workerId, fence } = owner;
  const row = sql.findAttributes.get(rowId, workerId, fence);
  if (row === undefined) return answerAgain(batch, findLastHeld(batch, owner));
  sql.saveAttributes.run(values, rowId, workerId, fence);
  for (const [name, value] of entriesOf(row["attributes"] as string | null)) {
    sql.deleteAttribute.run(name, value, rowId);
  }
  for (const [name, value] of entriesOf(values)) sql.insertAttribute.run(name, value, rowId);
  return batch.stored;
}

/** Each value as JSON, as a filter spells it. */
function entriesOf(values: string | null): readonly (readonly [name: string, value: string])[] {
  const attributes: unknown = toAttributes(values);
  const isObject = typeof attributes === "object" && attributes !== null && !Array.isArray(attributes);
  if (!isObject) throw new StepwellError("STORE_WRITE_REFUSED", "search attributes are not an object");
  return Object.entries(attributes).map(([name, value]) => {
    if (["string", "number", "boolean"].includes(typeof value)) return [name, JSON.stringify(value)];
    throw new StepwellError("STORE_WRITE_REFUSED", `search attribute "${name}" is not a text, number or boolean`);
  });
}
