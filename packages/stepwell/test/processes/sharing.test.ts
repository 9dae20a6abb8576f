/** F6: several processes on one file. Nobody starves, nobody is told that it is locked, nothing is lost. */
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openEngine } from "../../src/engine/open.ts";
import { type Family, openFamily } from "./family.ts";

const TEST_MS_MAX = 60_000;

let family: Family;
beforeEach(() => {
  family = openFamily();
});
afterEach(() => family.end());

const idsOf = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${name}-${index}`);

describe("several processes on one file", () => {
  it(
    "two workers, a web process and a reader work at once, and each worker gets its share",
    async () => {
      const workers = await Promise.all(["one", "two"].map((name) => family.bear(name, 8)));
      const [web, reader] = await Promise.all([family.bear("web"), family.bear("reader")]);
      const reading = reader.tell<{ readonly reads: number; readonly worstMs: number }>("read");
      const ids = idsOf("run", 400);
      const worstStartMs = await web.tell<number>("start", { ids, work: { steps: 3, stepMs: 2 } });
      const results = await web.tell<readonly (readonly string[])[]>("results", ids);
      await reader.tell("stop");
      const read = await reading;
      const shares = Map.groupBy(results, ([first]) => first!);
      const counts = ["one", "two"].map((name) => shares.get(name)?.length ?? 0);
      console.log(`shares ${counts.join(" and ")}; worst start ${worstStartMs.toFixed(0)} ms, ${JSON.stringify(read)}`);
      expect(results.every((by) => by.length === 3)).toBe(true);
      for (const count of counts) expect(count).toBeGreaterThanOrEqual(ids.length / 5);
      expect(worstStartMs).toBeLessThan(5_000);
      expect(read.reads).toBeGreaterThan(0);
      await Promise.all([...workers, web, reader].map((member) => member.tell("close")));
    },
    TEST_MS_MAX,
  );

  it(
    "three that commit without a pause are served evenly",
    async () => {
      const hammers = await Promise.all(idsOf("hammer", 3).map((name) => family.spawn(name)));
      const work = hammers.map((hammer) => hammer.tell<number>("hammer", { flushes: 500, rows: 64 }));
      await Promise.race(work);
      const counts = await Promise.all(hammers.map((hammer) => hammer.tell<number>("flushes")));
      const worst = await Promise.all(work);
      console.log(`commits ${counts.join(", ")}; worst waits ${worst.map((ms) => ms.toFixed(0)).join(", ")} ms`);
      for (const count of counts) expect(count).toBeGreaterThanOrEqual(100);
      for (const ms of worst) expect(ms).toBeLessThan(5_000);
    },
    TEST_MS_MAX,
  );

  it(
    "six that open a fresh file at the same moment all get in",
    async () => {
      const names = idsOf("opener", 6);
      const members = await Promise.all(names.map((name) => family.spawn(name)));
      await Promise.all(members.map((member) => member.tell("open")));
      await members[0]!.tell("start", { ids: ["x"], work: { steps: 1, stepMs: 0 } });
      await Promise.all(members.map((member) => member.tell("close")));
    },
    TEST_MS_MAX,
  );
});

describe("a foreign script that holds the file", () => {
  it(
    "for 300 ms is waited for, by opening and by a start",
    async () => {
      const web = await family.bear("web");
      const stranger = await family.spawn("stranger");
      await stranger.tell("lock", 300);
      await web.tell("start", { ids: ["a"], work: { steps: 1, stepMs: 0 } });
      const late = await family.spawn("late");
      await stranger.tell("lock", 300);
      await late.tell("open", 1);
      expect(await late.tell("results", ["a"])).toEqual([["late"]]);
    },
    TEST_MS_MAX,
  );

  it(
    "for longer than anyone should wait is told as STORE_BUSY, and nothing is lost",
    async () => {
      const engine = await openEngine({ store: `sqlite:${family.database}` });
      const worker = await family.bear("worker", 1);
      const stranger = new DatabaseSync(family.database, { timeout: 5_000 });
      await worker.tell("start", { ids: ["held"], work: { steps: 3, stepMs: 30 } });
      stranger.exec("BEGIN IMMEDIATE");
      const failure = await engine.cancel("file/chores", "held").catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "STORE_BUSY" });
      expect(String(failure)).toContain("kept it locked for 5 s");
      expect(String(failure)).not.toContain("database is locked");
      stranger.exec("ROLLBACK");
      stranger.close();
      expect(await worker.tell("results", ["held"])).toEqual([["worker", "worker", "worker"]]);
      await engine.close();
    },
    TEST_MS_MAX,
  );
});
