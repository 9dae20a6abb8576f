/**
 * Remark: what operators write down about runs.
 */
import type { NewRemark } from "../../model/remark.ts";
import type { RemarkOf } from "../../store/store.ts";
import { checkOneOf, checkTexts } from "./batch.ts";
import type { World } from "./world.ts";

/** Once per operation. */
export function addRemark({ remarks }: World, rowId: number, remark: NewRemark, nowMs: number): void {
  const { operationId, ...told } = remark;
  checkTexts({ actor: told.actor, text: told.text, operationId });
  checkOneOf("kind", told.kind, ["note", "dismissed"]);
  if (remarks.some((one) => one.rowId === rowId && one.operationId === operationId)) return;
  remarks.push({ ...told, rowId, operationId, atMs: nowMs });
}

/** In the order in which they were made. */
export function listRemarks({ remarks }: World, rowIds: readonly number[]): readonly RemarkOf[] {
  return remarks.filter(({ rowId }) => rowIds.includes(rowId)).map(({ operationId: _, ...remark }) => remark);
}
