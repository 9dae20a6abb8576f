/** Opening a PostgreSQL store. */
import { describe, expect, it } from "vitest";
import { useFreshDatabase } from "../../../../../scripts/postgres/for-tests.ts";
import { openPostgresStore } from "../../../src/store/postgres/postgres.ts";

describe("open", () => {
  const url = useFreshDatabase();

  it("makes its tables in a schema of its own, once, however many open at the same time", async () => {
    const stores = await Promise.all([1, 2, 3].map(() => openPostgresStore(url())));
    expect(stores.map(({ kind }) => kind)).toEqual(["postgres", "postgres", "postgres"]);
    await Promise.all(stores.map((store) => store.close()));
    await (await openPostgresStore(`${url()}?schema=a+%22strange%22+one`)).close();
  });
});
