/**
 * Connect: the driver, and the connections of each lane.
 */
import type pg from "pg";
import { StepwellError } from "../../model/errors.ts";
import { quote } from "./query.ts";
import { type Lane, LANE_SIZES } from "./session.ts";

/** The driver, as the optional package brings it. */
export type Driver = typeof pg;

/** Where the server is, as the driver wants it. */
export type Target = {
  readonly connectionString: string;
  readonly schema: string;
};

/** A connection is given up when it does not come about in this time. */
const CONNECT_MS_MAX = 5_000;

/** How long a statement of each lane may take: half a connection, whose other end has gone, must not hang the engine. */
const ANSWER_MS_MAX: Readonly<Record<Lane, number>> = { flush: 10_000, claim: 10_000, look: 30_000, beat: 3_000 };

/** A connection that nobody needs is closed after this time. */
const IDLE_MS_MAX = 60_000;

/**
 * Every statement finds its rows by an index. A plan made while the tables are small would scan them, and be kept for the
 * minute until the server has counted again: 830 instead of 5,000 runs/s in it (measured).
 */
const PLANNING = ["enable_seqscan=off", "enable_hashjoin=off", "enable_mergejoin=off", "jit=off"]
  .map((setting) => `-c ${setting}`)
  .join(" ");

const INT8 = 20;

/** @throws STORE_FAILED when the package is not installed */
export async function loadDriver(): Promise<Driver> {
  try {
    return (await import("pg")).default;
  } catch (error) {
    const what = "a PostgreSQL store needs the package pg, which is not installed: npm install pg";
    throw new StepwellError("STORE_FAILED", what, { cause: error });
  }
}

/** The pools of all lanes; nothing is connected yet. */
export function openLanes(driver: Driver, target: Target): Readonly<Record<Lane, pg.Pool>> {
  const open = (lane: Lane): pg.Pool => openLane(driver, target, lane);
  return { flush: open("flush"), claim: open("claim"), look: open("look"), beat: open("beat") };
}

function openLane(driver: Driver, { connectionString, schema }: Target, lane: Lane): pg.Pool {
  const pool = new driver.Pool({
    connectionString,
    application_name: `stepwell ${lane}`,
    options: `-c search_path=${quote(schema).replaceAll(/[\\ ]/g, "\\$&")} ${PLANNING}`,
    max: LANE_SIZES[lane],
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_MS_MAX,
    query_timeout: ANSWER_MS_MAX[lane],
    idleTimeoutMillis: IDLE_MS_MAX,
    types: { getTypeParser: ((oid: number, format?: "text") => toParser(driver, oid, format)) as never },
  });
  // An idle connection that breaks has been removed already; whoever needs one next is told if there is none.
  pool.on("error", () => {});
  return pool;
}

/** Numbers of rows, moments and counts all fit a double. */
function toParser(driver: Driver, oid: number, format: "text" | undefined): unknown {
  return oid === INT8 && format !== ("binary" as string) ? Number : driver.types.getTypeParser(oid, format);
}
