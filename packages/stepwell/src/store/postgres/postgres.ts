/**
 * The PostgreSQL store: state in one schema of a database that many machines may share.
 *
 * This file only wires: each function of the port stands in the file of its noun, and takes the session first. Time is
 * the server's wherever `nowMs` is null (S3).
 */
import type pg from "pg";
import { checkKeys } from "../../model/options.ts";
import type { Pace } from "../pace.ts";
import type { NowMs, Store } from "../store.ts";
import { findBreaker, listBreakers, saveBreaker } from "./breaker.ts";
import { findApproval, listApprovals, updateApproval } from "./approval.ts";
import { claimRuns, listOldestDue, nextDue, resumePaused } from "./claim.ts";
import { connectAlone, type Link, type LoadDriver, loadDriver, openLanes, toLink } from "./connect.ts";
import { flush } from "./flush.ts";
import { insertForked } from "./fork.ts";
import { gathered } from "./gather.ts";
import { listActiveSteps, listHistory } from "./history.ts";
import { checkServer, inspectServer, type ServerRow, warningsOf } from "./inspect.ts";
import { listRuns } from "./list.ts";
import { type Listening, openListening } from "./listen.ts";
import { migrate, migrateDown, type Place } from "./migrate.ts";
import { openNaming } from "./naming.ts";
import { quote } from "./query.ts";
import { addRemark, listRemarks } from "./remark.ts";
import { listChildren, reopenRuns } from "./reopen.ts";
import { checkEntry, checkRights } from "./rights.ts";
import { findRuns, listEnded, listInbox, loadMemories } from "./run.ts";
import { closeLanes, type Session } from "./session.ts";
import { transact } from "./tx.ts";
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
  /** What waiting goes by; without it changes by others go unnoticed, and others are told nothing. */
  readonly pace?: Pace;
  /** Loads the driver; tests hand in one that is missing. */
  readonly load?: LoadDriver;
};

/** A message of the listening connection that takes longer tells that the connection is broken. */
const LISTEN_ANSWER_MS_MAX = 5_000;

/**
 * Open, migrate and check the database.
 *
 * @param url see address.ts
 * @throws a store's error that names the server and the cure, never the password
 */
export async function openPostgresStore(url: string, options: PostgresOptions = {}): Promise<Store> {
  checkKeys("options of openPostgresStore", options, ["pace", "load"]);
  const { link, server } = await withServer(url, options, (client, at) => migrate(client, at));
  const session: Session = {
    place: link.place,
    lanes: openLanes(link),
    naming: openNaming(link.address.schema),
    versions: new Map(),
    tell: () => {},
    reading: new Set(),
    prepared: link.address.prepare,
    inDoubt: false,
    claimNo: 0,
    doubtfulClaims: [],
    closed: false,
  };
  const listening = openListening(session, {
    pace: options.pace ?? null,
    connect: link.address.listen ? (channel) => connectListening(link, channel) : null,
    channel: `stepwell:${link.address.schema}`,
    token: server.token,
  });
  return toStore(session, listening, warningsOf(server, link.place));
}

/** Undo the newest migrations until `to` is the newest. */
export async function migratePostgresDown(url: string, to: number): Promise<void> {
  await withServer(url, {}, (client, at) => migrateDown(client, at, to));
}

/** Do something on a connection of its own to a server that has been found fit. */
async function withServer(
  url: string,
  options: PostgresOptions,
  work: (client: pg.Client, at: Place) => Promise<void>,
): Promise<{ readonly link: Link; readonly server: ServerRow }> {
  const driver = await loadDriver(options.load);
  const { client, link } = await connectAlone(toLink(driver, url), "open");
  try {
    const at = { place: link.place, schema: link.address.schema };
    const server = await inspectServer(client, at.place);
    checkServer(server, at.place);
    await checkEntry(client, at);
    await checkRights(client, at);
    await work(client, at);
    return { link, server };
  } finally {
    await client.end().catch(() => {});
  }
}

