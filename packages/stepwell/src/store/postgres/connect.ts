/**
 * Connect: the driver, and connections for each kind of work.
 */
import type pg from "pg";
import { StepwellError } from "../../model/errors.ts";
import { type Address, parseAddress } from "./address.ts";
import { sqlState, toConnectError } from "./faults.ts";
import { type Lane, LANE_SIZES } from "./session.ts";

/** The driver, as the optional package brings it. */
export type Driver = typeof pg;

/** A server and how it is reached. */
export type Link = {
  readonly driver: Driver;
  readonly address: Address;
  /** Host, port and database, without the password: for messages. */
  readonly place: string;
  /** False: a pooler in between takes no settings at the start of a connection. */
  readonly settings: boolean;
};

/** A connection of its own, and the link as it was found to be. */
export type Connected = { readonly client: pg.Client; readonly link: Link };

/** How long a statement of each lane may take: half a connection, whose other end has gone, must not hang the engine. */
const ANSWER_MS_MAX: Readonly<Record<Lane, number>> = {
  flush: 10_000,
  claim: 10_000,
  look: 30_000,
  beat: 3_000,
  tx: 5_000,
};

/** The server gives up earlier by so much; then the outcome is known. */
const SERVER_EARLIER_MS = 500;

/** The first sign of life that is asked of a silent connection; the system's own pause between such is two hours. */
const KEEP_ALIVE_MS = 10_000;

/** A connection that nobody needs is closed after this time. */
const IDLE_MS_MAX = 60_000;

/**
 * Every statement finds its rows by an index. A plan made while the tables are small would scan them, and be kept for the
 * minute until the server has counted again: 830 instead of 5,000 runs/s in it (measured). And it is planned once: left to
 * itself the server plans anew for each array of parameters, which takes longer than to execute: 5.3 ms a run alone instead
 * of 3.8. The lane of transactions leaves the planner alone: what it plans there are the user's statements.
 */
const PLANNING = [
  ...["enable_seqscan=off", "enable_hashjoin=off", "enable_mergejoin=off", "jit=off"],
  "plan_cache_mode=force_generic_plan",
];

/** What statements rely on: each sees what was committed before it, and waits for a row instead of failing. */
const ISOLATION = "default_transaction_isolation=read\\ committed";

const INT8 = 20;

/** Hands in the driver; tests have one that is missing. */
export type LoadDriver = () => Promise<{ readonly default: Driver }>;

/**
 * The import stands inside of `try`, from which bundlers learn that the package may be missing.
 *
 * @throws STORE_DRIVER_MISSING
 */
export async function loadDriver(load?: LoadDriver): Promise<Driver> {
  try {
    return (await (load === undefined ? import("pg") : load())).default;
  } catch (error) {
    throw new StepwellError("STORE_DRIVER_MISSING", "the package pg cannot be loaded", { cause: error });
  }
}

/** @throws STORE_URL_INVALID */
export function toLink(driver: Driver, url: string): Link {
  const address = parseAddress(url);
  const link: Link = { driver, address, place: "PostgreSQL", settings: true };
  const { host, port, database } = newClient(link, "open", {});
  return { ...link, place: `PostgreSQL at ${host}:${port}/${database ?? ""}` };
}

/**
 * Open a connection for what is done once. A pooler may refuse settings that come with a connection, as a violation of the
 * protocol; then it goes without.
 *
 * @throws a store's error that says why there is none
 */
export async function connectAlone(link: Link, purpose: string, config: pg.ClientConfig = {}): Promise<Connected> {
  const client = newClient(link, purpose, config);
  try {
    await client.connect();
    return { client, link };
  } catch (error) {
    if (link.settings && sqlState(error) === "08P01") {
      return connectAlone({ ...link, settings: false }, purpose, config);
    }
    throw toConnectError(error, link.place);
  }
}

/** The pools of all lanes; nothing is connected yet. */
export function openLanes(link: Link): Readonly<Record<Lane, pg.Pool>> {
  const open = (lane: Lane): pg.Pool => openLane(link, lane);
  return { flush: open("flush"), claim: open("claim"), look: open("look"), beat: open("beat"), tx: open("tx") };
}

function openLane(link: Link, lane: Lane): pg.Pool {
  const answerMs = ANSWER_MS_MAX[lane];
  const pool = new link.driver.Pool({
    ...toConfig(link, lane, [...(lane === "tx" ? [] : PLANNING), `statement_timeout=${answerMs - SERVER_EARLIER_MS}`]),
    connectionTimeoutMillis: Math.min(link.address.connectMsMax, answerMs),
    query_timeout: answerMs,
    max: LANE_SIZES[lane],
    idleTimeoutMillis: IDLE_MS_MAX,
  });
  // Whoever needs a broken connection is told so by its statement; one that nobody needs is gone from the pool already.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
}

function newClient(link: Link, purpose: string, config: pg.ClientConfig): pg.Client {
  try {
    const client = new link.driver.Client({ ...toConfig(link, purpose, []), ...config });
    client.on("error", () => {});
    return client;
  } catch (error) {
    // A file of a certificate that is not there, for one. The driver's own error may quote the URL.
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const why = code === "ENOENT" ? "a file that it names does not exist" : "the driver cannot read it";
    throw new StepwellError("STORE_URL_INVALID", `the URL of a PostgreSQL store: ${why}`);
  }
}

function toConfig({ driver, address, settings }: Link, purpose: string, more: readonly string[]): pg.ClientConfig {
  const options = [address.settings, ...[ISOLATION, ...more].map((setting) => `-c ${setting}`)].join(" ");
  return {
    connectionString: address.url,
    application_name: `${address.applicationName} ${purpose}`,
    ...(settings ? { options } : {}),
    enableChannelBinding: address.bindsChannel,
    connectionTimeoutMillis: address.connectMsMax,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    types: { getTypeParser: ((oid: number, format?: "text") => toParser(driver, oid, format)) as never },
  };
}

/** Numbers of rows, moments and counts all fit a double. */
function toParser(driver: Driver, oid: number, format: "text" | undefined): unknown {
  return oid === INT8 && format !== ("binary" as string) ? Number : driver.types.getTypeParser(oid, format);
}
