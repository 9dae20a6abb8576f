/** Opening, settings, clock and closing of a SQLite store. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, it } from "vitest";
import { checkSqliteVersion } from "../../../src/store/sqlite/connection.ts";
import { openSqliteStore } from "../../../src/store/sqlite/sqlite.ts";
import { aRun, aWorker, codeOf, insertOf, NOW, readRun, WORKFLOW } from "../../../src/testing/conformance/scene.ts";
import { openFaulty } from "./faulty.ts";

const folder = mkdtempSync(join(tmpdir(), "stepwell-sqlite-"));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const freshPath = () => join(folder, `${(files += 1)}.db`);

describe("an open store", () => {
  it("P1: syncs every commit, in a write-ahead log, and never waits for a lock", async () => {
    const { connect, opened } = openFaulty();
    const connectCareless = (path: string) => {
      const db = connect(path);
      db.exec("PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 7");
      return db;
    };
    const store = await openSqliteStore(freshPath(), { connect: connectCareless });
    const read = (pragma: string) => Object.values(opened[0]!.prepare(`PRAGMA ${pragma}`).get() ?? {})[0];
    expect(read("journal_mode")).toBe("wal");
    expect(read("synchronous")).toBe(2);
    expect(read("wal_autocheckpoint")).toBe(1_000);
    expect(read("busy_timeout")).toBe(0);
    expect(read("foreign_keys")).toBe(1);
    await store.close();
  });

  it("P1: finds everything again after it was closed", async () => {
    const path = freshPath();
    const first = await openSqliteStore(path);
    const { versionId } = await first.ensureVersion(WORKFLOW);
    const workerId = await aWorker(first);
    const scene = { store: first, versionId, workerId };
    await first.flush([insertOf(aRun(scene))], NOW);
    const run = await readRun(scene);
    await first.close();
    const second = await openSqliteStore(path);
    expect(await readRun({ ...scene, store: second })).toEqual(run);
    expect(await second.ensureVersion(WORKFLOW)).toEqual({ ...WORKFLOW, versionId });
    await second.retireWorker(workerId);
    expect(await aWorker(second)).toBeGreaterThan(workerId);
    await second.close();
  });

  it("S1: shares its file with another store in the same process", async () => {
    const path = freshPath();
    const [a, b] = [await openSqliteStore(path), await openSqliteStore(path)];
    const { versionId } = await a.ensureVersion(WORKFLOW);
    expect(await b.ensureVersion(WORKFLOW)).toEqual({ ...WORKFLOW, versionId });
    const [mine, theirs] = [await aWorker(a), await aWorker(b)];
    await a.flush([insertOf(aRun({ store: a, versionId, workerId: mine }))], NOW);
    const by = { suspects: false, versionIds: [versionId], limit: 1, nowMs: NOW };
    expect((await b.claimRuns({ ...by, workerId: theirs })).length).toBe(1);
    expect(await a.claimRuns({ ...by, workerId: mine })).toEqual([]);
    await a.close();
    await b.close();
  });

  it("F6: opens while another process writes, unless there is something to migrate", async () => {
    const path = freshPath();
    const connect = (file: string) => new DatabaseSync(file, { timeout: 0 });
    const other = new DatabaseSync(path);
    other.exec("PRAGMA journal_mode = WAL; BEGIN IMMEDIATE");
    expect(await openSqliteStore(path, { connect }).catch(codeOf)).toBe("STORE_BUSY");
    other.exec("ROLLBACK");
    await (await openSqliteStore(path, { connect })).close();
    other.exec("BEGIN IMMEDIATE");
    const store = await openSqliteStore(path, { connect });
    expect(await store.listVersions()).toEqual([]);
    expect(await store.ensureVersion(WORKFLOW).catch(codeOf)).toBe("STORE_BUSY");
    other.exec("ROLLBACK");
    other.close();
    await store.close();
  });

  it("S3: takes the moment it is given, else its clock, else refuses", async () => {
    const store = await openSqliteStore(":memory:", { clock: () => NOW + 0.9 });
    const { versionId } = await store.ensureVersion(WORKFLOW);
    const scene = { store, versionId, workerId: 0 };
    expect((await store.flush([insertOf(aRun(scene, { id: "a" }))], null))[0]).toMatchObject({ atMs: NOW });
    expect((await store.flush([insertOf(aRun(scene, { id: "b" }))], 5))[0]).toMatchObject({ atMs: 5 });
    await store.close();
    const clockless = await openSqliteStore(":memory:");
    expect(await clockless.flush([], null).catch(codeOf)).toBe("OPTION_INVALID");
    expect(await clockless.flush([], Number.NaN).catch(codeOf)).toBe("OPTION_INVALID");
    await clockless.close();
  });

  it("closes once and for all, and leaves one file behind", async () => {
    const path = freshPath();
    const store = await openSqliteStore(path);
    await store.ensureVersion(WORKFLOW);
    await store.close();
    await store.close();
    expect([existsSync(path), existsSync(`${path}-wal`), existsSync(`${path}-shm`)]).toEqual([true, false, false]);
    expect(await store.flush([], NOW).catch(codeOf)).toBe("ENGINE_CLOSED");
    expect(await store.listVersions().catch(codeOf)).toBe("ENGINE_CLOSED");
    expect(await store.loadMemory(1).catch(codeOf)).toBe("ENGINE_CLOSED");
  });

  it("P12: refuses options it does not know, and an empty path", async () => {
    expect(await openSqliteStore(":memory:", { timeout: 5 } as never).catch(codeOf)).toBe("OPTION_UNKNOWN");
    expect(await openSqliteStore("").catch(codeOf)).toBe("OPTION_INVALID");
  });
});

describe("the version of SQLite", () => {
  it.each(["3.51.3", "3.51.10", "3.53.4", "4.0.0"])("%s is new enough", (version) => {
    expect(() => checkSqliteVersion(version)).not.toThrow();
  });

  it.each(["3.51.2", "3.50.7", "3.9.99", "2.99.99"])("%s is too old", (version) => {
    expect(() => checkSqliteVersion(version)).toThrow(`carries SQLite ${version}`);
  });
});
