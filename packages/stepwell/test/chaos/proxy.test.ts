/** The proxy tells the truth: what it says was committed is there, and nothing else. */
import { Client } from "pg";
import { afterEach, describe, expect, it } from "vitest";
import { useFreshDatabase } from "../../../../scripts/postgres/for-tests.ts";
import { query } from "../../../../scripts/postgres/query.ts";
import { type Fate, openProxy, PASS, type Proxy, type Strike } from "./proxy.ts";

describe("a line to PostgreSQL", () => {
  const url = useFreshDatabase();
  const opened: Proxy[] = [];
  afterEach(() => Promise.all(opened.splice(0).map((proxy) => proxy.close())));

  /** A line on which `mark` comes to harm the first time, and what is there afterwards. */
  async function tryMark(fate: Fate, prepared: boolean): Promise<{ strikes: readonly Strike[]; error: string }> {
    await query(url(), "DROP TABLE IF EXISTS marks", "CREATE TABLE marks (n int)");
    const proxy = await openProxy(url());
    opened.push(proxy);
    const strikes: Strike[] = [];
    proxy.onStrike((strike) => strikes.push(strike));
    const client = new Client({ connectionString: proxy.url, query_timeout: 300 });
    client.on("error", () => {});
    await client.connect();
    const text = "INSERT INTO marks VALUES (1)";
    const send = (): Promise<unknown> => client.query(prepared ? { name: "mark", text } : { text });
    await send();
    proxy.decide((statement) => (statement.startsWith("INSERT") && strikes.length === 0 ? fate : PASS));
    const error = await send().then(
      () => "",
      (thrown: Error) => thrown.message,
    );
    await client.end().catch(() => {});
    return { strikes, error };
  }

  const count = async (): Promise<number> => Number((await query(url(), "SELECT count(*) FROM marks"))[0]);

  describe.each([true, false])("a prepared statement: %s", (prepared) => {
    it.each(["fin", "rst"] as const)("cut by %s", async (how) => {
      for (const when of ["before", "torn", "after", "mid-answer"] as const) {
        const { strikes, error } = await tryMark({ kind: "cut", when, how }, prepared);
        const committed = when === "after" || when === "mid-answer";
        expect(strikes, when).toMatchObject([{ committed, text: "INSERT INTO marks VALUES (1)" }]);
        expect(error, when).toMatch(/terminated|ECONNRESET|closed|timeout/);
        expect(await count(), when).toBe(committed ? 2 : 1);
      }
    });

    it("silent", async () => {
      for (const when of ["before", "after"] as const) {
        const { strikes, error } = await tryMark({ kind: "silence", when }, prepared);
        expect(strikes).toMatchObject([{ committed: when === "after" }]);
        expect(error).toMatch(/timeout/);
        expect(await count()).toBe(when === "after" ? 2 : 1);
      }
    });

    it("late", async () => {
      for (const how of ["fin", "rst"] as const) {
        const { strikes, error } = await tryMark({ kind: "late", how }, prepared);
        expect(error).toMatch(/terminated|ECONNRESET|closed/);
        expect(await count()).toBe(1);
        await strikes[0]!.deliver();
        expect(await count()).toBe(2);
      }
    });

    it("delayed", async () => {
      const beganMs = performance.now();
      expect(await tryMark({ kind: "pass", delayMs: 100 }, prepared)).toEqual({ strikes: [], error: "" });
      expect(performance.now() - beganMs).toBeGreaterThanOrEqual(100);
      expect(await count()).toBe(2);
    });
  });

  it("what fails, or leaves a transaction open, was not committed", async () => {
    const proxy = await openProxy(url());
    opened.push(proxy);
    const strikes: Strike[] = [];
    proxy.onStrike((strike) => strikes.push(strike));
    proxy.decide((text) => (text === "BEGIN" ? PASS : { kind: "cut", when: "after", how: "rst" }));
    for (const texts of [["SELECT 1/0"], ["BEGIN", "SELECT 1"], ["SELECT 1"]]) {
      await expect(query(proxy.url, ...texts)).rejects.toThrow(/division by zero|terminated|ECONNRESET|closed/);
    }
    expect(strikes.map(({ committed }) => committed)).toEqual([false, false, true]);
  });

  it("nothing passes while all is silent, and new lines work again afterwards", async () => {
    const proxy = await openProxy(url());
    opened.push(proxy);
    const client = new Client({ connectionString: proxy.url, query_timeout: 200 });
    client.on("error", () => {});
    await client.connect();
    proxy.silence(true);
    await expect(client.query("SELECT 1")).rejects.toThrow(/timeout/);
    const late = new Client({ connectionString: proxy.url, connectionTimeoutMillis: 200 });
    await expect(late.connect()).rejects.toThrow(/timeout/);
    proxy.silence(false);
    expect(await query(proxy.url, "SELECT 1")).toEqual([1]);
    await client.end().catch(() => {});
  });
});
