/** What is known, and what happens next, when a transaction fails at each of its points (P1, F4, F5). */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, it } from "vitest";
import { openSqliteStore } from "../../../src/store/sqlite/sqlite.ts";
import type { Store } from "../../../src/store/store.ts";
import {
  aRun,
  aWorker,
  checkpointOf,
  flushOne,
  insertHeld,
  insertOf,
  insertPending,
  NOW,
  parkOf,
  readRun,
  refOf,
  type Scene,
  WORKFLOW,
} from "../../../src/testing/conformance/scene.ts";
import { BUSY, CORRUPT, FULL, IOERR_FSYNC, openFaulty, sqliteError } from "./faulty.ts";

const folder = mkdtempSync(join(tmpdir(), "stepwell-commit-"));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

async function openScene(path: string = join(folder, `${(files += 1)}.db`)) {
  const faulty = openFaulty();
  const store = await openSqliteStore(path, { connect: faulty.connect });
  const { versionId } = await store.ensureVersion(WORKFLOW);
  const scene: Scene = { store, versionId, workerId: await aWorker(store) };
  return { ...faulty, path, store, scene };
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "none",
    (error: { code: string }) => error.code,
  );
const kindsOf = async (work: ReturnType<Store["flush"]>) => (await work).map((result) => result.kind);

describe("a transaction that fails before its commit", () => {
  const PROTOCOL = sqliteError(15, "locking protocol");

  it("F5: a read that shows a broken connection fails with a code, and the next has a fresh one", async () => {
    const { scene, store, fail, opened } = await openScene();
    const rowId = await insertPending(scene);
    for (const [at, read] of [
      ["FROM versions JOIN workflows", () => store.listVersions()],
      ["FROM steps", () => store.loadMemory(rowId)],
    ] as const) {
      fail({ at, error: PROTOCOL });
      expect(await codeOf(read())).toBe("STORE_FAILED");
      expect(opened.at(-1)!.isOpen, at).toBe(false);
      expect(await codeOf(read())).toBe("none");
    }
    expect(opened.length).toBe(3);
    await store.close();
  });

  it.each([
    ["BEGIN IMMEDIATE", PROTOCOL],
    ["BEGIN IMMEDIATE", IOERR_FSYNC],
    ["INSERT INTO runs", IOERR_FSYNC],
  ])("F5: at %s, for a fault of the storage (%s), goes on with a fresh connection", async (at, error) => {
    const { scene, store, fail, opened } = await openScene();
    const batch = [insertOf(aRun(scene))];
    fail({ at, error });
    expect(await codeOf(store.flush(batch, NOW))).toBe("STORE_FAILED");
    expect(opened[0]!.isOpen).toBe(false);
    expect(await kindsOf(store.flush(batch, NOW))).toEqual(["inserted"]);
    expect(opened.length).toBe(2);
    await store.close();
  });

  it.each([
    ["BEGIN IMMEDIATE", BUSY],
    ["INSERT INTO runs", FULL],
  ])("F4, F6: at %s, for a lock or for space (%s), keeps its connection", async (at, error) => {
    const { scene, store, fail, opened } = await openScene();
    fail({ at, error });
    expect(await codeOf(store.flush([insertOf(aRun(scene))], NOW))).toMatch(/^STORE_(BUSY|FULL)$/);
    expect(opened.map((db) => db.isOpen)).toEqual([true]);
    await store.close();
  });
});

