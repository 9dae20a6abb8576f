/** F11: a transaction pooler in between. No state of a connection is relied on: only speed is lost. */
import { describe, expect, it, onTestFinished, type TestContext } from "vitest";
import { useFreshDatabase } from "../../../../../scripts/postgres/for-tests.ts";
import { startPooler, whyNoPooler } from "../../../../../scripts/postgres/pooler.ts";
import { openHost } from "../../../src/engine/host.ts";
import { openEngine } from "../../../src/engine/open.ts";
import { workflow } from "../../../src/engine/workflow.ts";
import { openPostgresStore } from "../../../src/store/postgres/postgres.ts";
import { openProxy, refusalOf } from "./proxy.ts";
import { sql } from "./server.ts";

const work = workflow("t/work", { version: "1.0.0" }, async (ctx, n: number) => {
  const one = await ctx.tx("one", async (tx) => {
    await tx.execute("INSERT INTO pooled (n) VALUES ($1)", [n]);
    return n + 1;
  });
  await ctx.sleep("nap", 20);
  return ctx.step("two", () => one * 2);
});

/** @returns the URL by which the database of `url` is reached through a pooler, which goes with the test */
async function openPooler(test: TestContext, url: string): Promise<string> {
  const why = whyNoPooler();
  if (why !== null) return test.skip(why);
  const pooler = await startPooler(url, 3);
  onTestFinished(() => pooler.stop());
  return pooler.url;
}

describe("through a transaction pooler", () => {
  const url = useFreshDatabase();

  it("F11: two engines share the work, without prepared statements and without messages", async (test) => {
    const pooled = await openPooler(test, url());
    const engines = await Promise.all(
      [1, 2].map(() => openEngine({ store: pooled, workflows: [work], log: () => {} })),
    );
    for (const engine of engines) onTestFinished(() => engine.close());
    await sql(url(), "CREATE TABLE pooled (n INTEGER NOT NULL)");
    const runs = await Promise.all(
      Array.from({ length: 40 }, (_, n) => engines[n % 2]!.start(work, n, { id: `run ${n}` })),
    );
    expect(await Promise.all(runs.map((run) => run.result()))).toEqual(runs.map((_, n) => (n + 1) * 2));
    const [[count]] = (await sql(url(), "SELECT count(*)::int FROM pooled")) as [[number]];
    expect(count).toBe(40);
    const [[connections]] = (await sql(
      url(),
      "SELECT count(*)::int FROM pg_stat_activity WHERE application_name LIKE 'stepwell %'",
    )) as [[number]];
    expect([1, 2, 3], "connections of the pooler").toContain(connections);
  });

  it("a store finds out that a LISTEN leads to nothing", async (test) => {
    const store = await openPostgresStore(await openPooler(test, url()), { pace: openHost() });
    onTestFinished(() => store.close());
    store.watch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(store.pollMs()).toBe(2_000);
  });
});

/** A pooler that takes no settings with a connection, and says so as PgBouncer does. */
async function openRefusing(url: string, refused: (greeting: string) => void): Promise<string> {
  const onGreeting = (data: Buffer): Buffer | null => {
    if (!data.includes("\0options\0")) return null;
    refused(data.toString());
    return refusalOf("08P01", "unsupported startup parameter: options");
  };
  const proxy = await openProxy(url, { onGreeting });
  onTestFinished(proxy.close);
  return proxy.url;
}

describe("through a pooler that refuses settings", () => {
  const url = useFreshDatabase();

  it("goes without them", async () => {
    const refused: string[] = [];
    const store = await openPostgresStore(await openRefusing(url(), (greeting) => refused.push(greeting)));
    await store.ensureVersion({ namespace: "t", name: "w", version: "1.0.0" });
    expect((await store.listVersions()).length).toBe(1);
    await store.close();
    expect(refused.map((greeting) => /stepwell \w+/.exec(greeting)![0])).toEqual(["stepwell open"]);
  });

  it("that would leave transactions another isolation than statements count on", async () => {
    const name = new URL(url()).pathname.slice(1);
    await sql(url(), `ALTER DATABASE "${name}" SET default_transaction_isolation = 'repeatable read'`);
    await (await openPostgresStore(url())).close();
    await expect(openPostgresStore(await openRefusing(url(), () => {}))).rejects.toMatchObject({
      code: "STORE_UNSUPPORTED",
    });
  });
});
