/**
 * Inbox: items are numbered and wake their run in the same transaction (S7).
 */
import type { InboxItem, InboxKind } from "../../model/inbox.ts";
import { isTerminal, type RunState } from "../../model/run.ts";
import type { Delivery } from "../delivery.ts";
import { type ItemRow, toItem } from "../rows.ts";
import type { Write, WriteResult } from "../write.ts";
import type { Batch } from "./batch.ts";
import { connected, type Session } from "./connection.ts";

/** Leave an outsider's item, or answer with the one that its operation left before (S5). */
export function postItem(batch: Batch, { to, item }: Extract<Write, { kind: "post" }>): WriteResult {
  const found = batch.sql.findAddressee.get(to.namespace, to.name, to.id);
  if (found === undefined) return { kind: "unknown_run" };
  const { id: rowId, state } = found as unknown as { readonly id: number; readonly state: RunState };
  const before = findDelivered(batch, rowId, item.operationId);
  if (before !== null) return before;
  if (isTerminal(state)) return { kind: "ended", state };
  return deliver(batch, rowId, item) ?? { kind: "unknown_run" };
}

/** Append an item and wake its run; null when there is no such run, or it has ended. */
export function deliver(batch: Batch, rowId: number, delivery: Delivery): WriteResult | null {
  const { sql, nowMs } = batch;
  const { kind, name, payload, actor, operationId } = delivery;
  const woken = wake(batch, rowId, kind);
  if (woken === undefined) return null;
  const seq = Number(woken["inbox_seq"]);
  sql.insertItem.run(rowId, seq, kind, name, payload, actor, operationId, nowMs);
  const item: InboxItem = { seq, kind, name, payload, actor, atMs: nowMs };
  return { kind: "posted", atMs: nowMs, rowId, item, claimable: woken["due_at_ms"] !== null };
}

/** S7. Undefined: there is no such run, or it has ended. */
function wake({ sql, nowMs }: Batch, rowId: number, kind: InboxKind): Record<string, unknown> | undefined {
  switch (kind) {
    case "pause":
      return sql.holdForItem.get(rowId);
    case "cancel":
    case "resume":
      return sql.reviveForItem.get(kind === "resume" ? 1 : 0, nowMs, nowMs, rowId);
    case "signal":
    case "decision":
    case "child":
      return sql.wakeForItem.get(nowMs, nowMs, rowId);
  }
}

/** What an operation has left in that run's inbox already; null: nothing. */
export function findDelivered({ sql, nowMs }: Batch, rowId: number, operationId: string): WriteResult | null {
  const row = sql.findItem.get(rowId, operationId) as unknown as ItemRow | undefined;
  if (row === undefined) return null;
  const dueAtMs = sql.findDue.get(rowId)?.["due_at_ms"] as number | null;
  return { kind: "posted", atMs: nowMs, rowId, item: toItem(row), claimable: dueAtMs !== null && dueAtMs <= nowMs };
}

/** Items of a run that are not consumed, above `afterSeq`. */
export function listInbox(session: Session, rowId: number, afterSeq: number): readonly InboxItem[] {
  return (connected(session).sql.listInbox.all(rowId, afterSeq) as unknown as readonly ItemRow[]).map(toItem);
}
