/**
 * Address: what the URL of a PostgreSQL store says.
 *
 *     postgres://user:password@host:port/database?schema=stepwell&sslmode=verify-full
 *
 * `schema`, `prepare` and `listen` are ours, the rest means what it does to PostgreSQL's own programs. A message about
 * the URL never quotes it: there is a password in it.
 */
import { StepwellError } from "../../model/errors.ts";
import { nearestOf } from "../../model/options.ts";

/** See the header. */
export type Address = {
  /** Where the tables are. */
  readonly schema: string;
  /** False: statements are not prepared by name; for poolers that lose them. */
  readonly prepare: boolean;
  /** False: changes by others are looked for, not listened to. */
  readonly listen: boolean;
  /** What connections call themselves; what each is for follows. */
  readonly applicationName: string;
  /** Settings for the server, as in `-c work_mem=8MB`. */
  readonly settings: string;
  readonly connectMsMax: number;
  readonly bindsChannel: boolean;
  /** All the rest, for the driver. */
  readonly url: string;
};

/** Names beyond are cut off by the server, and the channel of notifications has the schema's name and a few letters. */
const SCHEMA_BYTES_MAX = 48;

/** A connection that does not come about in this time is given up. */
const CONNECT_SECONDS_MAX = 5;

const OWN = ["schema", "prepare", "listen", "application_name", "options", "connect_timeout", "channel_binding"];
const DRIVERS = ["host", "ssl", "sslmode", "sslcert", "sslkey", "sslrootcert", "sslnegotiation", "uselibpqcompat"];
const SSL_MODES = ["disable", "prefer", "require", "verify-ca", "verify-full", "no-verify"];

/** @throws STORE_URL_INVALID, saying which part is wrong */
export function parseAddress(text: string): Address {
  const url = toUrl(text);
  const { searchParams: given } = url;
  for (const name of given.keys()) if (!OWN.includes(name) && !DRIVERS.includes(name)) throw unknown(name);
  const address: Address = {
    schema: toSchema(given.get("schema") ?? "stepwell"),
    prepare: toBoolean(given, "prepare"),
    listen: toBoolean(given, "listen"),
    applicationName: given.get("application_name") ?? "stepwell",
    settings: given.get("options") ?? "",
    connectMsMax: toConnectMs(given.get("connect_timeout")),
    bindsChannel: oneOf(given, "channel_binding", ["disable", "prefer", "require"]) === "require",
    url: "",
  };
  for (const name of OWN) given.delete(name);
  checkSsl(given);
  return { ...address, url: url.href };
}

function toUrl(text: string): URL {
  const url = parseUrl(text);
  if (url?.hash !== "") {
    throw invalid('it cannot be read; in user and password, write "%23" for "#", "%2F" for "/", "%3F" for "?"');
  }
  if (url.hostname.includes(",")) {
    throw invalid("it names several hosts; name one that always leads to the primary server");
  }
  if (url.pathname.length < 2) throw invalid("it names no database; write postgres://user:password@host:5432/database");
  return url;
}

/** A URL without a host is one of a socket, whose folder stands in the query. */
function parseUrl(text: string): URL | null {
  try {
    return new URL(text.replace(/^([^/?#]*:\/\/[^/?#]*@)\//, "$1localhost/"));
  } catch {
    return null;
  }
}

function toSchema(name: string): string {
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > SCHEMA_BYTES_MAX || name.includes("\0") || name.startsWith("pg_")) {
    throw invalid(`the name of a schema has 1 to ${SCHEMA_BYTES_MAX} bytes and does not begin with pg_`);
  }
  return name;
}

function toBoolean(given: URLSearchParams, name: string): boolean {
  return (oneOf(given, name, ["true", "false"]) ?? "true") === "true";
}

function oneOf(given: URLSearchParams, name: string, allowed: readonly string[]): string | null {
  const value = given.get(name);
  if (value === null || allowed.includes(value)) return value;
  throw invalid(`${name} is ${allowed.join(" or ")}, not "${value.slice(0, 100)}"`);
}

function toConnectMs(text: string | null): number {
  const seconds = Number(text ?? CONNECT_SECONDS_MAX);
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= 600) return seconds * 1_000;
  throw invalid("connect_timeout is a number of seconds from 1 to 600");
}

/**
 * The driver takes `require` for `verify-full` unless it is told to take it as PostgreSQL does, which the next one will
 * do by itself.
 */
function checkSsl(given: URLSearchParams): void {
  const mode = oneOf(given, "sslmode", SSL_MODES);
  if (mode === null || given.has("uselibpqcompat")) return;
  if (mode === "verify-ca" && !given.has("sslrootcert")) {
    throw invalid("sslmode=verify-ca needs sslrootcert, the file of a certificate authority");
  }
  if (mode !== "no-verify") given.set("uselibpqcompat", "true");
}

function unknown(name: string): StepwellError {
  const known = [...OWN, ...DRIVERS];
  const nearest = nearestOf(name, known);
  const advice = nearest === null ? `known are ${known.join(", ")}` : `did you mean "${nearest}"?`;
  return invalid(`there is no "${name.slice(0, 100)}"; ${advice}`);
}

function invalid(why: string): StepwellError {
  return new StepwellError("STORE_URL_INVALID", `the URL of a PostgreSQL store: ${why}`);
}
