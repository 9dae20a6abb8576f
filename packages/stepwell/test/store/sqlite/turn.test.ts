/** Taking turns on a file that others write to, with the waiting in the test's hands. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, it } from "vitest";
import { openSqliteStore } from "../../../src/store/sqlite/sqlite.ts";
import type { Store } from "../../../src/store/store.ts";
import type { Pace } from "../../../src/store/pace.ts";
import { TURN_MS_MAX } from "../../../src/store/sqlite/turn.ts";
import { BUSY, openFaulty } from "./faulty.ts";
import { codeOf, NOW, WORKFLOW } from "../../../src/testing/conformance/scene.ts";

const folder = mkdtempSync(join(tmpdir(), "stepwell-turn-"));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const freshPath = () => join(folder, `${(files += 1)}.db`);

/** Time passes by waiting, and by looking at the clock where a test says so. */
function openPace(tickMs = 0) {
  const waits: number[] = [];
  const state = { nowMs: 0, looks: 0, onWait: (_count: number): void => {} };
  const pace: Pace = {
    random: () => 0.5,
    monotonicMs: () => {
      state.looks += 1;
      return (state.nowMs += tickMs);
    },
    timer: (ms, task) => {
      waits.push(ms);
      const handle = setImmediate(() => {
        state.nowMs += ms;
        state.onWait(waits.length);
        task();
      });
      return () => clearImmediate(handle);
    },
  };
  return { pace, waits, state };
}

function lock(path: string): { readonly release: () => void } {
  const db = new DatabaseSync(path);
  db.exec("BEGIN IMMEDIATE");
  return {
    release: () => {
      db.exec("ROLLBACK");
      db.close();
    },
  };
}

async function openStore(tickMs = 0) {
  const path = freshPath();
  const paced = openPace(tickMs);
  const store = await openSqliteStore(path, { pace: paced.pace });
  return { path, store, ...paced };
}

const write = (store: Store, version = "1.0.0") => store.ensureVersion({ ...WORKFLOW, version });

