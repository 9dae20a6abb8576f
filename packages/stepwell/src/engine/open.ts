/**
 * Opening: the one place where a URL chooses a store, and a real machine the host.
 */
import { StepwellError } from "../model/errors.ts";
import { openPostgresStore } from "../store/postgres/postgres.ts";
import { openSqliteStore } from "../store/sqlite/sqlite.ts";
import type { Store } from "../store/store.ts";
import { type Engine, openEngineOn } from "./engine.ts";
import { type Host, openHost } from "./host.ts";
import type { EngineOptions } from "./settings.ts";

/** Where the runs are kept. */
export type StoreOption = {
  /** `sqlite:./shop.db` (the file is created), `postgres://user:password@host/database`, or `sqlite::memory:` for tests. */
  readonly store: string;
};

/**
 * Open an engine.
 *
 * @throws StepwellError STORE_URL_INVALID, STORE_NEWER, STORE_CORRUPT, STORE_READ_ONLY, STORE_FULL, STORE_FAILED;
 *         OPTION_UNKNOWN, OPTION_INVALID, WORKFLOW_DUPLICATE
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

function openStore(url: string, host: Host): Promise<Store> {
  const path = typeof url === "string" && url.startsWith("sqlite:") ? url.slice("sqlite:".length) : "";
  if (path !== "") return openSqliteStore(path, { clock: host.nowMs, pace: host });
  if (typeof url === "string" && /^postgres(ql)?:\/\//.test(url)) return openPostgresStore(url);
  throw new StepwellError("STORE_URL_INVALID", `"${String(url)}" names no store.`);
}
