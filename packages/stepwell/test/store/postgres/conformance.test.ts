/** The PostgreSQL store keeps the promises of every store. */
import { Client } from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { useFreshDatabase } from "../../../../../scripts/postgres/for-tests.ts";
import { openPostgresStore } from "../../../src/store/postgres/postgres.ts";
import type { Store } from "../../../src/store/store.ts";
import { testStore } from "../../../src/testing/conformance/store.ts";

const url = useFreshDatabase();
const TABLES = "workflows, versions, workers, runs, steps, attempts, inbox, notes, attributes";
let cleaner: Client | null = null;

async function openEmpty(): Promise<Store> {
  const store = await openPostgresStore(url());
  if (cleaner === null) {
    cleaner = new Client({ connectionString: url() });
    await cleaner.connect();
    await cleaner.query("SET search_path = stepwell");
  }
  await cleaner.query(
    TABLES.split(", ")
      .map((table) => `DELETE FROM ${table}`)
      .reverse()
      .join("; "),
  );
  return store;
}
afterAll(() => cleaner?.end());

testStore("PostgreSQL", openEmpty, { describe, it, expect });