describe("a call that meets a lock", () => {
  it("T1: is tried again after pauses of at most 1.5 ms, and takes effect once", async () => {
    const { store, path, waits, state } = await openStore();
    const { release } = lock(path);
    state.onWait = (count) => void (count === 7 && release());
    await write(store);
    expect(waits).toEqual(Array.from({ length: 7 }, () => 0.75));
    expect((await store.listVersions()).length).toBe(1);
    await store.close();
  });

  it("F6: after 5 s throws STORE_BUSY in words of ours; nothing was written, and the next call works", async () => {
    const { store, path, state } = await openStore();
    const { release } = lock(path);
    state.onWait = () => void (state.nowMs += 100);
    const failure = await write(store).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "STORE_BUSY", details: { path, waitedMs: TURN_MS_MAX } });
    expect(String(failure)).toContain(`"${path}": other processes kept it locked for 5 s`);
    expect(String(failure)).not.toContain("database is locked");
    expect(state.nowMs).toBeGreaterThanOrEqual(TURN_MS_MAX);
    expect(state.nowMs).toBeLessThan(TURN_MS_MAX + 110);
    expect(await store.listVersions()).toEqual([]);
    release();
    await write(store);
    await store.close();
  });

  it("T1: waits when it is the opening of a file that has to be migrated, also there not for ever", async () => {
    const path = freshPath();
    const { pace, state } = openPace();
    const { release } = lock(path);
    state.onWait = () => void (state.nowMs += 100);
    expect(await openSqliteStore(path, { pace }).catch(codeOf)).toBe("STORE_BUSY");
    expect(state.nowMs).toBeGreaterThanOrEqual(TURN_MS_MAX);
    let waits = 0;
    state.onWait = () => void ((waits += 1) === 3 && release());
    await (await openSqliteStore(path, { pace })).close();
  });

  it("is told ENGINE_CLOSED when the store closes meanwhile", async () => {
    const { store, path } = await openStore();
    const { release } = lock(path);
    const waiting = write(store).catch(codeOf);
    await store.close();
    expect(await waiting).toBe("ENGINE_CLOSED");
    release();
  });

  it("is told STORE_BUSY at once by a store that has nothing to wait by", async () => {
    const path = freshPath();
    const store = await openSqliteStore(path);
    const { release } = lock(path);
    expect(await write(store).catch(codeOf)).toBe("STORE_BUSY");
    release();
    await store.close();
  });

  it("T4: opens its connection anew after a second, once: the lock may be its own", async () => {
    const path = freshPath();
    const { pace, state } = openPace();
    const { connect, opened, fail, executed } = openFaulty();
    const store = await openSqliteStore(path, { pace, connect });
    state.onWait = () => void (state.nowMs += 100);
    // As SQLite answers on a connection that counts a lock as held: to every BEGIN, for ever.
    const begins = (): number => executed.filter((sql) => sql.includes("BEGIN IMMEDIATE")).length;
    for (let count = 0; count < 12; count += 1) fail({ at: "BEGIN IMMEDIATE", error: BUSY, of: 1 });
    const before = begins();
    await write(store);
    expect(opened.map((db) => db.isOpen)).toEqual([false, true]);
    expect(state.nowMs).toBeGreaterThanOrEqual(1_000);
    expect(state.nowMs).toBeLessThan(1_200);
    expect(begins() - before).toBeGreaterThan(2);
    await store.close();
  });

  it("T4: several calls that wait open one connection between them, and not another when that meets the lock", async () => {
    const path = freshPath();
    const { pace, state } = openPace();
    const { connect, opened } = openFaulty();
    const store = await openSqliteStore(path, { pace, connect });
    const { release } = lock(path);
    state.onWait = () => void (state.nowMs += 25);
    const codes = ["1.0.0", "1.1.0", "1.2.0"].map((version) => write(store, version).catch(codeOf));
    expect(await Promise.all(codes)).toEqual(["STORE_BUSY", "STORE_BUSY", "STORE_BUSY"]);
    expect(opened.length).toBe(2);
    release();
    await write(store);
    await store.close();
  });

  it("T4: never gives up a database in memory", async () => {
    const { pace, state } = openPace();
    const { connect, opened, fail } = openFaulty();
    const store = await openSqliteStore(":memory:", { pace, connect });
    await write(store);
    state.onWait = () => void (state.nowMs += 600);
    for (let count = 0; count < 3; count += 1) fail({ at: "BEGIN IMMEDIATE", error: BUSY });
    await write(store, "1.1.0");
    expect([opened.length, (await store.listVersions()).length]).toEqual([1, 2]);
    await store.close();
  });

  it("does not hold up reads", async () => {
    const { store, path, waits } = await openStore();
    const { release } = lock(path);
    expect(await store.listVersions()).toEqual([]);
    expect(waits).toEqual([]);
    release();
    await store.close();
  });
});

/** Each write takes 5 ms by this clock. */
async function amongOthers() {
  const scene = await openStore(5);
  const { release } = lock(scene.path);
  scene.state.onWait = release;
  await write(scene.store);
  scene.state.onWait = () => {};
  scene.waits.length = 0;
  return scene;
}

describe("stepping back", () => {
  const STEP_BACK = 3;

  it("T2: after 20 ms of writing among others 3 ms pass before the next write", async () => {
    const { store, waits } = await amongOthers();
    for (let index = 0; index < 9; index += 1) await store.flush([], NOW);
    expect(waits).toEqual([STEP_BACK, STEP_BACK]);
    await store.close();
  });

  it("T2: holds up all writes alike, and no reads", async () => {
    const { store, waits } = await amongOthers();
    for (let index = 0; index < 3; index += 1) await store.flush([], NOW);
    const order: string[] = [];
    const writes = [store.flush([], NOW), store.flush([], NOW)].map((one) => one.then(() => order.push("write")));
    await store.listVersions().then(() => order.push("read"));
    await Promise.all(writes);
    expect(order).toEqual(["read", "write", "write"]);
    expect(waits).toEqual([STEP_BACK]);
    await store.close();
  });

  it("T2: ends when nobody else was met for a second", async () => {
    const { store, waits, state } = await amongOthers();
    state.nowMs += 1_000;
    for (let index = 0; index < 20; index += 1) await store.flush([], NOW);
    expect(waits).toEqual([]);
    await store.close();
  });

  it("T3: alone, a write reads no clock and waits for nothing", async () => {
    const { store, waits, state } = await openStore(5);
    for (let index = 0; index < 20; index += 1) await store.flush([], NOW);
    expect([state.looks, waits.length]).toEqual([0, 0]);
    await store.close();
  });
});
