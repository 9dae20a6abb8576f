/** Store at: the store that a URL names, for those who want it without an engine. */
import type { Host } from "../../src/engine/host.ts";
import { openPostgresStore } from "../../src/store/postgres/postgres.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";
import type { Store } from "../../src/store/store.ts";

/** Open it as an engine would. */
export function openStoreAt(url: string, host: Host): Promise<Store> {
  if (!url.startsWith("sqlite:")) return openPostgresStore(url, { pace: host });
  return openSqliteStore(url.slice("sqlite:".length), { clock: host.nowMs, pace: host });
}
