/**
 * Worker: the registry of processes that claim runs, their leases, and what becomes
 * of a dead one's runs (P9).
 *
 * A takeover is two transactions: `buryWorker` commits the death, after which every
 * write of that worker is stale; only then `releaseRuns` bumps the fences.
 */
import { StepwellError } from "../../model/errors.ts";
import { failureText, parseFailure, toFailure } from "../../model/failure.ts";
import { isSuspect, type Run } from "../../model/run.ts";
import type { HeldRun, Offer, Released, Renewal, WorkerProcess, WorkerRow } from "../store.ts";
import { type Connection, connected, type Session } from "./connection.ts";
import { toWorker, type WorkerTableRow } from "./rows.ts";
import { lastSeqOf } from "./run.ts";
import { transact } from "./transaction.ts";
import { runOf } from "./version.ts";

/** Enter a process; its id is never given to another. */
export function registerWorker(
  session: Session,
  process: WorkerProcess,
  offer: Offer & { readonly leaseMs: number },
  nowMs: number,
): number {
  const { name, host, bootId, pid, pidNamespace, pidStartedAt } = process;
  const { concurrency, leaseMs } = offer;
  const who = [name, host, bootId, pid, pidNamespace, pidStartedAt] as const;
  const untilMs = Math.ceil(nowMs + leaseMs);
  const workflows = JSON.stringify(offer.workflows);
  return transact(session, ({ sql }) =>
    Number(sql.insertWorker.run(...who, concurrency, workflows, untilMs, nowMs, nowMs).lastInsertRowid),
  );
}

/** Not alive: declared dead, or never registered. */
export function renewWorker(
  session: Session,
  workerId: number,
  { leaseMs, executing }: { readonly leaseMs: number; readonly executing: number },
  nowMs: number,
): Renewal {
  const untilMs = Math.ceil(nowMs + leaseMs);
  return transact(session, ({ sql }) => {
    const alive = sql.renewWorker.run(untilMs, nowMs, executing, workerId).changes !== 0;
    const others = sql.findOthers.get(workerId) as unknown as Others;
    const lapseAtMs = others.others_lapse_at_ms;
    return {
      alive,
      othersLapseInMs: lapseAtMs === null ? null : Math.max(0, lapseAtMs - nowMs),
      newestWorkerId: others.newest_id ?? 0,
    };
  });
}

type Others = { readonly newest_id: number | null; readonly others_lapse_at_ms: number | null };

/** In the order of their ids. */
export function listWorkers(session: Session, nowMs: number): readonly WorkerRow[] {
  const rows = connected(session).sql.listWorkers.all() as unknown as readonly WorkerTableRow[];
  return rows.map((row) => toWorker(row, nowMs));
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

type RunToFree = { readonly id: number; readonly crashes: number; readonly error: string | null };

/** Free the runs of a worker that is dead already; those on probation when it died are quarantined. */
export function releaseRuns(session: Session, workerId: number, how: "died" | "left", nowMs: number): Released {
  return transact(session, (connection) => {
    const { sql } = connection;
    if (sql.findDeadWorker.get(workerId) === undefined) return { freed: 0, quarantined: [] };
    const quarantined: Run[] = [];
    const held = sql.listRunsToFree.all(workerId) as unknown as readonly RunToFree[];
    for (const run of held) {
      if (how === "died" && isSuspect(run)) {
        quarantine(connection, run, { workerId, nowMs });
        quarantined.push(runOf(session, connection, sql.findRunById.get(run.id)));
      } else free(connection, run, { workerId, how, nowMs });
    }
    return { freed: held.length - quarantined.length, quarantined };
  });
}

function free(
  connection: Connection,
  { id }: RunToFree,
  by: { readonly workerId: number; readonly how: "died" | "left"; readonly nowMs: number },
): void {
  const { sql } = connection;
  const { workerId, nowMs } = by;
  const died = by.how === "died";
  const seq = lastSeqOf(connection, id) + 1;
  sql.insertNote.run(id, seq, died ? "takeover" : "released", nowMs, died ? takeoverNote(workerId) : "null");
  sql.freeRun.run(nowMs, died ? 1 : 0, seq, id, workerId);
}

/** What the run was failing with, while it compensated, stays as the cause. */
function quarantine(
  connection: Connection,
  { id, crashes, error }: RunToFree,
  { workerId, nowMs }: { readonly workerId: number; readonly nowMs: number },
): void {
  const { sql } = connection;
  const seq = lastSeqOf(connection, id) + 2;
  const what = `${crashes + 1} workers in a row died while they executed it, the last one while it ran alone.`;
  const failure = { ...toFailure(new StepwellError("RUN_QUARANTINED", what)), retryable: false };
  const text = failureText(error === null ? failure : { ...failure, cause: parseFailure(error) });
  sql.insertNote.run(id, seq - 1, "takeover", nowMs, takeoverNote(workerId));
  sql.insertNote.run(id, seq, "quarantined", nowMs, `{"error":${text}}`);
  sql.quarantineRun.run(text, seq, id, workerId);
}

/** Leave the registry; without effect while it still holds runs. */
export function retireWorker(session: Session, workerId: number): void {
  transact(session, ({ sql }) => sql.deleteWorker.run(workerId));
}

function takeoverNote(workerId: number): string {
  const message = `worker ${workerId} died while it held the run`;
  return JSON.stringify({ error: { name: "WorkerDied", message, retryable: true } });
}
