/**
 * Worker: the registry of processes that claim runs, their leases, and what becomes
 * of a dead one's runs (P9).
 *
 * A takeover is two transactions: `buryWorker` commits the death, after which every
 * write of that worker is stale; only then `releaseRuns` bumps the fences.
 */
import type { HeldRun, WorkerProcess, WorkerRow } from "../store.ts";
import { connected, type Session } from "./connection.ts";
import { toWorker, type WorkerTableRow } from "./rows.ts";
import { lastSeqOf } from "./run.ts";
import { transact } from "./transaction.ts";

/** Enter a process; its id is never given to another. */
export function registerWorker(session: Session, worker: WorkerProcess, leaseMs: number, nowMs: number): number {
  const { name, host, bootId, pid, pidNamespace, pidStartedAt } = worker;
  const untilMs = Math.ceil(nowMs + leaseMs);
  return transact(session, ({ sql }) =>
    Number(sql.insertWorker.run(name, host, bootId, pid, pidNamespace, pidStartedAt, untilMs, nowMs).lastInsertRowid),
  );
}

/** False: declared dead, or never registered. */
export function renewWorker(session: Session, workerId: number, leaseMs: number, nowMs: number): boolean {
  const untilMs = Math.ceil(nowMs + leaseMs);
  return transact(session, ({ sql }) => sql.renewWorker.run(untilMs, workerId).changes !== 0);
}

/** In the order of their ids. */
export function listWorkers(session: Session): readonly WorkerRow[] {
  return (connected(session).sql.listWorkers.all() as unknown as readonly WorkerTableRow[]).map(toWorker);
}

/** False: it lives. One that is dead already, or has left, counts as buried. */
export function buryWorker(session: Session, workerId: number, gone: boolean, nowMs: number): boolean {
  return transact(session, ({ sql }) => {
    if (sql.buryWorker.run(workerId, gone ? 1 : 0, nowMs).changes !== 0) return true;
    return sql.findLivingWorker.get(workerId) === undefined;
  });
}

/** What the worker holds, in no order. */
export function listHeldRuns(session: Session, workerId: number): readonly HeldRun[] {
  const rows = connected(session).sql.listHeldRuns.all(workerId) as unknown as readonly HeldRow[];
  return rows.map(({ id, inbox_seq }) => ({ rowId: id, inboxSeq: inbox_seq }));
}

type HeldRow = { readonly id: number; readonly inbox_seq: number };

/** Free the runs of a worker that is dead already; 0 for any other. */
export function releaseRuns(session: Session, workerId: number, nowMs: number): number {
  return transact(session, (connection) => {
    const { sql } = connection;
    if (sql.findDeadWorker.get(workerId) === undefined) return 0;
    const held = sql.listHeldRuns.all(workerId) as unknown as readonly HeldRow[];
    const note = takeoverNote(workerId);
    for (const { id } of held) {
      const seq = lastSeqOf(connection, id) + 1;
      sql.insertNote.run(id, seq, "takeover", nowMs, note);
      sql.freeRun.run(nowMs, seq, id, workerId);
    }
    return held.length;
  });
}

/** Leave the registry; without effect while it still holds runs. */
export function retireWorker(session: Session, workerId: number): void {
  transact(session, ({ sql }) => sql.deleteWorker.run(workerId));
}

function takeoverNote(workerId: number): string {
  const message = `worker ${workerId} died while it held the run`;
  return JSON.stringify({ error: { name: "WorkerDied", message, retryable: true } });
}
