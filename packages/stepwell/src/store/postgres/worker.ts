/**
 * Worker: the registry of processes that claim runs, their leases, and what becomes of a dead one's runs (P9).
 *
 * A takeover is two statements, each its own transaction: `buryWorker` commits the death, which waits for what the worker
 * is just writing, and after which its every write is stale; only then `releaseRuns` reads what it left and bumps the
 * fences. Two who take over from the same worker do it once: the second waits for the rows, and finds them freed.
 */
import type { Run } from "../../model/run.ts";
import { quarantineError, quarantineNote, RELEASED_NOTE, takeoverNote } from "../notes.ts";
import { toWorker, type WorkerTableRow } from "../rows.ts";
import type { Change, HeldRun, NowMs, Offer, Released, Renewal, WorkerProcess, WorkerRow } from "../store.ts";
import { tell } from "./listen.ts";
import type { Values } from "./query.ts";
import { ask, askPatiently, read, type Session } from "./session.ts";
import { toRuns } from "./version.ts";

const WORKERS_CHANGED: Change = { due: false, inbox: false, ended: false, workers: true };
const RUNS_DUE: Change = { due: true, inbox: false, ended: false, workers: false };

/** Enter a process; its id is never given to another. */
export async function registerWorker(
  session: Session,
  process: WorkerProcess,
  offer: Offer & { readonly leaseMs: number },
  nowMs: NowMs,
): Promise<number> {
  const workflows = JSON.stringify(offer.workflows);
  const [row] = await ask(session, "beat", "insertWorker", { ...process, ...offer, workflows, nowMs });
  tell(session, WORKERS_CHANGED);
  return Number(row!["id"]);
}

/** Not alive: declared dead, or never registered. */
export async function renewWorker(
  session: Session,
  workerId: number,
  { leaseMs, executing }: { readonly leaseMs: number; readonly executing: number },
  nowMs: NowMs,
): Promise<Renewal> {
  const rows = await ask(session, "beat", "renewWorker", { workerId, leaseMs, executing, nowMs });
  const [row] = rows as readonly RenewalRow[];
  return {
    alive: row!.alive,
    othersLapseInMs: row!.others_lapse_in_ms,
    newestWorkerId: row!.newest_id ?? 0,
  };
}

type RenewalRow = {
  readonly alive: boolean;
  readonly newest_id: number | null;
  readonly others_lapse_in_ms: number | null;
};

/** In the order of their ids. */
export async function listWorkers(session: Session, nowMs: NowMs): Promise<readonly WorkerRow[]> {
  const rows = (await ask(session, "beat", "listWorkers", { nowMs })) as readonly ListedRow[];
  return rows.map((row) => toWorker(row, row.now_ms));
}

type ListedRow = WorkerTableRow & { readonly now_ms: number };

/** False: it lives. One that is dead already, or has left, counts as buried. */
export async function buryWorker(session: Session, workerId: number, gone: boolean, nowMs: NowMs): Promise<boolean> {
  const buried = await ask(session, "beat", "buryWorker", { workerId, gone, nowMs });
  if (buried.length === 0) return (await read(session, "findLivingWorker", { workerId })).length === 0;
  tell(session, WORKERS_CHANGED);
  return true;
}

/** What the worker holds, in no order. */
export async function listHeldRuns(session: Session, workerId: number): Promise<readonly HeldRun[]> {
  const rows = (await read(session, "listHeldRuns", { workerId })) as readonly HeldRow[];
  return rows.map(({ id, inbox_seq }) => ({ rowId: id, inboxSeq: inbox_seq }));
}

type HeldRow = { readonly id: number; readonly inbox_seq: number };

/** Free the runs of a worker that is dead already; those on probation when it died are quarantined. */
export async function releaseRuns(
  session: Session,
  workerId: number,
  how: "died" | "left",
  nowMs: NowMs,
): Promise<Released> {
  const suspects = how === "died" ? await read(session, "listHeldSuspects", { workerId }) : [];
  const note = how === "died" ? takeoverNote(workerId) : RELEASED_NOTE;
  const rows = await askPatiently(session, "claim", "releaseRuns", {
    ...setAside(suspects as readonly SuspectRow[]),
    ...{ workerId, died: how === "died", noteKind: note.kind, note: note.value, nowMs },
  });
  const freed = Number(rows[0]!["freed"]);
  if (freed > 0) tell(session, RUNS_DUE);
  const quarantined: readonly Run[] = await toRuns(
    session,
    rows.filter((row) => row["id"] !== null),
  );
  return { freed, quarantined };
}

type SuspectRow = {
  readonly id: number;
  readonly fence: number;
  readonly crashes: number;
  readonly error: string | null;
};

/** What is written about those that are set aside. They are dead workers' runs, so nothing of it changes meanwhile. */
function setAside(suspects: readonly SuspectRow[]): Values {
  const errors = suspects.map(quarantineError);
  const notes = errors.map(quarantineNote);
  return {
    suspectIds: suspects.map(({ id }) => id),
    suspectFences: suspects.map(({ fence }) => fence),
    suspectErrors: errors,
    suspectNotes: notes.map(({ value }) => value),
    asideKind: notes[0]?.kind ?? null,
  };
}

/** Leave the registry; without effect while it still holds runs. */
export async function retireWorker(session: Session, workerId: number): Promise<void> {
  await ask(session, "beat", "closeWorker", { workerId });
  const left = await ask(session, "beat", "deleteWorker", { workerId });
  if (left.length > 0) tell(session, WORKERS_CHANGED);
}
