/** Who takes part when stores are compared: the model first, which says what is right. */
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";
import type { Store } from "../../src/store/store.ts";
import type { Contender } from "../../src/testing/differential/world.ts";
import { openModelStore } from "../../src/testing/model-store/model-store.ts";

/**
 * The stores that are there.
 *
 * @param openPostgres gives an empty PostgreSQL store; null: there is no server
 */
export function listContenders(openPostgres: (() => Promise<Store>) | null): readonly Contender[] {
  const always: readonly Contender[] = [
    { name: "model", open: async () => openModelStore() },
    { name: "SQLite", open: () => openSqliteStore(":memory:") },
  ];
  return openPostgres === null ? always : [...always, { name: "PostgreSQL", open: openPostgres }];
}