describe("a commit that fails", () => {
  it("P1: is unknown when it took place; submitted again on a fresh connection it answers as done", async () => {
    const { scene, store, fail, opened } = await openScene();
    const owner = await insertHeld(scene, { id: "old" });
    const batch = [checkpointOf(owner), { ...insertOf(aRun(scene)), claimFor: scene.workerId }, parkOf(owner)];
    fail({ at: "COMMIT", error: IOERR_FSYNC, applied: true });
    expect(await codeOf(store.flush(batch, NOW))).toBe("STORE_OUTCOME_UNKNOWN");
    expect(opened[0]!.isOpen).toBe(false);
    expect(await kindsOf(store.flush(batch, NOW))).toEqual(["stored", "exists", "stored"]);
    expect(opened.length).toBe(2);
    expect(await readRun(scene)).toMatchObject({ workerId: scene.workerId, fence: 1 });
    await store.close();
  });

  it("P1: is unknown when it did not take place; submitted again it is stored", async () => {
    const { scene, store, fail } = await openScene();
    const batch = [insertOf(aRun(scene))];
    fail({ at: "COMMIT", error: IOERR_FSYNC });
    expect(await codeOf(store.flush(batch, NOW))).toBe("STORE_OUTCOME_UNKNOWN");
    expect(await store.findRun(refOf("r"))).toBe(null);
    expect(await kindsOf(store.flush(batch, NOW))).toEqual(["inserted"]);
    await store.close();
  });

  it("P1: stays unknown while the database cannot be asked, whatever fails in the meantime", async () => {
    const { scene, store, fail } = await openScene();
    const batch = [insertOf(aRun(scene))];
    const failures = [
      { at: "COMMIT", error: IOERR_FSYNC, applied: true },
      { at: "open", error: sqliteError(14, "unable to open database file") },
      { at: "BEGIN IMMEDIATE", error: BUSY },
    ];
    for (const failure of failures) {
      fail(failure);
      expect(await codeOf(store.flush(batch, NOW))).toBe("STORE_OUTCOME_UNKNOWN");
    }
    expect(await kindsOf(store.flush(batch, NOW))).toEqual(["exists"]);
    fail({ at: "BEGIN IMMEDIATE", error: BUSY });
    expect(await codeOf(store.flush(batch, NOW))).toBe("STORE_BUSY");
    await store.close();
  });

  it("is definite when the lock was not to be had, or the disk is full", async () => {
    const { scene, store, fail, opened } = await openScene();
    for (const [error, code] of [
      [BUSY, "STORE_BUSY"],
      [FULL, "STORE_FULL"],
    ] as const) {
      fail({ at: "COMMIT", error });
      expect(await codeOf(store.flush([insertOf(aRun(scene))], NOW))).toBe(code);
      expect(await store.findRun(refOf("r"))).toBe(null);
    }
    expect(opened.length).toBe(1);
    await store.close();
  });

  it("is definite in memory, which has no disk and no second connection", async () => {
    const { scene, store, fail } = await openScene(":memory:");
    await insertPending(scene, { id: "before" });
    fail({ at: "COMMIT", error: IOERR_FSYNC });
    expect(await codeOf(store.flush([insertOf(aRun(scene))], NOW))).toBe("STORE_FAILED");
    expect((await readRun(scene, "before")).state).toBe("pending");
    await store.close();
  });

  it("a version is remembered only once it is committed", async () => {
    const { store, fail } = await openScene();
    const identity = { ...WORKFLOW, version: "9.0.0" };
    fail({ at: "COMMIT", error: IOERR_FSYNC });
    expect(await codeOf(store.ensureVersion(identity))).toBe("STORE_OUTCOME_UNKNOWN");
    expect((await store.listVersions()).length).toBe(1);
    const { versionId } = await store.ensureVersion(identity);
    expect((await store.listVersions()).map((version) => version.versionId)).toContain(versionId);
    await store.close();
  });
});

describe("claims whose commit is in doubt", () => {
  const claim = ({ store, versionId, workerId }: Scene, limit: number = 10) =>
    store.claimRuns({ workerId, suspects: false, versionIds: [versionId], limit, nowMs: NOW });

  it("S1: are handed out by the next claim when they were made", async () => {
    const { scene, store, fail } = await openScene();
    for (const id of ["a", "b", "c"]) await insertPending(scene, { id });
    fail({ at: "COMMIT", error: IOERR_FSYNC, applied: true });
    expect(await codeOf(claim(scene))).toBe("STORE_OUTCOME_UNKNOWN");
    for (const at of ["BEGIN IMMEDIATE", "COMMIT"]) {
      fail({ at, error: BUSY });
      expect(await codeOf(claim(scene))).toBe("STORE_BUSY");
    }
    expect((await claim(scene, 2)).map(({ run }) => [run.id, run.fence])).toEqual([
      ["a", 1],
      ["b", 1],
    ]);
    expect((await claim(scene, 2)).map(({ run }) => [run.id, run.fence])).toEqual([["c", 1]]);
    expect(await claim(scene)).toEqual([]);
    await store.close();
  });

  it("S1: are made once when they were not", async () => {
    const { scene, store, fail } = await openScene();
    for (const id of ["a", "b"]) await insertPending(scene, { id });
    fail({ at: "COMMIT", error: IOERR_FSYNC });
    expect(await codeOf(claim(scene))).toBe("STORE_OUTCOME_UNKNOWN");
    expect((await claim(scene, 1)).map(({ run }) => run.id)).toEqual(["a"]);
    expect((await claim(scene)).map(({ run }) => run.id)).toEqual(["b"]);
    expect(await claim(scene)).toEqual([]);
    await store.close();
  });
});

