/** The PostgreSQL store keeps the promises of every store. */
import type { Client } from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { useFreshDatabase } from "../../../../../scripts/postgres/for-tests.ts";
import { connect } from "../../../../../scripts/postgres/query.ts";
import { openHost } from "../../../src/engine/host.ts";
import { openPostgresStore } from "../../../src/store/postgres/postgres.ts";
import type { Store } from "../../../src/store/store.ts";
import { testStore } from "../../../src/testing/conformance/store.ts";

const url = useFreshDatabase();
const pace = openHost();

const TABLES = ["breakers", "attributes", "notes", "inbox", "attempts", "steps", "runs", "workers", "versions"];
const EMPTY = `WITH ${TABLES.map((table) => `${table} AS (DELETE FROM stepwell.${table})`).join(", ")}
  DELETE FROM stepwell.workflows`;

let cleaner: Client | null = null;
afterAll(() => cleaner?.end());

/** The tables of the same database, emptied: for few rows a DELETE is faster than a TRUNCATE. */
async function openEmpty(): Promise<Store> {
  const store = await openPostgresStore(url(), { pace });
  cleaner ??= await connect(url());
  await cleaner.query(EMPTY);
  return store;
}

testStore("PostgreSQL", openEmpty, { describe, it, expect }, () => openPostgresStore(url(), { pace }));
