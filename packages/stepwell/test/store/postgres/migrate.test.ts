/** Bringing a schema forward and back: once, whole, and never somebody else's. */
import { Client } from "pg";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { useFreshDatabase } from "../../../../../scripts/postgres/for-tests.ts";
import { migrateDown as migrateStoreDown, migrateUp } from "../../../src/engine/open.ts";
import type { Migration } from "../../../src/store/migration.ts";
import { migrate, migrateDown, type Place } from "../../../src/store/postgres/migrate.ts";
import { openPostgresStore } from "../../../src/store/postgres/postgres.ts";
import { MIGRATIONS } from "../../../src/store/postgres/sql.generated.ts";
import { failureOf, sql } from "./server.ts";

const NEWEST = MIGRATIONS.length;
const AT: Place = { place: "there", schema: "stepwell" };

/** One that keeps what it changes: the way back leads to the same rows. */
const NEXT: Migration = {
  number: NEWEST + 1,
  name: "the-next-one",
  sql: `ALTER TABLE workflows ADD COLUMN owner text NOT NULL DEFAULT 'nobody';
        CREATE TABLE owners (name text PRIMARY KEY);
        INSERT INTO owners SELECT DISTINCT owner FROM workflows;`,
  down: "DROP TABLE owners; ALTER TABLE workflows DROP COLUMN owner",
};
const WITH_NEXT = [...MIGRATIONS, NEXT];

