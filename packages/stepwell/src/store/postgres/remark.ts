/**
 * Remark: what operators write down about runs.
 */
import type { NewRemark } from "../../model/remark.ts";
import { type RemarkRow, toRemark } from "../rows.ts";
import type { NowMs, RemarkOf } from "../store.ts";
import { askPatiently, read, type Session } from "./session.ts";

/** Once per operation. */
export async function addRemark(session: Session, rowId: number, remark: NewRemark, nowMs: NowMs): Promise<void> {
  await askPatiently(session, "claim", "addRemark", { ...remark, rowId, nowMs });
}

/** In the order in which they were made. */
export async function listRemarks(session: Session, rowIds: readonly number[]): Promise<readonly RemarkOf[]> {
  const rows = await read(session, "listRemarks", { rowIds });
  return (rows as unknown as readonly RemarkRow[]).map(toRemark);
}
