/**
 * Approval: what runs ask people for. A request is opened together with the beginning of the wait, and closed together
 * with the checkpoint of its outcome, so that none is open whose run has gone on.
 */
import { type NewApproval, stateAfter } from "../../model/approval.ts";
import type { Owner } from "../../model/run.ts";
import type { Checkpoint } from "../../model/step.ts";
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
import type { Batch } from "./batch.ts";
import { connected, type Session } from "./connection.ts";
import { readSnapshot, transact } from "./transaction.ts";

/** Together with the beginning of the wait, which is being stored. */
export function openApproval(
  { sql, nowMs }: Batch,
  rowId: number,
  approval: NewApproval,
  dueAtMs: number | null,
): void {
  const { key, title, to, request } = approval;
  const opened = sql.openApproval.get(key, nowMs, dueAtMs, title, JSON.stringify(to), request, rowId);
  if (opened === undefined) return;
  for (const name of to) sql.insertAddressee.run(name, opened["id"]!);
}

/** Null: the owner does not hold the run, or it is not open. */
export function updateApproval(session: Session, owner: Owner, approval: NewApproval): number | null {
  const { key, title, to, request } = approval;
  const { rowId, workerId, fence } = owner;
  return transact(session, ({ sql }) => {
    if (sql.findLivingWorker.get(workerId) === undefined) return null;
    const found = sql.findOpenApproval.get(rowId, key, rowId, workerId, fence);
    if (found === undefined) return null;
    const approvalId = found["id"]!;
    sql.updateApproval.run(title, JSON.stringify(to), request, approvalId);
    for (const name of addresseesOf(found)) if (!to.includes(name)) sql.deleteAddressee.run(name, approvalId);
    for (const name of to) sql.insertAddressee.run(name, approvalId);
    return Number(found["opened_at_ms"]);
  });
}

/** Together with the checkpoint of its outcome, which is being stored. */
export function closeApproval({ sql, nowMs }: Batch, rowId: number, { key, outcome, value }: Checkpoint): void {
  const state = stateAfter(outcome, value);
  const closed = sql.closeApproval.get(state, nowMs, rowId, key, rowId);
  if (closed === undefined) return;
  for (const name of addresseesOf(closed)) sql.closeAddressee.run(state, name, closed["id"]!);
}

function addresseesOf(row: Record<string, unknown>): readonly string[] {
  return JSON.parse(String(row["addressees"])) as readonly string[];
}

/** Null: that run has never asked for it. */
export function findApproval(session: Session, ref: RunRef, key: string): FoundApproval | null {
  return readSnapshot(session, ({ sql }) => {
    const row = sql.findApproval.get(ref.namespace, ref.name, ref.id, key) as unknown as ApprovalRow | undefined;
    if (row === undefined) return null;
    const decisions = sql.listDecisions.all(row.id, DECISIONS_MAX) as unknown as readonly DecisionRow[];
    return { rowId: row.run_id, approval: toApproval(row), decisions: decisions.map(toDecision) };
  });
}

/** Newest first. */
export function listApprovals(session: Session, filter: ApprovalFilter): ApprovalPage {
  const { sql } = connected(session);
  const { state, to, namespace = null, name = null, beforeId = Number.MAX_SAFE_INTEGER, limit } = filter;
  const more = [state, beforeId, APPROVALS_LOOK_MAX, namespace, namespace, name, name, limit] as const;
  const rows =
    to === undefined ? sql.listApprovals.all(...more) : sql.listApprovalsFor.all(JSON.stringify(to), ...more);
  return toPage(rows as unknown as readonly ApprovalPageRow[], limit);
}
