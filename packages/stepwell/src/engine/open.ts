/**
 * Opening: the one place where a URL chooses a store, and a real machine the host.
 */
import { StepwellError } from "../model/errors.ts";
import { migratePostgresDown, openPostgresStore } from "../store/postgres/postgres.ts";
import { migrateSqliteDown, openSqliteStore } from "../store/sqlite/sqlite.ts";
import type { Store } from "../store/store.ts";
import { type Engine, openEngineOn } from "./engine.ts";
import { type Host, openHost } from "./host.ts";
import type { EngineOptions } from "./settings.ts";

/** Where the runs are kept. */
export type StoreOption = {
  /**
   * `sqlite:./shop.db` (the file is created), `sqlite::memory:` for tests, or
   * `postgres://user:password@host:5432/database` (needs the package `pg`; its tables are created in a schema of their
   * own, `?schema=stepwell`).
   */
  readonly store: string;
};

/**
 * Open an engine. A store of an older release is brought to the schema of this one.
 *
 * @throws StepwellError STORE_URL_INVALID, STORE_NEWER, STORE_FOREIGN, STORE_CORRUPT, STORE_READ_ONLY, STORE_FULL,
 *         STORE_FAILED, STORE_UNSUPPORTED; of a server STORE_DRIVER_MISSING, STORE_UNREACHABLE, STORE_LOGIN_REFUSED,
 *         STORE_RIGHTS_MISSING; OPTION_UNKNOWN, OPTION_INVALID, WORKFLOW_DUPLICATE
 */
export async function openEngine(options: StoreOption & EngineOptions): Promise<Engine> {
  const host = openHost();
  const store = await openStore(options.store, host);
  try {
    return await openEngineOn(store, host, options);
  } catch (error) {
    await store.close();
    throw error;
  }
}

/**
 * Bring a store to the schema of this release, and leave it: for a deployment whose engines may not change tables, or
 * before they start. Opening an engine does the same.
 *
 * @throws as openEngine
 */
export async function migrateUp(url: string): Promise<void> {
  await (await openStore(url, openHost())).close();
}

/**
 * Bring a store back to an older schema, for the release that went with it. What only newer ones can hold is lost.
 *
 * @param to number of the newest migration to keep, 1 at least
 * @throws StepwellError STORE_BUSY while workers are alive, OPTION_INVALID; else as openEngine
 */
export async function migrateDown(url: string, to: number): Promise<void> {
  const target = parseStoreUrl(url);
  if (target.kind === "sqlite") migrateSqliteDown(target.path, { to, nowMs: openHost().nowMs() });
  else await migratePostgresDown(target.url, to);
}

function openStore(url: string, host: Host): Promise<Store> {
  const target = parseStoreUrl(url);
  if (target.kind === "sqlite") return openSqliteStore(target.path, { clock: host.nowMs, pace: host });
  return openPostgresStore(target.url, { pace: host });
}

/** The kind is in the first word. */
function parseStoreUrl(
  url: string,
): { readonly kind: "sqlite"; readonly path: string } | { readonly kind: "postgres"; readonly url: string } {
  const [, scheme = "", rest = ""] = /^([a-z+]+):(.*)$/is.exec(String(url)) ?? [];
  switch (scheme.toLowerCase()) {
    case "sqlite":
      if (rest !== "") return { kind: "sqlite", path: rest };
      throw invalid('"sqlite:" names no file');
    case "postgres":
    case "postgresql":
      return { kind: "postgres", url };
    case "":
      throw invalid(typeof url === "string" ? "what it names does not begin with its kind" : "it is no text");
    default:
      throw invalid(`there is no store of the kind "${scheme.slice(0, 20)}"`);
  }
}

/** A URL is not quoted: there may be a password in it. */
function invalid(why: string): StepwellError {
  return new StepwellError("STORE_URL_INVALID", `the option store: ${why}.`);
}
