/**
 * The SQLite store: state in one file, or in memory.
 *
 * This file only wires: each function of the port stands in the file of its noun.
 * Calls are synchronous inside, so no two of them interleave. Whether other processes
 * hold the file is found out before anything is written, and waited for in turn.ts.
 */
import { existsSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { StepwellError } from "../../model/errors.ts";
import { checkKeys } from "../../model/options.ts";
import type { Pace } from "../pace.ts";
import type { NowMs, Store } from "../store.ts";
import { findApproval, listApprovals, updateApproval } from "./approval.ts";
import { listActiveSteps } from "./attempt.ts";
import { findBreaker, listBreakers, saveBreaker } from "./breaker.ts";
import { claimRuns, listOldestDue, nextDue, resumePaused } from "./claim.ts";
import { closeSession, connected, connectFile, dropConnection, type Session } from "./connection.ts";
import { listEnded } from "./ended.ts";
import { isConnectionFault, toStoreError } from "./faults.ts";
import { flush } from "./flush.ts";
import { insertForked } from "./fork.ts";
import { listHistory } from "./history.ts";
import { listInbox } from "./inbox.ts";
import { listRuns } from "./list.ts";
import { migrateDown } from "./migrate.ts";
import { addRemark, listRemarks } from "./remark.ts";
import { listChildren, reopenRuns } from "./reopen.ts";
import { findRun, loadMemory } from "./run.ts";
import { openTurn, type Turn } from "./turn.ts";
import { transactFor } from "./tx.ts";
import { ensureVersion, listVersions } from "./version.ts";
import { openWatch } from "./watch.ts";
import {
  buryWorker,
  listHeldRuns,
  listWorkers,
  registerWorker,
  releaseRuns,
  renewWorker,
  retireWorker,
} from "./worker.ts";

/** A look costs some microseconds, and one at the file's change counter is taken all the time, see watch.ts. */
const POLL_MS = 1_000;

/** How a SQLite store is opened. */
export type SqliteOptions = {
  /** Epoch milliseconds, for calls whose `nowMs` is null; without it such a call throws OPTION_INVALID. */
  readonly clock?: () => number;
  /** What waiting goes by; without it a locked file answers STORE_BUSY at once, and changes by others go unnoticed. */
  readonly pace?: Pace;
  /** Opens the database; tests hand in one that fails when told. */
  readonly connect?: (path: string) => DatabaseSync;
};

/**
 * Open, migrate and check the database at `path`.
 *
 * @param path of a file, created when missing, or ":memory:"
 * @throws STORE_NEWER, STORE_CORRUPT, STORE_READ_ONLY, STORE_FULL, STORE_BUSY or STORE_FAILED, naming path and cure
 */
export async function openSqliteStore(path: string, options: SqliteOptions = {}): Promise<Store> {
  checkKeys("options of openSqliteStore", options, ["clock", "pace", "connect"]);
  if (path === "") {
    throw new StepwellError("OPTION_INVALID", 'the path of a SQLite store is empty; ":memory:" is in memory');
  }
  const session: Session = {
    path,
    clock: options.clock ?? null,
    connect: options.connect ?? connectFile,
    connection: null,
    closed: false,
    inDoubt: false,
    doubtfulClaims: [],
    versions: new Map(),
  };
  const turn = openTurn(path, options.pace ?? null, () => dropConnection(session));
  await turn.read(() => coded(session, () => connected(session)));
  return toStore(session, turn, options.pace ?? null);
}

/**
 * Undo the newest migrations until `to` is the newest.
 *
 * @param path of a file that is there
 * @throws STORE_BUSY while workers are alive at `nowMs`, or others write
 */
export function migrateSqliteDown(path: string, by: { readonly to: number; readonly nowMs: number }): void {
  if (!existsSync(path)) throw new StepwellError("STORE_FAILED", `there is no file "${path}"`);
  const db = connectFile(path);
  try {
    migrateDown(db, path, by);
  } catch (error) {
    throw toStoreError(error, path);
  } finally {
    db.close();
  }
}

function toStore(session: Session, turn: Turn, pace: Pace | null): Store {
  const read = <T>(work: () => T): Promise<T> => turn.read(() => coded(session, work));
  const write = <T>(work: () => T): Promise<T> => turn.write(() => coded(session, work));
  const inSession = <T>(work: () => T): T => coded(session, work);
  const { watch, stop } = openWatch(session, pace, turn);
  const now = (nowMs: NowMs): number => resolveNow(session, nowMs);
  return {
    kind: "sqlite",
    warnings: [],
    secondFlush: null,
    pollMs: () => POLL_MS,
    ensureVersion: (identity) => write(() => ensureVersion(session, identity)),
    listVersions: () => read(() => listVersions(session)),
    flush: (writes, nowMs) => write(() => flush(session, writes, now(nowMs))),
    transact: (terms, work) =>
      transactFor(session, { turn, coded: inSession }, { ...terms, now: () => now(terms.nowMs) }, work),
    claimRuns: (by) => write(() => claimRuns(session, { ...by, nowMs: now(by.nowMs) })),
    resumePaused: (versionIds, nowMs) => write(() => resumePaused(session, versionIds, now(nowMs))),
    nextDue: (versionIds, nowMs) => read(() => nextDue(session, versionIds, now(nowMs))),
    listOldestDue: (nowMs) => read(() => listOldestDue(session, now(nowMs))),
    listHeldRuns: (workerId) => read(() => listHeldRuns(session, workerId)),
    loadMemory: (rowId) => read(() => loadMemory(session, rowId)),
    listInbox: (rowId, afterSeq) => read(() => listInbox(session, rowId, afterSeq)),
    reopenRuns: (runs, nowMs) => write(() => reopenRuns(session, runs, now(nowMs))),
    insertForked: (run, past, nowMs) => write(() => insertForked(session, run, past, now(nowMs))),
    listChildren: (rowId) => read(() => listChildren(session, rowId)),
    addRemark: (rowId, remark, nowMs) => write(() => addRemark(session, rowId, remark, now(nowMs))),
    listRemarks: (rowIds) => read(() => listRemarks(session, rowIds)),
    updateApproval: (owner, approval) => write(() => updateApproval(session, owner, approval)),
    findApproval: (ref, key) => read(() => findApproval(session, ref, key)),
    listApprovals: (filter) => read(() => listApprovals(session, filter)),
    findRun: (ref) => read(() => findRun(session, ref)),
    listEnded: (rowIds) => read(() => listEnded(session, rowIds)),
    listRuns: (filter) => read(() => listRuns(session, filter)),
    listHistory: (rowId) => read(() => listHistory(session, rowId)),
    listActiveSteps: (rowId) => read(() => listActiveSteps(session, rowId)),
    registerWorker: (process, offer, nowMs) => write(() => registerWorker(session, process, offer, now(nowMs))),
    renewWorker: (workerId, standing, nowMs) => write(() => renewWorker(session, workerId, standing, now(nowMs))),
    listWorkers: (nowMs) => read(() => listWorkers(session, now(nowMs))),
    buryWorker: (workerId, gone, nowMs) => write(() => buryWorker(session, workerId, gone, now(nowMs))),
    releaseRuns: (workerId, how, nowMs) => write(() => releaseRuns(session, workerId, how, now(nowMs))),
    retireWorker: (workerId) => write(() => retireWorker(session, workerId)),
    findBreaker: (name, owner, nowMs) => read(() => findBreaker(session, name, owner, now(nowMs))),
    saveBreaker: (breaker, owner) => write(() => saveBreaker(session, breaker, owner)),
    listBreakers: (page, nowMs) => read(() => listBreakers(session, page, now(nowMs))),
    watch,
    close: async () => {
      stop();
      closeSession(session);
    },
  };
}

/** Every error that leaves the store has a code and says what to do. Also a read may show that the connection is broken. */
function coded<T>(session: Session, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (isConnectionFault(error)) dropConnection(session);
    throw toStoreError(error, session.path);
  }
}

/** S3: a moment given, or the host's clock. A store reads no clock of its own. */
function resolveNow(session: Session, nowMs: NowMs): number {
  const now = nowMs ?? session.clock?.();
  if (now !== undefined && Number.isFinite(now)) return Math.floor(now);
  throw new StepwellError("OPTION_INVALID", "a SQLite store needs the time: pass nowMs, or open it with a `clock`");
}