describe("migrate", () => {
  const url = useFreshDatabase();

  const connected = async (): Promise<Client> => {
    const client = new Client({ connectionString: url() });
    client.on("error", () => {});
    await client.connect();
    onTestFinished(() => client.end());
    return client;
  };
  const numbers = async (): Promise<unknown[]> =>
    (await sql(url(), "SELECT number::int FROM stepwell.stepwell_migrations ORDER BY 1")).flat();
  const tables = async (): Promise<unknown[]> =>
    (await sql(url(), "SELECT tablename FROM pg_tables WHERE schemaname = 'stepwell' ORDER BY 1")).flat();

  beforeEach(async () => {
    await sql(url(), "DROP SCHEMA IF EXISTS stepwell CASCADE");
  });

  it("brings an empty database to the newest schema and numbers it", async () => {
    const client = await connected();
    await migrate(client, AT);
    await migrate(client, AT);
    expect(await numbers()).toEqual(MIGRATIONS.map(({ number }) => number));
    const ours = [
      "approval_addressees",
      "approvals",
      "attempts",
      "attributes",
      "breakers",
      "inbox",
      "notes",
      "remarks",
      "runs",
      "steps",
      "versions",
      "workers",
      "workflows",
    ];
    expect((await tables()).filter((name) => name !== "stepwell_migrations")).toEqual(ours);
  });

  it("fills a schema that was made for it", async () => {
    await sql(url(), "CREATE SCHEMA stepwell");
    await migrate(await connected(), AT);
    expect(await numbers()).toHaveLength(NEWEST);
  });

  it("applies each migration once when many open at the same time", async () => {
    const clients = await Promise.all(Array.from({ length: 8 }, connected));
    await Promise.all(clients.map((client) => migrate(client, AT, WITH_NEXT)));
    expect(await numbers()).toEqual(WITH_NEXT.map(({ number }) => number));
    expect(await sql(url(), "SELECT count(*)::int FROM stepwell.owners")).toEqual([[0]]);
  });

  it("F7: a migration that breaks off leaves the version before it, whole, and the next open goes on", async () => {
    const client = await connected();
    const broken = { ...NEXT, sql: `${NEXT.sql} CREATE TABLE runs (a int)` };
    const failure = await failureOf(migrate(client, AT, [...MIGRATIONS, broken]));
    expect(failure.message).toContain('there: relation "runs" already exists');
    expect([await numbers(), (await tables()).includes("owners")]).toEqual([
      MIGRATIONS.map(({ number }) => number),
      false,
    ]);
    await migrate(client, AT, WITH_NEXT);
    expect(await numbers()).toHaveLength(NEWEST + 1);
  });

  it("F7: a process that dies in the middle of a migration leaves the version before it", async () => {
    const dying = await connected();
    const slow = { ...NEXT, sql: `${NEXT.sql} SELECT pg_sleep(20)` };
    const failing = failureOf(migrate(dying, AT, [...MIGRATIONS, slow]));
    const end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()";
    await expect
      .poll(() => sql(url(), `${end} AND state = 'active' AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()`))
      .toEqual([[true]]);
    await failing;
    await migrate(await connected(), AT, WITH_NEXT);
    expect(await numbers()).toHaveLength(NEWEST + 1);
  });

  it("F7: an older binary refuses a newer schema and changes nothing", async () => {
    await migrate(await connected(), AT, WITH_NEXT);
    const failure = await failureOf(openPostgresStore(url()));
    expect(failure).toMatchObject({ code: "STORE_NEWER", details: { found: NEWEST + 1, newest: NEWEST } });
    expect(failure.message).toContain(`has version ${NEWEST + 1}, this version of Stepwell knows up to ${NEWEST}`);
    expect((await failureOf(migrateStoreDown(url(), 1))).code).toBe("STORE_NEWER");
    expect(await numbers()).toHaveLength(NEWEST + 1);
  });

  it.each([
    ["its tables", "CREATE TABLE stepwell.theirs (a int)"],
    ["its table of migrations", "CREATE TABLE stepwell.stepwell_migrations (id int)"],
    ["numbers without tables", "CREATE TABLE stepwell.stepwell_migrations AS SELECT 1 AS number"],
  ])("leaves another program's schema alone, told by %s", async (_, made) => {
    await sql(url(), "CREATE SCHEMA stepwell", made);
    const before = await tables();
    const failure = await failureOf(openPostgresStore(url()));
    expect(failure.code).toBe("STORE_FOREIGN");
    expect(failure.message).toContain('schema "stepwell"');
    expect(await tables()).toEqual(before);
  });

  it(
    "waits for nobody who holds a table for long, since others would wait behind it",
    { timeout: 30_000 },
    async () => {
      const holder = await connected();
      await migrate(holder, AT);
      await holder.query("BEGIN; LOCK TABLE stepwell.workflows");
      const failure = await failureOf(migrate(await connected(), AT, WITH_NEXT));
      await holder.query("COMMIT");
      expect([failure.code, await numbers()]).toEqual(["STORE_BUSY", MIGRATIONS.map(({ number }) => number)]);
    },
  );

  describe("and the way back", () => {
    it("leads to the older schema with all that was in it, and forth again", async () => {
      const client = await connected();
      await migrate(client, AT);
      await client.query("INSERT INTO stepwell.workflows (namespace, name) VALUES ('a', 'b')");
      const described = async (): Promise<unknown> =>
        sql(
          url(),
          "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns WHERE table_schema = 'stepwell' ORDER BY 1, 2",
        );
      const before = await described();
      await migrate(client, AT, WITH_NEXT);
      await client.query("UPDATE stepwell.workflows SET owner = 'kim'");
      await migrateDown(client, AT, NEWEST, WITH_NEXT);
      expect(await described()).toEqual(before);
      expect(await sql(url(), "SELECT namespace, name FROM stepwell.workflows")).toEqual([["a", "b"]]);
      expect(await numbers()).toHaveLength(NEWEST);
      await migrate(client, AT, WITH_NEXT);
      expect(await sql(url(), "SELECT owner FROM stepwell.workflows")).toEqual([["nobody"]]);
    });

    it("is gone once when many go at the same time", async () => {
      const clients = await Promise.all(Array.from({ length: 4 }, connected));
      await migrate(clients[0]!, AT, WITH_NEXT);
      await Promise.all(clients.map((client) => migrateDown(client, AT, NEWEST, WITH_NEXT)));
      expect(await numbers()).toHaveLength(NEWEST);
    });

    it("F7: breaks off whole", async () => {
      const client = await connected();
      const odd = [...MIGRATIONS, { ...NEXT, down: `${NEXT.down!}; DROP TABLE nowhere` }];
      await migrate(client, AT, odd);
      expect((await failureOf(migrateDown(client, AT, NEWEST, odd))).message).toContain("nowhere");
      expect([await numbers(), (await tables()).includes("owners")]).toEqual([
        WITH_NEXT.map(({ number }) => number),
        true,
      ]);
    });

    it("is refused while workers are alive, and to where there is nothing", async () => {
      const client = await connected();
      await migrate(client, AT, WITH_NEXT);
      const until = (lease: string): string =>
        `INSERT INTO stepwell.workers (name, host, boot_id, pid, pid_namespace, pid_started_at, lease_until_ms, started_at_ms, seen_at_ms, concurrency, workflows)
         VALUES ('w', 'h', 'b', 1, 'n', '0', ${lease}, 0, 0, 1, '[]')`;
      await client.query(until("extract(epoch FROM now()) * 1000 - 1"));
      await client.query(until("extract(epoch FROM now()) * 1000 + 60000"));
      const failure = await failureOf(migrateDown(client, AT, NEWEST, WITH_NEXT));
      expect([failure.code, failure.message]).toEqual([
        "STORE_BUSY",
        expect.stringContaining("1 workers are alive; stop them first"),
      ]);
      await client.query("UPDATE stepwell.workers SET state = 'dead'");
      expect((await failureOf(migrateDown(client, AT, 0, WITH_NEXT))).code).toBe("OPTION_INVALID");
      expect((await failureOf(migrateDown(client, AT, NEWEST + 2, WITH_NEXT))).code).toBe("OPTION_INVALID");
      await migrateDown(client, AT, NEWEST, WITH_NEXT);
      expect(await numbers()).toHaveLength(NEWEST);
    });
  });

  it("is what migrateUp and migrateDown do, by URL", async () => {
    await migrateUp(url());
    await migrateStoreDown(url(), 1);
    expect(await numbers()).toEqual([1]);
    await migrateUp(url());
    expect(await numbers()).toHaveLength(NEWEST);
  });
});
