/**
 * The SQLite store: state in one file, or in memory.
 *
 * This file only wires: each function of the port stands in the file of its noun.
 * Calls are synchronous inside, so no two of them interleave. Locks of other
 * processes are never waited for: STORE_BUSY is thrown before anything is written.
 */
import type { DatabaseSync } from "node:sqlite";
import { StepwellError } from "../../model/errors.ts";
import { checkKeys } from "../../model/options.ts";
import type { NowMs, Store } from "../store.ts";
import { listActiveSteps } from "./attempt.ts";
import { claimRuns, nextDue, resumePaused } from "./claim.ts";
import { closeSession, connected, connectFile, type Session } from "./connection.ts";
import { toStoreError } from "./faults.ts";
import { flush } from "./flush.ts";
import { listHistory } from "./history.ts";
import { listInbox } from "./inbox.ts";
import { listRuns } from "./list.ts";
import { findRun, loadMemory } from "./run.ts";
import { ensureVersion, listVersions } from "./version.ts";
import {
  buryWorker,
  listHeldRuns,
  listWorkers,
  registerWorker,
  releaseRuns,
  renewWorker,
  retireWorker,
} from "./worker.ts";

/** How a SQLite store is opened. */
export type SqliteOptions = {
  /** Epoch milliseconds, for calls whose `nowMs` is null; without it such a call throws OPTION_INVALID. */
  readonly clock?: () => number;
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
  checkKeys("options of openSqliteStore", options, ["clock", "connect"]);
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
  coded(session, () => connected(session));
  return toStore(session);
}

function toStore(session: Session): Store {
  const call = async <T>(work: () => T): Promise<T> => coded(session, work);
  const now = (nowMs: NowMs): number => resolveNow(session, nowMs);
  return {
    kind: "sqlite",
    ensureVersion: (identity) => call(() => ensureVersion(session, identity)),
    listVersions: () => call(() => listVersions(session)),
    flush: (writes, nowMs) => call(() => flush(session, writes, now(nowMs))),
    claimRuns: (by) => call(() => claimRuns(session, { ...by, nowMs: now(by.nowMs) })),
    resumePaused: (versionIds, nowMs) => call(() => resumePaused(session, versionIds, now(nowMs))),
    nextDue: (versionIds, nowMs) => call(() => nextDue(session, versionIds, now(nowMs))),
    listHeldRuns: (workerId) => call(() => listHeldRuns(session, workerId)),
    loadMemory: (rowId) => call(() => loadMemory(session, rowId)),
    listInbox: (rowId, afterSeq) => call(() => listInbox(session, rowId, afterSeq)),
    findRun: (ref) => call(() => findRun(session, ref)),
    listRuns: (filter) => call(() => listRuns(session, filter)),
    listHistory: (rowId) => call(() => listHistory(session, rowId)),
    listActiveSteps: (rowId) => call(() => listActiveSteps(session, rowId)),
    registerWorker: (worker, leaseMs, nowMs) => call(() => registerWorker(session, worker, leaseMs, now(nowMs))),
    renewWorker: (workerId, leaseMs, nowMs) => call(() => renewWorker(session, workerId, leaseMs, now(nowMs))),
    listWorkers: () => call(() => listWorkers(session)),
    buryWorker: (workerId, gone, nowMs) => call(() => buryWorker(session, workerId, gone, now(nowMs))),
    releaseRuns: (workerId, how, nowMs) => call(() => releaseRuns(session, workerId, how, now(nowMs))),
    retireWorker: (workerId) => call(() => retireWorker(session, workerId)),
    close: async () => closeSession(session),
  };
}

/** Every error that leaves the store has a code and says what to do. */
function coded<T>(session: Session, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw toStoreError(error, session.path);
  }
}

/** S3: a moment given, or the host's clock. A store reads no clock of its own. */
function resolveNow(session: Session, nowMs: NowMs): number {
  const now = nowMs ?? session.clock?.();
  if (now !== undefined && Number.isFinite(now)) return Math.floor(now);
  throw new StepwellError("OPTION_INVALID", "a SQLite store needs the time: pass nowMs, or open it with a `clock`");
}
