/**
 * Approval: what runs ask people for. Open from the beginning of the wait until the checkpoint of that key.
 */
import { type Approval, decisionKey, type NewApproval, type StoredDecision } from "../../model/approval.ts";
import type { Owner } from "../../model/run.ts";
import type { ApprovalFilter, ApprovalPage, FoundApproval } from "../../store/store.ts";
import type { RunRef } from "../../store/write.ts";
import { findStanding } from "./batch.ts";
import { type Book, findBook, putBook, type StoredApproval, type World } from "./world.ts";

/** The approval of a wait that begins now. */
export function openedApproval(
  world: World,
  { run }: Book,
  opens: NewApproval,
  at: { readonly nowMs: number; readonly dueAtMs: number | null },
): StoredApproval {
  const approvalId = 1 + [...world.books.values()].reduce((sum, { approvals }) => sum + approvals.length, 0);
  const { namespace, name, id: runId, actor: requestedBy } = run;
  const place = { approvalId, namespace, name, runId, requestedBy };
  const { generation } = run;
  return { ...opens, ...place, generation, state: "open", openedAtMs: at.nowMs, dueAtMs: at.dueAtMs, closedAtMs: null };
}

/** Null: the owner does not hold the run, or it is not open. */
export function updateApproval(world: World, owner: Owner, update: NewApproval): number | null {
  const standing = findStanding(world, owner);
  if (standing?.held !== true) return null;
  const { book } = standing;
  const found = book.approvals.find((one) => isOpen(book, one, update.key));
  if (found === undefined) return null;
  const approvals = book.approvals.map((one) => (one === found ? { ...found, ...update } : one));
  putBook(world, { ...book, approvals });
  return found.openedAtMs;
}

/** Whether it is the open one of that key, in the run's present life. */
export function isOpen({ run }: Book, { key, state, generation }: StoredApproval, wanted: string): boolean {
  return key === wanted && state === "open" && generation === run.generation;
}

/** Of the newest life that has asked for it. Null: that run has never done so. */
export function findApproval(world: World, ref: RunRef, key: string): FoundApproval | null {
  const book = findBook(world, ref);
  const approval = book?.approvals.findLast((one) => one.key === key);
  if (!book || approval === undefined) return null;
  return { rowId: book.run.rowId, approval: shown(approval), decisions: decisionsOn(book, approval) };
}

/** As the port tells it. */
function shown({ generation: _, ...approval }: StoredApproval): Approval {
  return approval;
}

/** A verdict stands in whichever life of the run: an item is judged once. */
function decisionsOn({ inbox, steps, past }: Book, { key, openedAtMs }: Approval): readonly StoredDecision[] {
  return inbox
    .filter(({ kind, name, atMs }) => kind === "decision" && name === key && atMs >= openedAtMs)
    .map(({ seq, operationId, actor, atMs, payload }) => {
      const verdict = [...past.steps, ...steps].find((step) => step.key === decisionKey(key, seq))?.value ?? null;
      return { seq, operationId, actor, atMs, payload, verdict };
    });
}

/** Newest first. */
export function listApprovals({ books }: World, filter: ApprovalFilter): ApprovalPage {
  const { limit } = filter;
  const found = [...books.values()]
    .flatMap(({ approvals }) => approvals)
    .filter((approval) => fits(approval, filter))
    .toSorted((a, b) => b.approvalId - a.approvalId);
  const approvals = found.slice(0, limit).map(shown);
  return { approvals, beforeId: approvals.length === limit ? approvals.at(-1)!.approvalId : null };
}

function fits(approval: Approval, { state, to, namespace, name, beforeId }: ApprovalFilter): boolean {
  return (
    approval.state === state &&
    (to === undefined || approval.to.some((one) => to.includes(one))) &&
    (namespace === undefined || approval.namespace === namespace) &&
    (name === undefined || approval.name === name) &&
    (beforeId === undefined || approval.approvalId < beforeId)
  );
}
