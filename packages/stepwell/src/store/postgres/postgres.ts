/**
 * The PostgreSQL store: state in one schema of a database that many machines may share.
 *
 * This file only wires: each function of the port stands in the file of its noun, and takes the session first. Time is
 * the server's wherever `nowMs` is null (S3).
 */
import { StepwellError } from "../../model/errors.ts";
import { checkKeys } from "../../model/options.ts";
import type { Store } from "../store.ts";
import { loadDriver, openLanes, type Target } from "./connect.ts";
import { toStoreError } from "./faults.ts";
import { flush } from "./flush.ts";
import { migrate } from "./migrate.ts";
import type { Session } from "./session.ts";
import { ensureVersion, listVersions } from "./version.ts";

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
    loadMemory: (rowId) => loadMemory(session, rowId),
    listInbox: (rowId, afterSeq) => listInbox(session, rowId, afterSeq),
    findRun: (ref) => findRun(session, ref),
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

/**
 * To be completed by merge: each of these becomes an import from the file named beside it.
 */
type Noun<Name extends keyof Store> = Store[Name] extends (...args: infer Args) => infer Result
  ? (session: Session, ...args: Args) => Result
  : never;

const missing = async (session: Session): Promise<never> => {
  throw new StepwellError("STORE_FAILED", `${session.place}: this is not there yet`);
};

const findRun: Noun<"findRun"> = missing; // run.ts
const loadMemory: Noun<"loadMemory"> = missing; // run.ts
const listInbox: Noun<"listInbox"> = missing; // run.ts
const listEnded: Noun<"listEnded"> = missing; // run.ts
const listHistory: Noun<"listHistory"> = missing; // history.ts
const listActiveSteps: Noun<"listActiveSteps"> = missing; // history.ts
const listRuns: Noun<"listRuns"> = missing; // list.ts
const registerWorker: Noun<"registerWorker"> = missing; // worker.ts
const renewWorker: Noun<"renewWorker"> = missing; // worker.ts
const listWorkers: Noun<"listWorkers"> = missing; // worker.ts
const buryWorker: Noun<"buryWorker"> = missing; // worker.ts
const releaseRuns: Noun<"releaseRuns"> = missing; // worker.ts
const retireWorker: Noun<"retireWorker"> = missing; // worker.ts
const listHeldRuns: Noun<"listHeldRuns"> = missing; // worker.ts
const claimRuns: Noun<"claimRuns"> = missing; // claim.ts
const resumePaused: Noun<"resumePaused"> = missing; // claim.ts
const nextDue: Noun<"nextDue"> = missing; // claim.ts
const listOldestDue: Noun<"listOldestDue"> = missing; // claim.ts
