/**
 * Base: where the jobs of one store write. For SQLite that is a folder per job; for PostgreSQL a server, the benchmark's
 * own or one that runs already, and databases of each job's own on it.
 *
 * What it leaves goes with it: folders and databases after each job, the server at the end, however that comes.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freshDatabase } from "../scripts/postgres/database.ts";
import { query } from "../scripts/postgres/query.ts";
import { startPostgres } from "../scripts/postgres/server.ts";

/** Stores that can be measured, in the order in which they are run. */
export const STORES = ["sqlite", "postgres"] as const;

/** Name of a store. */
export type StoreName = (typeof STORES)[number];

/** Where one job writes. */
export type Place = {
  /** What `openEngine` opens; empty. */
  readonly url: string;
  /** A second one, for jobs that compare two. */
  readonly otherUrl: string;
  /** The server's first process, if it is ours: from it its CPU time can be read. */
  readonly serverPid: number | null;
  readonly remove: () => Promise<void>;
};

/** What a row says of the server that it was measured on. */
export type ServerSetting = {
  /** As PostgreSQL says it: `18.4`. */
  readonly version: string;
  readonly settings: Readonly<Record<string, string>>;
};

/** A store, ready for jobs. `server` is null where there is none. `close` also ends jobs under way. */
export type Base = {
  readonly store: StoreName;
  readonly server: ServerSetting | null;
  readonly openPlace: () => Promise<Place>;
  readonly close: () => Promise<void>;
};

/**
 * Open what the jobs of a store need.
 *
 * @param url of a PostgreSQL server that runs already, as a user who may make databases; null: one of our own, or the one
 *   that STEPWELL_TEST_PG names
 * @throws PostgresMissing when there is none
 */
export async function openBase(store: StoreName, url: string | null = null): Promise<Base> {
  if (store === "postgres") return openPostgres(url);
  return { store, server: null, openPlace: openFolder, close: async () => {} };
}

// What must not outlive this process, however it ends.
const folders = new Set<string>();

async function openFolder(): Promise<Place> {
  if (folders.size === 0) process.once("exit", sweep);
  const folder = mkdtempSync(join(tmpdir(), "stepwell-bench-"));
  folders.add(folder);
  return {
    url: `sqlite:${join(folder, "bench.db")}`,
    otherUrl: `sqlite:${join(folder, "other.db")}`,
    serverPid: null,
    remove: async () => {
      rmSync(folder, { recursive: true, force: true });
      folders.delete(folder);
      if (folders.size === 0) process.off("exit", sweep);
    },
  };
}

function sweep(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

/**
 * Our own server is as a new installation has it, fsync and all; the one thing added counts statements, which `claim` and
 * `idle` need, and which costs the others less than can be measured.
 */
const OWN_SETTINGS = { shared_preload_libraries: "pg_stat_statements" };

async function openPostgres(url: string | null): Promise<Base> {
  const server = await startPostgres({ settings: OWN_SETTINGS, ...(url === null ? {} : { url }) });
  const serverPid = server.kind === "own" ? server.pid() : null;
  const places = new Set<Place>();
  const openPlace = async (): Promise<Place> => {
    const [one, other] = await Promise.all([freshDatabase(server.url), freshDatabase(server.url)]);
    const place = { url: one.url, otherUrl: other.url, serverPid, remove: () => removePlace() };
    const removePlace = async (): Promise<void> => {
      places.delete(place);
      await Promise.all([one.drop(), other.drop()]);
    };
    places.add(place);
    return place;
  };
  return {
    store: "postgres",
    server: { version: server.version, settings: { server: server.kind, ...(await readSettings(server.url)) } },
    openPlace,
    close: async () => {
      for (const place of places) await place.remove();
      await server.stop();
    },
  };
}

/** What durability and speed depend on; one that this version has not is left out. */
const SETTINGS = [
  "fsync",
  "synchronous_commit",
  "full_page_writes",
  "wal_level",
  "wal_sync_method",
  "shared_buffers",
  "max_wal_size",
  "max_connections",
  "autovacuum",
  "jit",
  "io_method",
];

async function readSettings(url: string): Promise<Readonly<Record<string, string>>> {
  const names = SETTINGS.map((name) => `'${name}'`).join(", ");
  const texts = await query(
    url,
    `SELECT name || '=' || current_setting(name) FROM unnest(ARRAY[${names}]) AS name
     WHERE current_setting(name, true) IS NOT NULL`,
  );
  return Object.fromEntries(texts.map((text) => (text as string).split("=", 2) as [string, string]));
}
