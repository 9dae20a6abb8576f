/**
 * Inspect: what a server says of itself, and whether runs can be entrusted to it.
 */
import { StepwellError } from "../../model/errors.ts";
import { toStoreError } from "./faults.ts";
import type { Executor } from "./migrate.ts";

/** What the server says of itself; texts are its own. */
export type ServerRow = {
  /** 150004 is 15.4. */
  readonly version: number;
  readonly standby: boolean;
  readonly default_transaction_read_only: string;
  readonly transaction_isolation: string;
  readonly server_encoding: string;
  readonly client_encoding: string;
  readonly fsync: string;
  readonly full_page_writes: string;
  readonly synchronous_commit: string;
  readonly synchronous_standby_names: string;
  /** Fresh at each look. */
  readonly token: string;
};

/** Since then `ON CONFLICT`, identities, partitions and JSON are all that statements here ask for. */
const VERSION_MIN = 150_000;

const SETTINGS = [
  ...["default_transaction_read_only", "transaction_isolation", "server_encoding", "client_encoding"],
  ...["fsync", "full_page_writes", "synchronous_commit", "synchronous_standby_names"],
];

/** Ask it. */
export async function inspectServer(db: Executor, place: string): Promise<ServerRow> {
  const asked = [
    "current_setting('server_version_num')::integer AS version",
    "pg_is_in_recovery() AS standby",
    "gen_random_uuid()::text AS token",
    ...SETTINGS.map((name) => `current_setting('${name}') AS ${name}`),
  ];
  try {
    return (await db.query(`SELECT ${asked.join(", ")}`)).rows[0] as ServerRow;
  } catch (error) {
    throw toStoreError(error, place);
  }
}

/** @throws STORE_UNSUPPORTED, STORE_READ_ONLY */
export function checkServer(server: ServerRow, place: string): void {
  const { version, server_encoding, client_encoding, transaction_isolation } = server;
  const unsupported = (what: string): StepwellError => new StepwellError("STORE_UNSUPPORTED", `${place}: ${what}`);
  if (version < VERSION_MIN) {
    throw unsupported(`it is PostgreSQL ${Math.floor(version / 10_000)}, and 15 or newer is needed`);
  }
  if (server_encoding !== "UTF8" || client_encoding !== "UTF8") {
    throw unsupported(`text is kept as ${server_encoding} and sent as ${client_encoding}, and UTF8 is needed for both`);
  }
  if (server.standby) throw readOnly(place, "it is a standby server");
  if (server.default_transaction_read_only === "on") throw readOnly(place, "default_transaction_read_only is on");
  if (transaction_isolation !== "read committed") {
    const cure = "ALTER ROLE … SET default_transaction_isolation = 'read committed'";
    throw unsupported(`transactions are "${transaction_isolation}" by default; ${cure}`);
  }
}

/** What whoever opens the store should know; one sentence each. */
export function warningsOf(server: ServerRow, place: string): readonly string[] {
  const reduced = (what: string): string => `${place}: durability is "reduced": ${what}.`;
  const warnings: string[] = [];
  if (server.fsync === "off") {
    warnings.push(reduced("fsync is off, so when the machine fails, the database may be damaged"));
  }
  if (server.full_page_writes === "off") {
    warnings.push(reduced("full_page_writes is off, so when the machine fails, the database may be damaged"));
  }
  const { synchronous_commit: commit, synchronous_standby_names: standbys } = server;
  if (commit === "off") {
    warnings.push(
      reduced("synchronous_commit is off, so when the server fails, what was acknowledged last may be lost"),
    );
  }
  // Without standby servers these two are as good as "on".
  if (standbys !== "" && (commit === "local" || commit === "remote_write")) {
    const what = `synchronous_commit is ${commit}, so when a standby server takes over, what was acknowledged last may be lost`;
    warnings.push(reduced(what));
  }
  return warnings;
}

function readOnly(place: string, why: string): StepwellError {
  return new StepwellError("STORE_READ_ONLY", `${place}: ${why}`);
}
