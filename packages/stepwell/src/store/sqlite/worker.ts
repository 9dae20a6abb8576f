/**
 * Worker: the registry of processes that claim runs, their leases, and what becomes
 * of a dead one's runs (P9).
 *
 * A takeover is two transactions: `buryWorker` commits the death, after which every
 * write of that worker is stale; only then `releaseRuns` bumps the fences.
 */
import { isSuspect, type Run } from "../../model/run.ts";
import { quarantineError, quarantineNote, RELEASED_NOTE, takeoverNote } from "../notes.ts";
import { toWorker, type WorkerTableRow } from "../rows.ts";
import type { HeldRun, Offer, Released, Renewal, WorkerProcess, WorkerRow } from "../store.ts";
import { type Connection, connected, type Session } from "./connection.ts";
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
  const note = died ? takeoverNote(workerId) : RELEASED_NOTE;
  sql.insertNote.run(id, seq, note.kind, nowMs, note.value);
  sql.freeRun.run(nowMs, died ? 1 : 0, seq, id, workerId);
}

function quarantine(
  connection: Connection,
  run: RunToFree,
  { workerId, nowMs }: { readonly workerId: number; readonly nowMs: number },
): void {
  const { sql } = connection;
  const seq = lastSeqOf(connection, run.id) + 2;
  const error = quarantineError(run);
  const [taken, setAside] = [takeoverNote(workerId), quarantineNote(error)];
  sql.insertNote.run(run.id, seq - 1, taken.kind, nowMs, taken.value);
  sql.insertNote.run(run.id, seq, setAside.kind, nowMs, setAside.value);
  sql.quarantineRun.run(error, seq, run.id, workerId);
}

/** Leave the registry; without effect while it still holds runs. */
export function retireWorker(session: Session, workerId: number): void {
  transact(session, ({ sql }) => sql.deleteWorker.run(workerId));
}
