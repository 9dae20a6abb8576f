/** Statements on their way: what is known of them when the way breaks (P1). */
import pg from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import { useFreshDatabase } from "../../../../../scripts/postgres/for-tests.ts";
import { openLanes, toLink } from "../../../src/store/postgres/connect.ts";
import { isRowFault } from "../../../src/store/postgres/faults.ts";
import { openNaming } from "../../../src/store/postgres/naming.ts";
import { toStatement } from "../../../src/store/postgres/query.ts";
import { closeLanes, type Lane, read, send, type Session } from "../../../src/store/postgres/session.ts";
import { openProxy } from "./proxy.ts";
import { failureOf, sql } from "./server.ts";

function openSession(url: string): Session {
  const link = toLink(pg, url);
  const session: Session = {
    place: link.place,
    lanes: openLanes(link),
    naming: openNaming("public"),
    versions: new Map(),
    tell: () => {},
    reading: new Set(),
    prepared: true,
    inDoubt: false,
    claimNo: 0,
    doubtfulClaims: [],
    closed: false,
  };
  onTestFinished(async () => void (session.closed || (await closeLanes(session))));
  return session;
}

const say = (session: Session, lane: Lane, text: string, values = {}) =>
  send(session, lane, toStatement(text, text), values);

const pidOf = async (session: Session, lane: Lane): Promise<unknown> =>
  (await say(session, lane, "SELECT pg_backend_pid() AS pid"))[0]?.["pid"];

const WRITERS: readonly Lane[] = ["flush", "claim", "beat"];

