/** Opening a PostgreSQL store: what it makes, what it refuses, and with which words. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import { startOwnServer, useFreshDatabase, useOwnServer } from "../../../../../scripts/postgres/for-tests.ts";
import { checkServer, type ServerRow, warningsOf } from "../../../src/store/postgres/inspect.ts";
import { openPostgresStore } from "../../../src/store/postgres/postgres.ts";
import { failureOf, sql, urlWith } from "./server.ts";

const FIT: ServerRow = {
  version: 150_000,
  standby: false,
  default_transaction_read_only: "off",
  transaction_isolation: "read committed",
  server_encoding: "UTF8",
  client_encoding: "UTF8",
  fsync: "on",
  full_page_writes: "on",
  synchronous_commit: "on",
  synchronous_standby_names: "",
  token: "t",
};

describe("open", () => {
  const url = useFreshDatabase();

  it("makes its tables in a schema of its own, once, however many open at the same time", async () => {
    const stores = await Promise.all([1, 2, 3].map(() => openPostgresStore(url())));
    expect(stores.map(({ kind }) => kind)).toEqual(["postgres", "postgres", "postgres"]);
    await Promise.all(stores.map((store) => store.close()));
    const applied = await sql(url(), "SELECT number, name FROM stepwell.stepwell_migrations ORDER BY number");
    expect(applied[0]).toEqual(["1", "0001-runs"]);
    expect(await sql(url(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")).toEqual([["0"]]);
  });

  it("takes any name for the schema", async () => {
    const address = urlWith(url(), ({ searchParams }) => searchParams.set("schema", 'a "strange" one'));
    const store = await openPostgresStore(address);
    expect(await store.listVersions()).toEqual([]);
    await store.close();
    expect(await sql(url(), `SELECT count(*) > 0 FROM "a ""strange"" one".stepwell_migrations`)).toEqual([[true]]);
  });

  it("names its connections by what they do", async () => {
    const store = await openPostgresStore(
      urlWith(url(), ({ searchParams }) => searchParams.set("application_name", "shop")),
    );
    await store.ensureVersion({ namespace: "t", name: "w", version: "1.0.0" });
    const names = await sql(
      url(),
      "SELECT DISTINCT application_name FROM pg_stat_activity WHERE application_name ~ '^shop' ORDER BY 1",
    );
    expect(names.flat()).toEqual(["shop claim", "shop look"]);
    await store.close();
  });

  it("says how to install the driver where it is missing", async () => {
    const load = async (): Promise<never> => {
      throw new Error("Cannot find package 'pg'");
    };
    const failure = await failureOf(openPostgresStore(url(), { load }));
    expect(failure.code).toBe("STORE_DRIVER_MISSING");
    expect(failure.message).toContain("npm install pg");
  });

  it("says which host and port do not answer", async () => {
    const failure = await failureOf(openPostgresStore("postgres://kim:s3cret@127.0.0.1:1/shop"));
    expect(failure.code).toBe("STORE_UNREACHABLE");
    expect(failure.message).toContain("PostgreSQL at 127.0.0.1:1/shop: nothing listens there");
    expect(failure.message).not.toContain("s3cret");
    const unknown = await failureOf(openPostgresStore("postgres://kim@no-such-host.invalid/shop"));
    expect([unknown.code, unknown.message]).toEqual([
      "STORE_UNREACHABLE",
      expect.stringContaining("no-such-host.invalid:5432"),
    ]);
  });

  it("says that a server does not speak TLS", async () => {
    const address = urlWith(url(), ({ searchParams }) => searchParams.set("sslmode", "require"));
    const failure = await failureOf(openPostgresStore(address));
    expect(failure.code).toBe("STORE_UNREACHABLE");
    expect(failure.message).toContain("The server does not support SSL connections");
  });

  it("does not wait for ever for a server that says nothing", { timeout: 10_000 }, async () => {
    const { createServer } = await import("node:net");
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => void silent.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void silent.close());
    const { port } = silent.address() as { readonly port: number };
    const failure = await failureOf(openPostgresStore(`postgres://kim@127.0.0.1:${port}/shop?connect_timeout=1`));
    expect([failure.code, failure.message]).toEqual([
      "STORE_UNREACHABLE",
      expect.stringContaining("no answer in time"),
    ]);
  });

  it("says that there is no such database, no such role", async () => {
    const database = await failureOf(openPostgresStore(urlWith(url(), (changed) => (changed.pathname = "nowhere"))));
    expect(database.code).toBe("STORE_LOGIN_REFUSED");
    expect(database.message).toContain('database "nowhere" does not exist');
    const role = await failureOf(openPostgresStore(urlWith(url(), (changed) => (changed.username = "nobody"))));
    expect(role.code).toBe("STORE_LOGIN_REFUSED");
    expect(role.message).toContain('role "nobody" does not exist');
  });

  it("refuses a database that is read-only", async () => {
    await sql(url(), `ALTER DATABASE "${new URL(url()).pathname.slice(1)}" SET default_transaction_read_only = on`);
    const failure = await failureOf(openPostgresStore(url()));
    expect(failure.code).toBe("STORE_READ_ONLY");
    expect(failure.message).toContain("default_transaction_read_only is on");
  });
});

describe("open, where text is not kept as UTF-8", () => {
  const url = useFreshDatabase();

  it("refuses", async () => {
    const name = `${new URL(url()).pathname.slice(1)}_latin`;
    const made = `CREATE DATABASE ${name} ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0`;
    await sql(url(), made);
    onTestFinished(async () => void (await sql(url(), `DROP DATABASE ${name} WITH (FORCE)`)));
    const failure = await failureOf(openPostgresStore(urlWith(url(), (changed) => (changed.pathname = name))));
    expect(failure.code).toBe("STORE_UNSUPPORTED");
    expect(failure.message).toContain("text is kept as LATIN1 and sent as UTF8, and UTF8 is needed");
  });
});

describe("a password", () => {
  const server = useOwnServer({ password: "s3cret", settings: { max_connections: "12" } });

  it("that is wrong or missing is told, and never shown", async () => {
    const { url } = server();
    for (const password of ["wr0ng", ""]) {
      const failure = await failureOf(openPostgresStore(urlWith(url, (changed) => (changed.password = password))));
      expect(failure.code).toBe("STORE_LOGIN_REFUSED");
      const shown = [failure.message, failure.stack, JSON.stringify(failure.details), String(failure.cause)].join();
      expect(shown).not.toMatch(/wr0ng|s3cret/);
    }
    await (await openPostgresStore(url)).close();
  });

  it("helps nobody when there is no connection left", async () => {
    const { url } = server();
    const guests = Array.from({ length: 12 }, () => new Client({ connectionString: url }));
    await Promise.allSettled(guests.map((guest) => guest.connect()));
    const failure = await failureOf(openPostgresStore(url));
    expect(failure.code).toBe("STORE_BUSY");
    expect(failure.message).toContain("it has no connection left to give (sorry, too many clients already)");
    await Promise.allSettled(guests.map((guest) => guest.end()));
  });
});

describe("a standby server", () => {
  it("is refused", async (test) => {
    const folder = mkdtempSync(join(tmpdir(), "stepwell-standby-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const dataDir = join(folder, "primary");
    const primary = await startOwnServer(test, { dataDir });
    await primary.stop();
    // With owners and permissions.
    execFileSync("cp", ["-a", dataDir, join(folder, "standby")]);
    writeFileSync(join(folder, "standby", "standby.signal"), "");
    const standby = await startOwnServer(test, { dataDir: join(folder, "standby") });
    const failure = await failureOf(openPostgresStore(standby.url));
    expect(failure.code).toBe("STORE_READ_ONLY");
    expect(failure.message).toContain("it is a standby server");
    expect(failure.message).toContain("connect to the primary server");
  });
});

describe("durability", () => {
  const server = useOwnServer({ durable: false, settings: { synchronous_commit: "off" } });

  it("that is reduced is told to whoever opens the store", async () => {
    const store = await openPostgresStore(server().url);
    expect(store.warnings).toEqual([
      expect.stringMatching(/: durability is "reduced": fsync is off, .*\.$/),
      ...((await sql(server().url, "SHOW full_page_writes"))[0]![0] === "off"
        ? [expect.stringContaining("full_page")]
        : []),
      expect.stringContaining("synchronous_commit is off"),
    ]);
    await store.close();
  });
});

describe("inspection", () => {
  it.each<[change: Partial<ServerRow>, code: string, why: string]>([
    [{ version: 140_022 }, "STORE_UNSUPPORTED", "it is PostgreSQL 14, and 15 or newer is needed"],
    [{ client_encoding: "SQL_ASCII" }, "STORE_UNSUPPORTED", "sent as SQL_ASCII"],
    [{ transaction_isolation: "serializable" }, "STORE_UNSUPPORTED", "SET default_transaction_isolation"],
    [{ standby: true }, "STORE_READ_ONLY", "standby"],
    [{ default_transaction_read_only: "on" }, "STORE_READ_ONLY", "default_transaction_read_only"],
  ])("refuses a server with %j", (change, code, why) => {
    expect(() => checkServer({ ...FIT, ...change }, "there")).toThrow(`${code}: there: `);
    expect(() => checkServer({ ...FIT, ...change }, "there")).toThrow(why);
  });

  it.each<[change: Partial<ServerRow>, count: number]>([
    [{}, 0],
    [{ fsync: "off", full_page_writes: "off" }, 2],
    [{ synchronous_commit: "off" }, 1],
    [{ synchronous_commit: "local" }, 0],
    [{ synchronous_commit: "local", synchronous_standby_names: "b" }, 1],
    [{ synchronous_commit: "remote_write", synchronous_standby_names: "b" }, 1],
    [{ synchronous_commit: "remote_apply", synchronous_standby_names: "b" }, 0],
  ])("of a server with %j has so many warnings: %i", (change, count) => {
    expect(() => checkServer({ ...FIT, ...change }, "there")).not.toThrow();
    expect(warningsOf({ ...FIT, ...change }, "there").length).toBe(count);
  });
});
