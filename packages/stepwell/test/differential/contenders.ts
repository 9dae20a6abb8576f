/** Who takes part when stores are compared: the model first, which says what is right. */
import { connect } from "../../../../scripts/postgres/query.ts";
import { openPostgresStore } from "../../src/store/postgres/postgres.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";
import type { Contender } from "../../src/testing/differential/world.ts";
import { openModelStore } from "../../src/testing/model-store/model-store.ts";

/** What every other store is compared with. */
export const MODEL: Contender = { name: "model", open: async () => openModelStore() };

/** SQLite in memory. */
export const SQLITE: Contender = { name: "SQLite", open: () => openSqliteStore(":memory:") };

/** A contender that keeps something open between worlds. */
export type OpenContender = Contender & { readonly close: () => Promise<void> };

/** In the order in which rows may be deleted. */
const TABLES = [
  "versions",
  "workflows",
  "workers",
  "runs",
  "steps",
  "attempts",
  "inbox",
  "notes",
  "attributes",
  "breakers",
];

/**
 * PostgreSQL, in a database that nobody else uses.
 *
 * Each world begins with the tables emptied, which takes 3 ms; TRUNCATE takes 100, and to make them anew 80. One store
 * serves all worlds, so that its connections keep their plans: planning takes longer than all else. Numbers of rows go on
 * where they were, as nothing in a world depends on them.
 */
export async function openPostgresContender(url: string): Promise<OpenContender> {
  const store = await openPostgresStore(url);
  const client = await connect(url);
  const empty = TABLES.map((table) => `DELETE FROM stepwell.${table}`).join("; ");
  return {
    name: "PostgreSQL",
    open: async () => {
      await client.query(empty);
      return { ...store, close: async () => {} };
    },
    close: async () => {
      await Promise.all([store.close(), client.end()]);
    },
  };
}
