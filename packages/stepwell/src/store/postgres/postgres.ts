/**
 * The PostgreSQL store: state in one schema of a database that many machines may share.
 *
 * This file only wires: each function of the port stands in the file of its noun, and takes the session first. Time is
 * the server's wherever `nowMs` is null (S3).
 */
import { checkKeys } from "../../model/options.ts";
import type { Store } from "../store.ts";
import { claimRuns, listOldestDue, nextDue, resumePaused } from "./claim.ts";
import { loadDriver, openLanes, type Target } from "./connect.ts";
import { toStoreError } from "./faults.ts";
import { flush } from "./flush.ts";
import { gathered } from "./gather.ts";
import { listActiveSteps, listHistory } from "./history.ts";
import { listRuns } from "./list.ts";
import { migrate } from "./migrate.ts";
import { findRuns, listEnded, listInbox, loadMemories } from "./run.ts";
import type { Session } from "./session.ts";
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

/** How a PostgreSQL store is opened. */
export type PostgresOptions = {
  /** Where the tables are; "stepwell" by default. */
  readonly schema?: string;
};

/** Pause between two looks where nobody tells us of changes. */
const POLL_MS = 2_000;

/**
 * Open, migrate and check the database.
 *
 * @param url `postgres://user:password@host:port/database`
 * @throws a store's error that names the server and the cure, never the password
 */
export async function openPostgresStore(url: string, options: PostgresOptions = {}): Promise<Store> {
  checkKeys("options of openPostgresStore", options, ["schema"]);
  const driver = await loadDriver();
  const schema = options.schema ?? "stepwell";
  const target: Target = { connectionString: url, schema };
  const session: Session = {
    place: toPlace(url),
    lanes: openLanes(driver, target),
    versions: new Map(),
    prepared: true,
    inDoubt: false,
    claimNo: 0,
    doubtfulClaims: [],
    closed: false,
  };
  try {
    const client = await session.lanes.claim.connect();
    try {
      await migrate(client, { place: session.place, schema });
    } finally {
      client.release();
    }
    return toStore(session);
  } catch (error) {
    await closeSession(session);
    throw toStoreError(error, session.place);
  }
}

function toStore(session: Session): Store {
  return {
    kind: "postgres",
    warnings: [],
    pollMs: () => POLL_MS,
    ensureVersion: (identity) => ensureVersion(session, identity),
    listVersions: () => listVersions(session),
    flush: (writes, nowMs) => flush(session, writes, nowMs),
    claimRuns: (by) => claimRuns(session, by),
    resumePaused: (versionIds, nowMs) => resumePaused(session, versionIds, nowMs),
    nextDue: (versionIds, nowMs) => nextDue(session, versionIds, nowMs),
    listOldestDue: (nowMs) => listOldestDue(session, nowMs),
    listHeldRuns: (workerId) => listHeldRuns(session, workerId),
    loadMemory: gathered((rowIds) => loadMemories(session, rowIds)),
    listInbox: (rowId, afterSeq) => listInbox(session, rowId, afterSeq),
    findRun: gathered((refs) => findRuns(session, refs)),
    listEnded: (rowIds) => listEnded(session, rowIds),
    listRuns: (filter) => listRuns(session, filter),
    listHistory: (rowId) => listHistory(session, rowId),
    listActiveSteps: (rowId) => listActiveSteps(session, rowId),
    registerWorker: (process, offer, nowMs) => registerWorker(session, process, offer, nowMs),
    renewWorker: (workerId, standing, nowMs) => renewWorker(session, workerId, standing, nowMs),
    listWorkers: (nowMs) => listWorkers(session, nowMs),
    buryWorker: (workerId, gone, nowMs) => buryWorker(session, workerId, gone, nowMs),
    releaseRuns: (workerId, how, nowMs) => releaseRuns(session, workerId, how, nowMs),
    retireWorker: (workerId) => retireWorker(session, workerId),
    watch: () => () => {},
    close: () => closeSession(session),
  };
}

async function closeSession(session: Session): Promise<void> {
  if (session.closed) return;
  session.closed = true;
  await Promise.all(Object.values(session.lanes).map((pool) => pool.end()));
}

function toPlace(url: string): string {
  const { hostname, port, pathname } = new URL(url);
  return `PostgreSQL at ${hostname}:${port === "" ? "5432" : port}${pathname}`;
}