async function connectListening(link: Link, channel: string): Promise<pg.Client> {
  const { client } = await connectAlone(link, "listen", { query_timeout: LISTEN_ANSWER_MS_MAX });
  try {
    await client.query(`LISTEN ${quote(channel)}`);
    return client;
  } catch (error) {
    await client.end().catch(() => {});
    throw error;
  }
}

/**
 * One is stored while the other's answers are handed out: 8,200 runs/s at 512 instead of 6,800. Small ones cost more than
 * they win: 3,700 runs/s at 64 instead of 4,800 (measured on two cores, server and client).
 */
const SECOND_FLUSH = { writesMin: 128, writesMax: 256 } as const;

function toStore(session: Session, listening: Listening, warnings: readonly string[]): Store {
  let closing: Promise<void> | null = null;
  return {
    kind: "postgres",
    warnings,
    secondFlush: SECOND_FLUSH,
    pollMs: listening.pollMs,
    ensureVersion: (identity) => ensureVersion(session, identity),
    listVersions: () => listVersions(session),
    flush: (writes, nowMs) => flush(session, writes, toMoment(nowMs)),
    transact: (terms, work) => transact(session, { ...terms, nowMs: toMoment(terms.nowMs) }, work),
    claimRuns: (by) => claimRuns(session, { ...by, nowMs: toMoment(by.nowMs) }),
    resumePaused: (versionIds, nowMs) => resumePaused(session, versionIds, toMoment(nowMs)),
    nextDue: (versionIds, nowMs) => nextDue(session, versionIds, toMoment(nowMs)),
    listOldestDue: (nowMs) => listOldestDue(session, toMoment(nowMs)),
    listHeldRuns: (workerId) => listHeldRuns(session, workerId),
    loadMemory: gathered((rowIds) => loadMemories(session, rowIds)),
    listInbox: (rowId, afterSeq) => listInbox(session, rowId, afterSeq),
    reopenRuns: (runs, nowMs) => reopenRuns(session, runs, toMoment(nowMs)),
    insertForked: (run, past, nowMs) => insertForked(session, run, past, toMoment(nowMs)),
    listChildren: (rowId) => listChildren(session, rowId),
    addRemark: (rowId, remark, nowMs) => addRemark(session, rowId, remark, toMoment(nowMs)),
    listRemarks: (rowIds) => listRemarks(session, rowIds),
    findRun: gathered((refs) => findRuns(session, refs)),
    updateApproval: (owner, approval) => updateApproval(session, owner, approval),
    findApproval: (ref, key) => findApproval(session, ref, key),
    listApprovals: (filter) => listApprovals(session, filter),
    listEnded: (rowIds) => listEnded(session, rowIds),
    listRuns: (filter) => listRuns(session, filter),
    listHistory: (rowId) => listHistory(session, rowId),
    listActiveSteps: (rowId) => listActiveSteps(session, rowId),
    registerWorker: (process, offer, nowMs) => registerWorker(session, process, offer, toMoment(nowMs)),
    renewWorker: (workerId, standing, nowMs) => renewWorker(session, workerId, standing, toMoment(nowMs)),
    listWorkers: (nowMs) => listWorkers(session, toMoment(nowMs)),
    buryWorker: (workerId, gone, nowMs) => buryWorker(session, workerId, gone, toMoment(nowMs)),
    releaseRuns: (workerId, how, nowMs) => releaseRuns(session, workerId, how, toMoment(nowMs)),
    retireWorker: (workerId) => retireWorker(session, workerId),
    findBreaker: (name, owner, nowMs) => findBreaker(session, name, owner, toMoment(nowMs)),
    saveBreaker: (breaker, owner) => saveBreaker(session, breaker, owner),
    listBreakers: (page, nowMs) => listBreakers(session, page, toMoment(nowMs)),
    watch: listening.watch,
    close: () => (closing ??= closeSession(session, listening)),
  };
}

/** A moment that is given counts in whole milliseconds; null is the server's own (S3). */
function toMoment(nowMs: NowMs): NowMs {
  return nowMs === null ? null : Math.floor(nowMs);
}

async function closeSession(session: Session, listening: Listening): Promise<void> {
  await listening.stop();
  await closeLanes(session);
}