describe("a transaction that fails before its commit", () => {
  it("F6: busy is definite, says so in our words, and leaves nothing", async () => {
    const { scene, store, path } = await openScene();
    const other = new DatabaseSync(path);
    other.exec("BEGIN IMMEDIATE");
    const failure = await store.flush([insertOf(aRun(scene))], NOW).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "STORE_BUSY" });
    expect(String(failure)).not.toContain("database is locked");
    other.exec("ROLLBACK");
    other.close();
    expect(await kindsOf(store.flush([insertOf(aRun(scene))], NOW))).toEqual(["inserted"]);
    await store.close();
  });

  it("S4: is definite and leaves nothing, whether SQLite rolled back or we do", async () => {
    const { scene, store, fail } = await openScene();
    const owner = await insertHeld(scene);
    const batch = [insertOf(aRun(scene, { id: "new" })), checkpointOf(owner)];
    const cases = [
      [FULL, "STORE_FULL"],
      [CORRUPT, "STORE_CORRUPT"],
      [IOERR_FSYNC, "STORE_FAILED"],
      [sqliteError(8, "attempt to write a readonly database"), "STORE_READ_ONLY"],
    ] as const;
    for (const [error, code] of cases) {
      for (const rollsBack of [true, false]) {
        fail({ at: "INTO steps", error, rollsBack });
        expect(await codeOf(store.flush(batch, NOW))).toBe(code);
        expect(await store.findRun(refOf("new"))).toBe(null);
      }
    }
    expect(await kindsOf(store.flush(batch, NOW))).toEqual(["inserted", "stored"]);
    await store.close();
  });

  it("S4: is definite too while the rows are stored one by one", async () => {
    const { scene, store, fail } = await openScene();
    const owner = await insertHeld(scene);
    const batch = [insertOf(aRun(scene, { id: "new" })), checkpointOf(owner, { value: null as never })];
    fail({ at: "RELEASE", error: FULL, rollsBack: true });
    expect(await codeOf(store.flush(batch, NOW))).toBe("STORE_FULL");
    expect(await store.findRun(refOf("new"))).toBe(null);
    expect(await kindsOf(store.flush(batch, NOW))).toEqual(["inserted", "refused"]);
    await store.close();
  });

  it("a connection that cannot roll back is replaced", async () => {
    const { scene, store, fail, opened } = await openScene();
    fail({ at: "INTO runs", error: FULL });
    fail({ at: "ROLLBACK", error: IOERR_FSYNC });
    expect(await codeOf(store.flush([insertOf(aRun(scene))], NOW))).toBe("STORE_FULL");
    expect(await kindsOf(store.flush([insertOf(aRun(scene))], NOW))).toEqual(["inserted"]);
    expect(opened.length).toBe(2);
    await store.close();
  });
});

describe("a database in memory", () => {
  it("is never replaced by an empty one", async () => {
    const { scene, store, fail, opened } = await openScene(":memory:");
    await insertPending(scene, { id: "before" });
    fail({ at: "INTO runs", error: FULL });
    fail({ at: "ROLLBACK", error: IOERR_FSYNC });
    expect(await codeOf(store.flush([insertOf(aRun(scene))], NOW))).toBe("STORE_FULL");
    expect((await readRun(scene, "before")).state).toBe("pending");
    expect(opened.length).toBe(1);
    await store.close();
  });
});

describe("the hot path", () => {
  it("has no savepoint until a row is impossible", async () => {
    const { scene, store, executed } = await openScene();
    const owner = await insertHeld(scene);
    executed.length = 0;
    await store.flush([checkpointOf(owner, { key: "a" }), checkpointOf(owner, { key: "b", seq: 3 })], NOW);
    const verbs = executed.map((sql) => sql.split(/\s/, 1)[0]);
    expect(verbs).toEqual(["BEGIN", "SELECT", "INSERT", "INSERT", "COMMIT"]);
    executed.length = 0;
    expect((await flushOne(scene, checkpointOf(owner, { key: null as never }))).kind).toBe("refused");
    expect(executed).toContain("SAVEPOINT one_write");
    await store.close();
  });
});
