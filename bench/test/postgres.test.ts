/**
 * Every workload on PostgreSQL, at tiny sizes, on a server of its own; that server's processor time; and the proof that
 * `bare` writes what the engine writes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, query } from "../../scripts/postgres/query.ts";
import { whyNoOwnServer } from "../../scripts/postgres/for-tests.ts";
import { type Base, openBase, type Place } from "../base.ts";
import { runBench } from "../bench.ts";
import { runJob } from "../job.ts";
import { measureBare } from "../workloads/bare.ts";
import { measureCheckout } from "../workloads/checkout.ts";
import { readServerCpuUs } from "../workloads/server-cpu.ts";
import { countStatements } from "../workloads/statements.ts";
import { checkRow, tinyJobs, tinyTask } from "./tiny.ts";

const TIMEOUT_MS = 120_000;
const TINY = tinyJobs("postgres");
const why = whyNoOwnServer();

describe.skipIf(why !== null)(`the benchmark on PostgreSQL${why === null ? "" : `: ${why}`}`, () => {
  let base: Base;
  let lookout: Place;
  beforeAll(async () => {
    base = await openBase("postgres");
    lookout = await base.openPlace();
  }, TIMEOUT_MS);
  afterAll(() => base.close());

  const databases = (): Promise<readonly unknown[]> =>
    query(lookout.otherUrl, "SELECT datname FROM pg_database ORDER BY datname");

  it("runs each workload, says where, and leaves no database", { timeout: TIMEOUT_MS }, async () => {
    const before = await databases();
    const warnings: string[] = [];
    const output = { print: () => {}, warn: (line: string) => warnings.push(line), paint: String };
    const { rows } = await runBench(TINY, [base], { quick: true, json: true, rounds: 1 }, output);
    expect(warnings).toEqual([]);
    expect(rows.map((row) => row.workload)).toEqual(TINY.map((job) => job.workload));
    for (const row of rows) {
      checkRow(row);
      expect(row.versions.postgres).toMatch(/^\d+/);
      expect(row.settings).toMatchObject({ server: "own", fsync: "on", synchronous_commit: "on", quick: true });
    }
    expect(rows.filter((row) => row.claimRatio !== null).map((row) => row.concurrency)).toEqual([5]);
    expect(rows.filter((row) => row.workersRatio !== null).map((row) => row.concurrency)).toEqual([2]);
    expect(await databases()).toEqual(before);
  });

  it("leaves no database after a job that fails", { timeout: TIMEOUT_MS }, async () => {
    const before = await databases();
    const job = { ...TINY.find(({ workload }) => workload === "latency")!, measureRuns: 0 };
    await expect(runJob(job, base)).rejects.toThrow(/no run completed/);
    expect(await databases()).toEqual(before);
  });

  it("reads the processor time of the whole server, of connections that have ended, too", async () => {
    const pid = lookout.serverPid;
    const before = readServerCpuUs(pid)!;
    await query(lookout.otherUrl, "SELECT sum(length(md5(n::text))) FROM generate_series(1, 500000) AS n");
    await sleep(50);
    expect(readServerCpuUs(pid)! - before).toBeGreaterThan(50_000);
    expect(readServerCpuUs(null)).toBeNull();
  });

  it("counts the statements of one database, those of a transaction one by one", { timeout: TIMEOUT_MS }, async () => {
    const count = () => countStatements(lookout.url, lookout.otherUrl);
    await count();
    const before = await count();
    const client = await connect(lookout.url);
    for (const text of ["BEGIN", "SELECT 1", "SELECT 2 UNION SELECT 3", "COMMIT"]) await client.query(text);
    await client.end();
    const after = await count();
    expect([after.calls - before.calls, after.rows - before.rows]).toEqual([4, 3]);
    const some = await countStatements(lookout.url, lookout.otherUrl, "%UNION%");
    expect([some.calls, some.rows]).toEqual([1, 2]);
  });

  it("has a bare loop that leaves what the engine leaves, less its features", { timeout: TIMEOUT_MS }, async () => {
    const place = await base.openPlace();
    const bare = await measureBare(tinyTask("postgres", "bare", { ...place, url: place.otherUrl }));
    const engine = await measureCheckout(tinyTask("postgres", "checkout", place));
    for (const figures of [bare, engine]) expect(figures).toMatchObject({ runs: 300, rowsPerRun: 6 });
    expect(bare.flushesPerRun).toBe(7 / 20);
    expect(bare.bytesPerRun!).toBeLessThan(engine.bytesPerRun!);
    expect(bare.bytesPerRun!).toBeGreaterThan(engine.bytesPerRun! / 2);
    const [inBare, inEngine] = [await contentsOf(place.otherUrl, "public"), await contentsOf(place.url, "stepwell")];
    expect(inBare).toEqual(inEngine);
    await place.remove();
  });
});

/** How many rows look alike in the columns of the bare loop, without what is each one's own. */
async function contentsOf(url: string, schema: string): Promise<unknown> {
  const kindsOf = (table: string, columns: string): Promise<readonly unknown[]> =>
    query(url, `SELECT (count(*), ${columns})::text FROM ${schema}.${table} GROUP BY ${columns} ORDER BY ${columns}`);
  return {
    runs: await kindsOf("runs", "state, history_seq, actor, output, input, length(public_id), ended_at_ms IS NULL"),
    steps: await kindsOf("steps", "seq, kind, outcome, key, value"),
  };
}
