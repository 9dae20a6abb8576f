/**
 * Remark: what operators write down about runs.
 */
import type { NewRemark } from "../../model/remark.ts";
import { type RemarkRow, toRemark } from "../rows.ts";
import type { RemarkOf } from "../store.ts";
import { connected, type Session } from "./connection.ts";
import { transact } from "./transaction.ts";

/** Once per operation. */
export function addRemark(session: Session, rowId: number, remark: NewRemark, nowMs: number): void {
  const { kind, generation, actor, operationId, text } = remark;
  transact(session, ({ sql }) => {
    sql.addRemark.run(rowId, kind, generation, actor, operationId, nowMs, text);
  });
}

/** In the order in which they were made. */
export function listRemarks(session: Session, rowIds: readonly number[]): readonly RemarkOf[] {
  const rows = connected(session).sql.listRemarks.all(JSON.stringify(rowIds));
  return (rows as unknown as readonly (RemarkRow & { readonly id: number })[])
    .toSorted((a, b) => a.id - b.id)
    .map(toRemark);
}
