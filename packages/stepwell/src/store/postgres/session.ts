/**
 * Session: an open PostgreSQL store, and the lanes on which its statements travel.
 *
 * Each kind of work has connections of its own, so that none waits behind another: a long list
 * does not hold up a commit, and nothing holds up a heartbeat (F11). A connection is opened when
 * it is first needed and closed when it has been idle.
 *
 *   flush  one: group commits follow one another
 *   claim  two: claims and what else changes rows, but rarely
 *   look   three: reads
 *   beat   one: the worker's heartbeat and the registry
 */
import type pg from "pg";
import { StepwellError } from "../../model/errors.ts";
import type { VersionRow } from "../rows.ts";
import { isConnectionLost, isPreparedMissing, isTransient, toStoreError } from "./faults.ts";
import { type QueryName, type Row, type Sender, statementOf, type Statement, toConfig, type Values } from "./query.ts";

/** What a connection is used for. */
export type Lane = "flush" | "claim" | "look" | "beat";

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
  /** Committed versions by id; they never change. */
  readonly versions: Map<number, VersionRow>;
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
export const LANE_SIZES: Readonly<Record<Lane, number>> = { flush: 1, claim: 2, look: 3, beat: 1 };

/** What may pass is tried so often. */
const TRIES_MAX = 5;

/** Send a statement of the .sql files. */
export function ask(session: Session, lane: Lane, name: QueryName, values: Values): Promise<readonly Row[]> {
  return send(session, lane, statementOf(name), values);
}

/**
 * Send a statement on a lane.
 *
 * @throws a store's error: STORE_OUTCOME_UNKNOWN when the connection was lost before the answer, ENGINE_CLOSED after close
 */
export async function send(
  session: Session,
  lane: Lane,
  statement: Statement,
  values: Values,
): Promise<readonly Row[]> {
  if (session.closed) throw new StepwellError("ENGINE_CLOSED", `${session.place} has been closed`);
  try {
    return await sendOn(session, session.lanes[lane], statement, values);
  } catch (error) {
    throw toStoreError(error, session.place);
  }
}

async function sendOn(session: Session, sender: Sender, statement: Statement, values: Values): Promise<Row[]> {
  const { prepared } = session;
  try {
    return (await sender.query(toConfig(statement, values, prepared))).rows as Row[];
  } catch (error) {
    if (!prepared || !isPreparedMissing(error)) throw error;
    session.prepared = false;
    return sendOn(session, sender, statement, values);
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
