/**
 * Approval: requests to people as every database keeps them, and what is asked about them.
 */
import type { Approval, ApprovalState, StoredDecision } from "../model/approval.ts";
import type { ApprovalPage } from "./store.ts";

/** Approvals of one state, or of one addressee, that one call looks at, whatever it finds (P11). */
export const APPROVALS_LOOK_MAX = 1_000;

/** Decisions on one approval that are read. */
export const DECISIONS_MAX = 1_000;

/** A row of `approvals`, with what its run tells. */
export type ApprovalRow = {
  readonly id: number;
  readonly run_id: number;
  readonly key: string;
  readonly state: ApprovalState;
  readonly opened_at_ms: number;
  readonly due_at_ms: number | null;
  readonly closed_at_ms: number | null;
  readonly title: string;
  readonly addressees: string;
  readonly request: string;
  readonly public_id: string;
  readonly actor: string;
  readonly namespace: string;
  readonly name: string;
};

/** What a page is made of: how far was looked, and a row, or none of it that fits. */
export type ApprovalPageRow = { readonly looked: number; readonly looked_to: number | null } & (
  | ApprovalRow
  | { readonly id: null }
);

/** A decision in the inbox, with the value of the checkpoint that judges it. */
export type DecisionRow = {
  readonly seq: number;
  readonly operation_id: string;
  readonly actor: string;
  readonly at_ms: number;
  readonly payload: string;
  readonly verdict: string | null;
};

/** An approval as the port tells it. */
export function toApproval(row: ApprovalRow): Approval {
  return {
    approvalId: row.id,
    namespace: row.namespace,
    name: row.name,
    runId: row.public_id,
    requestedBy: row.actor,
    key: row.key,
    state: row.state,
    title: row.title,
    to: JSON.parse(row.addressees) as string[],
    request: row.request,
    openedAtMs: row.opened_at_ms,
    dueAtMs: row.due_at_ms,
    closedAtMs: row.closed_at_ms,
  };
}

/** A decision as the port tells it. */
export function toDecision(row: DecisionRow): StoredDecision {
  const { seq, operation_id: operationId, actor, at_ms: atMs, payload, verdict } = row;
  return { seq, operationId, actor, atMs, payload, verdict };
}

/** A page of the rows that a query gave: at least one, which tells how far it looked. */
export function toPage(rows: readonly ApprovalPageRow[], limit: number): ApprovalPage {
  const approvals = rows.flatMap((row) => (row.id === null ? [] : [toApproval(row as ApprovalRow)]));
  const { looked, looked_to: lookedTo } = rows[0]!;
  if (approvals.length === limit) return { approvals, beforeId: approvals.at(-1)!.approvalId };
  return { approvals, beforeId: Number(looked) < APPROVALS_LOOK_MAX ? null : lookedTo };
}
