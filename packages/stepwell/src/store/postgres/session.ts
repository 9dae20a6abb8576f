/**
 * Session: an open PostgreSQL store, and the lanes on which its statements travel.
 *
 * Each kind of work has connections of its own, so that none waits behind another: a long list
 * does not hold up a commit, and nothing holds up a heartbeat (F11). A connection is opened when
 * it is first needed and closed when it has been idle.
 *
 *   flush  two: while one group commit is under way, the next is put together
 *   claim  two: claims and what else changes rows, but rarely
 *   look   three: reads
 *   beat   one: the worker's heartbeat and the registry
 *   tx     eight: transactions of the user's, see tx.ts
 */
import type pg from "pg";
import { StepwellError } from "../../model/errors.ts";
import type { VersionRow } from "../rows.ts";
import type { Change } from "../store.ts";
import {
  connectionLost,
  endsConnection,
  isConnectionLost,
  isPlanOutdated,
  isPreparedMissing,
  isTransient,
  sqlState,
  toConnectError,
  toStoreError,
  unknownOutcome,
} from "./faults.ts";
import type { Naming } from "./naming.ts";
import { type QueryName, type Row, statementOf, type Statement, toConfig, type Values } from "./query.ts";

/** What a connection is used for. */
export type Lane = "flush" | "claim" | "look" | "beat" | "tx";

/** A claim of which nobody knows yet whether it took place. */
export type DoubtfulClaim = {
  readonly workerId: number;
  /** Of runs on probation, which a claim of others must not bring. */
  readonly suspects: boolean;
  readonly claimNo: number;
  /** What it took and has not been given yet; null: that has not been asked. */
  readonly rowIds: readonly number[] | null;
};

/** What lives as long as the store. */
export type Session = {
  /** Host, port and database, without the password: for messages. */
  readonly place: string;
  readonly lanes: Readonly<Record<Lane, pg.Pool>>;
  /** Puts the schema before the names of tables. */
  readonly naming: Naming;
  /** Committed versions by id; they never change. */
  readonly versions: Map<number, VersionRow>;
  /** Tells other processes what has been committed here, see listen.ts. */
  tell: (change: Change) => void;
  /** Connections on which a read is under way. */
  readonly reading: Set<pg.PoolClient>;
  /** False once a pooler between here and the server has lost a prepared statement. */
  prepared: boolean;
  /** From a flush of unknown outcome until the next success: one submitted again may be stored already. */
  inDoubt: boolean;
  /** Of the newest claim that was sent, see claim.ts. */
  claimNo: number;
  doubtfulClaims: readonly DoubtfulClaim[];
  closed: boolean;
};

/** Connections of each lane at most. */
export const LANE_SIZES: Readonly<Record<Lane, number>> = { flush: 2, claim: 2, look: 3, beat: 1, tx: 8 };

/** What may pass is tried so often. */
const TRIES_MAX = 5;

/** Send a statement of the .sql files. */
export function ask(session: Session, lane: Lane, name: QueryName, values: Values): Promise<readonly Row[]> {
  return send(session, lane, statementOf(name), values);
}

/**
 * Send a statement on a lane.
 *
 * @throws a store's error. Before the statement was sent, or when the server has rejected it: nothing has happened.
 *   STORE_OUTCOME_UNKNOWN: nobody knows, since the connection was lost before the answer; for a read that is
 *   STORE_UNREACHABLE. ENGINE_CLOSED after close.
 */
export async function send(
  session: Session,
  lane: Lane,
  statement: Statement,
  values: Values,
): Promise<readonly Row[]> {
  for (;;) {
    const rows = await trySending(session, lane, statement, values);
    if (rows !== "again") return rows;
  }
}

/** "again": the connection did not know the statement any more; now it will, or another connection does. */
async function trySending(
  session: Session,
  lane: Lane,
  statement: Statement,
  values: Values,
): Promise<readonly Row[] | "again"> {
  const { place, prepared } = session;
  const config = toConfig(session.naming(statement), values, prepared);
  const client = await checkOut(session, lane);
  if (lane === "look") session.reading.add(client);
  try {
    const { rows } = await client.query<Row>(config);
    client.release();
    return rows;
  } catch (error) {
    const rejected = lane === "look" ? !endsConnection(error) : await isRejected(client, error);
    const outdated = isPlanOutdated(error);
    client.release(!rejected || outdated || sqlState(error) === READ_ONLY);
    if (!rejected) throw lane === "look" ? lostReading(session, error) : unknownOutcome(error, place);
    if (prepared && isPreparedMissing(error)) session.prepared = false;
    else if (!outdated) throw toStoreError(error, place);
    return "again";
  } finally {
    session.reading.delete(client);
  }
}

function lostReading(session: Session, error: unknown): StepwellError {
  return session.closed ? closedError(session) : connectionLost(error, session.place);
}

/** Of a server that was the primary until now. The next connection may lead to the one that is. */
const READ_ONLY = "25006";

/** A connection of a lane; whoever has it gives it back. @throws a store's error: nothing was sent */
export async function checkOut(session: Session, lane: Lane): Promise<pg.PoolClient> {
  if (!session.closed) {
    try {
      return await session.lanes[lane].connect();
    } catch (error) {
      if (!session.closed) throw toConnectError(error, session.place);
    }
  }
  throw closedError(session);
}

/** What a call of a store that has been closed is told. */
export function closedError({ place }: Session): StepwellError {
  return new StepwellError("ENGINE_CLOSED", `${place} has been closed`);
}

/** Reads are cut short, nobody needs them any more; writes that are under way come to their end. */
export async function closeLanes(session: Session): Promise<void> {
  session.closed = true;
  for (const client of session.reading) void (client as pg.PoolClient & Pick<pg.Client, "end">).end();
  await Promise.all(Object.values(session.lanes).map((pool) => pool.end()));
}

/**
 * Whether the server has rejected the statement for certain. It goes on answering on that connection then; what it says
 * while it falls may have been said after the commit. (How grave an error is, it says in the language of its users.)
 */
async function isRejected(client: pg.PoolClient, error: unknown): Promise<boolean> {
  if (endsConnection(error)) return false;
  try {
    await client.query("SELECT 1");
    return true;
  } catch {
    return false;
  }
}

/** As `send`, of a statement that waits for rows: what fails because of others who do so, too, is tried again. */
export async function sendPatiently(
  session: Session,
  lane: Lane,
  statement: Statement,
  values: Values,
): Promise<readonly Row[]> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await send(session, lane, statement, values);
    } catch (error) {
      if (tries === TRIES_MAX || !isTransient(error)) throw error;
    }
  }
}

/** As sendPatiently, of the .sql files. */
export function askPatiently(session: Session, lane: Lane, name: QueryName, values: Values): Promise<readonly Row[]> {
  return sendPatiently(session, lane, statementOf(name), values);
}

/**
 * Read; a connection that was lost on the way is replaced, once, since a read changes nothing.
 */
export async function read(session: Session, name: QueryName, values: Values): Promise<readonly Row[]> {
  try {
    return await ask(session, "look", name, values);
  } catch (error) {
    if (!isConnectionLost(error)) throw error;
    return ask(session, "look", name, values);
  }
}