describe("a statement", () => {
  const url = useFreshDatabase();

  /** End whatever is under way there, once it is. */
  async function terminate(lane: Lane): Promise<void> {
    const there = `application_name = 'stepwell ${lane}' AND datname = current_database()`;
    const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${there} AND query LIKE '%pg_sleep%'`;
    await expect.poll(() => sql(url(), `${end} AND state = 'active'`)).toEqual([[true]]);
  }

  it.each(WRITERS)("P1: whose connection ends on the way has an unknown outcome, on lane %s", async (lane) => {
    const session = openSession(url());
    const failing = failureOf(say(session, lane, "SELECT pg_sleep(20)"));
    await terminate(lane);
    expect((await failing).code).toBe("STORE_OUTCOME_UNKNOWN");
    expect(await say(session, lane, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  it("that reads is only unanswered then, and asked once more", async () => {
    const session = openSession(url());
    const failing = failureOf(say(session, "look", "SELECT pg_sleep(20)"));
    await terminate("look");
    expect(await failing).toMatchObject({ code: "STORE_UNREACHABLE", details: { lost: true, sqlState: "57P01" } });
    await sql(
      url(),
      "CREATE TABLE versions (id int, workflow_id int, version int)",
      "CREATE TABLE workflows (id int, namespace text, name text)",
    );
    let queries = 0;
    const proxy = await openProxy(url(), {
      cutsBefore: (data) => data.includes("workflow_id") && (queries += 1) === 1,
    });
    onTestFinished(proxy.close);
    expect(await read(openSession(proxy.url), "listVersions", {})).toEqual([]);
    expect(queries).toBe(2);
  });

  it("P1: that the server has rejected has not happened, and the connection stays", async () => {
    const session = openSession(url());
    const pid = await pidOf(session, "flush");
    const failure = await failureOf(say(session, "flush", "SELECT 1 / 0"));
    expect(failure).toMatchObject({ code: "STORE_FAILED", details: { sqlState: "22012" } });
    expect(isRowFault(failure)).toBe(true);
    expect(await pidOf(session, "flush")).toBe(pid);
  });

  it("P1: is not known to be rejected when the connection ends with that word", async () => {
    const proxy = await openProxy(url(), { cutsAfter: (data) => data.includes("22012") });
    onTestFinished(proxy.close);
    const session = openSession(proxy.url);
    expect((await failureOf(say(session, "flush", "SELECT 1 / 0"))).code).toBe("STORE_OUTCOME_UNKNOWN");
  });

  it("P1: that could not be sent has not happened", async () => {
    const session = openSession("postgres://kim@127.0.0.1:1/x");
    for (const lane of WRITERS) {
      expect((await failureOf(say(session, lane, "SELECT 1"))).code).toBe("STORE_UNREACHABLE");
    }
  });

  it("F9: does not wait for ever at a connection whose other end has gone", { timeout: 15_000 }, async () => {
    const proxy = await openProxy(url());
    onTestFinished(proxy.close);
    const session = openSession(proxy.url);
    await say(session, "beat", "SELECT 1");
    proxy.clog();
    const failure = await failureOf(say(session, "beat", "SELECT 1"));
    expect([failure.code, failure.message]).toEqual([
      "STORE_OUTCOME_UNKNOWN",
      expect.stringContaining("Query read timeout"),
    ]);
    expect((await failureOf(say(session, "beat", "SELECT 1"))).code).toBe("STORE_UNREACHABLE");
  });

  it("is given up by the server a little earlier", async () => {
    const session = openSession(url());
    const limits: unknown[] = [];
    for (const lane of [...WRITERS, "look"] as const) {
      limits.push(...(await say(session, lane, "SHOW statement_timeout")));
    }
    expect(limits).toEqual(["9500ms", "9500ms", "2500ms", "29500ms"].map((limit) => ({ statement_timeout: limit })));
  });

  it("sees what was committed before it, whatever the database's default", async () => {
    await sql(
      url(),
      `ALTER DATABASE "${new URL(url()).pathname.slice(1)}" SET default_transaction_isolation = serializable`,
    );
    const session = openSession(url());
    expect(await say(session, "flush", "SHOW transaction_isolation")).toEqual([
      { transaction_isolation: "read committed" },
    ]);
  });

  it("that a pooler has forgotten is sent again, whole", async () => {
    const session = openSession(url());
    expect(await say(session, "flush", "SELECT :a::int AS a", { a: 1 })).toEqual([{ a: 1 }]);
    await say(session, "flush", "DEALLOCATE ALL");
    expect(await say(session, "flush", "SELECT :a::int AS a", { a: 2 })).toEqual([{ a: 2 }]);
    expect(session.prepared).toBe(false);
  });

  it("whose plan does not fit its table any more is planned anew", async () => {
    const session = openSession(url());
    await sql(url(), "CREATE TABLE changing (a int)", "INSERT INTO changing VALUES (1)");
    expect(await say(session, "look", "SELECT * FROM changing")).toEqual([{ a: 1 }]);
    await sql(url(), "ALTER TABLE changing ADD COLUMN b int");
    expect(await say(session, "look", "SELECT * FROM changing")).toEqual([{ a: 1, b: null }]);
    expect(session.prepared).toBe(true);
  });

  it("that meets a server which takes no writes any more makes way for one that does", async () => {
    const session = openSession(url());
    await sql(url(), "CREATE TABLE written (a int)");
    const pid = await pidOf(session, "flush");
    await say(session, "flush", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY");
    expect((await failureOf(say(session, "flush", "INSERT INTO written VALUES (1)"))).code).toBe("STORE_READ_ONLY");
    expect(await pidOf(session, "flush")).not.toBe(pid);
    await say(session, "flush", "INSERT INTO written VALUES (1)");
  });

  it("of more than the server takes at once is refused, so that its flush is halved", async () => {
    const session = openSession(url());
    const failure = await failureOf(
      say(session, "flush", "SELECT :a::text, :b::text", { a: "x", b: "y".repeat(2 ** 28) }),
    );
    expect(failure.code).toBe("STORE_WRITE_REFUSED");
    expect(isRowFault(failure)).toBe(true);
  });

  it("is refused once the store is closed", async () => {
    const session = openSession(url());
    await closeLanes(session);
    expect((await failureOf(say(session, "look", "SELECT 1"))).code).toBe("ENGINE_CLOSED");
  });

  it("that only reads is cut short when the store is closed", async () => {
    const session = openSession(url());
    const failing = failureOf(say(session, "look", "SELECT pg_sleep(20)"));
    await expect.poll(() => session.reading.size).toBe(1);
    await closeLanes(session);
    expect([(await failing).code, session.reading.size]).toEqual(["ENGINE_CLOSED", 0]);
  });
});

describe("an idle connection that ends", () => {
  const url = useFreshDatabase();

  it("ends nothing else, and is replaced", async () => {
    const session = openSession(url());
    for (const lane of WRITERS) await say(session, lane, "SELECT 1");
    await sql(
      url(),
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'stepwell %' AND datname = current_database()",
    );
    await expect.poll(() => session.lanes.flush.totalCount).toBe(0);
    for (const lane of WRITERS) expect(await say(session, lane, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });
});
