/**
 * Approval: what runs ask people for. Opened and closed by the flush that stores the beginning and the outcome of the
 * wait, see flushOpenings and flushClosings.
 */
import type { NewApproval } from "../../model/approval.ts";
import type { Owner } from "../../model/run.ts";
import {
  type ApprovalPageRow,
  type ApprovalRow,
  APPROVALS_LOOK_MAX,
  DECISIONS_MAX,
  type DecisionRow,
  toApproval,
  toDecision,
  toPage,
} from "../approval.ts";
import type { ApprovalFilter, ApprovalPage, FoundApproval } from "../store.ts";
import type { RunRef } from "../write.ts";
import { askPatiently, read, type Session } from "./session.ts";

/** Null: the owner does not hold the run, or it is not open. */
export async function updateApproval(session: Session, owner: Owner, approval: NewApproval): Promise<number | null> {
  const addressees = JSON.stringify(approval.to);
  const [row] = await askPatiently(session, "claim", "updateApproval", { ...owner, ...approval, addressees });
  return row === undefined ? null : Number(row["opened_at_ms"]);
}

type FoundRow = ApprovalRow & { readonly decisions: readonly DecisionRow[] | null };

/** Null: that run has never asked for it. */
export async function findApproval(session: Session, ref: RunRef, key: string): Promise<FoundApproval | null> {
  const values = { namespace: ref.namespace, name: ref.name, publicId: ref.id, key, limit: DECISIONS_MAX };
  const [row] = (await read(session, "findApproval", values)) as readonly unknown[] as readonly FoundRow[];
  if (row === undefined) return null;
  return { rowId: row.run_id, approval: toApproval(row), decisions: (row.decisions ?? []).map(toDecision) };
}

/** Newest first. */
export async function listApprovals(session: Session, filter: ApprovalFilter): Promise<ApprovalPage> {
  const { to, beforeId = Number.MAX_SAFE_INTEGER, namespace = null, name = null, limit, state } = filter;
  const values = { state, beforeId, namespace, name, limit, lookMax: APPROVALS_LOOK_MAX };
  const rows =
    to === undefined
      ? await read(session, "listApprovals", values)
      : await read(session, "listApprovalsFor", { ...values, to });
  return toPage(rows as readonly unknown[] as readonly ApprovalPageRow[], limit);
}
