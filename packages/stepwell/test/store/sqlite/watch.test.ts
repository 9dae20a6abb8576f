/** Noticing what other connections commit, with the looks in the test's hands. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openSqliteStore } from "../../../src/store/sqlite/sqlite.ts";
import type { Pace } from "../../../src/store/pace.ts";
import { codeOf, NOW, WORKFLOW } from "../../../src/testing/conformance/scene.ts";
import { IOERR_FSYNC, openFaulty, sqliteError } from "./faulty.ts";

const folder = mkdtempSync(join(tmpdir(), "stepwell-watch-"));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

/** Timers that go off when told. */
function openTimers() {
  const planned = new Set<{ readonly ms: number; readonly task: () => void }>();
  const pace: Pace = {
    random: () => 0.5,
    monotonicMs: () => 0,
    timer: (ms, task) => {
      const timer = { ms, task };
      planned.add(timer);
      return () => void planned.delete(timer);
    },
  };
  const fire = (): void => {
    const [first] = planned;
    planned.delete(first!);
    first!.task();
  };
  return { pace, fire, planned };
}

async function openScene(path: string = join(folder, `${(files += 1)}.db`)) {
  const timers = openTimers();
  const faulty = openFaulty();
  const store = await openSqliteStore(path, { pace: timers.pace, connect: faulty.connect });
  const other = await openSqliteStore(path);
  let versions = 0;
  const commit = (by = other) => by.ensureVersion({ ...WORKFLOW, version: `1.0.${(versions += 1)}` });
  return { store, other, commit, ...timers, ...faulty };
}

describe("a watch", () => {
  it("S8: tells of the commits of others, once for all between two looks, and of none of its own", async () => {
    const { store, commit, fire } = await openScene();
    let calls = 0;
    store.watch(() => void (calls += 1));
    fire();
    expect(calls).toBe(0);
    await commit();
    await commit();
    fire();
    expect(calls).toBe(1);
    await commit(store);
    fire();
    expect(calls).toBe(1);
    await commit();
    await commit(store);
    fire();
    expect(calls).toBe(2);
    await store.close();
  });

  it("looks every 20 ms while somebody watches, and not at all otherwise", async () => {
    const { store, planned, fire } = await openScene();
    expect(planned.size).toBe(0);
    const unwatch = [store.watch(() => {}), store.watch(() => {})];
    expect([...planned].map(({ ms }) => ms)).toEqual([20]);
    fire();
    expect(planned.size).toBe(1);
    unwatch[0]!();
    expect(planned.size).toBe(1);
    unwatch[1]!();
    expect(planned.size).toBe(0);
    store.watch(() => {});
    expect(planned.size).toBe(1);
    await store.close();
    expect(planned.size).toBe(0);
  });

  it("S8: tells of a change that a new connection may have missed", async () => {
    const { store, commit, fire, fail } = await openScene();
    let calls = 0;
    store.watch(() => void (calls += 1));
    fail({ at: "COMMIT", error: IOERR_FSYNC });
    expect(await commit(store).catch(codeOf)).toBe("STORE_OUTCOME_UNKNOWN");
    await commit();
    fire();
    expect(calls).toBe(0);
    await store.listVersions();
    fire();
    expect(calls).toBe(1);
    fire();
    expect(calls).toBe(1);
    await store.close();
  });

  it("leaves it to other calls to say that the file is in trouble", async () => {
    const { store, commit, fire, fail } = await openScene();
    let calls = 0;
    store.watch(() => void (calls += 1));
    await commit();
    fail({ at: "data_version", error: IOERR_FSYNC });
    fire();
    expect(calls).toBe(0);
    fire();
    expect(calls).toBe(1);
    await store.close();
  });

  it("F5: gives up a connection on which a look took ten seconds to find its lock broken", async () => {
    const { store, commit, fire, fail, opened } = await openScene();
    let calls = 0;
    store.watch(() => void (calls += 1));
    fail({ at: "data_version", error: sqliteError(15, "locking protocol") });
    fire();
    expect(opened.map((db) => db.isOpen)).toEqual([false]);
    await commit();
    await store.listVersions();
    fire();
    expect([calls, opened.length]).toEqual([1, 2]);
    await store.close();
  });

  it("makes the store step back for those whom it has noticed", async () => {
    const path = join(folder, "noticed.db");
    const { pace, fire, planned } = openTimers();
    let nowMs = 0;
    const store = await openSqliteStore(path, { pace: { ...pace, monotonicMs: () => (nowMs += 15) } });
    const other = await openSqliteStore(path);
    store.watch(() => {});
    await other.ensureVersion(WORKFLOW);
    fire();
    await store.flush([], NOW);
    await store.flush([], NOW);
    expect([...planned].map(({ ms }) => ms)).toEqual([20, 3]);
    await other.close();
    await store.close();
  });

  it("never looks into a database in memory", async () => {
    const { pace, planned } = openTimers();
    const store = await openSqliteStore(":memory:", { pace });
    store.watch(() => {});
    expect(planned.size).toBe(0);
    await store.close();
  });
});
