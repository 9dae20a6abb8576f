/** Workers: what waits for whom while one dies, leaves, or is taken over from (P3, P9). */
import type { Client } from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import { useFreshDatabase } from "../../../../../scripts/postgres/for-tests.ts";
import { connect } from "../../../../../scripts/postgres/query.ts";
import { openPostgresStore } from "../../../src/store/postgres/postgres.ts";
import { statementTextOf, toConfig, toStatement } from "../../../src/store/postgres/query.ts";
import type { Run } from "../../../src/model/run.ts";
import type { Store } from "../../../src/store/store.ts";
import {
  aRun,
  aWorker,
  checkpointOf,
  claimSuspect,
  crashTwice,
  flushOne,
  insertHeld,
  insertOf,
  LEASE_MS,
  NOW,
  OFFER,
  type Scene,
  transitionOf,
} from "../../../src/testing/conformance/scene.ts";
import { sql } from "./server.ts";

const url = useFreshDatabase();
const PROCESS = { name: "w", host: "h", bootId: "b", pid: 1, pidNamespace: "n", pidStartedAt: "0" };

async function openStore(): Promise<Store> {
  const store = await openPostgresStore(url());
  onTestFinished(() => store.close());
  return store;
}

let workflows = 0;

/** A store, a worker, and a workflow that no other test has. */
async function openScene(): Promise<Scene & { readonly read: (id: string) => Promise<Run | null> }> {
  const store = await openStore();
  workflows += 1;
  const workflow = { namespace: "test", name: `work${workflows}` };
  const { versionId } = await store.ensureVersion({ ...workflow, version: "1.0.0" });
  return { store, versionId, workerId: await aWorker(store), read: (id) => store.findRun({ ...workflow, id }) };
}

/** A transaction past the store, that lasts until its end. */
async function begin(...statements: readonly string[]): Promise<Client> {
  const client = await connect(url());
  onTestFinished(() => client.end());
  await client.query("SET search_path = stepwell");
  for (const statement of ["BEGIN", ...statements]) await client.query(statement);
  return client;
}

/** So many statements wait for a lock. */
async function waiters(count: number): Promise<void> {
  const here = "wait_event_type = 'Lock' AND datname = current_database()";
  await expect.poll(() => sql(url(), `SELECT count(*) FROM pg_stat_activity WHERE ${here}`)).toEqual([[`${count}`]]);
}

/** As the group commit of a worker does. */
const asFlush = ({ workerId }: Scene): string =>
  /SELECT id FROM workers WHERE id = ANY.*/
    .exec(statementTextOf("flushHead"))![0]
    .replace(":workers::bigint[]", `'{${workerId}}'::bigint[]`);

describe("a death", () => {
  it("P3: waits for what the worker is just writing, which stays; what comes after it is stale", async () => {
    const scene = await openScene();
    const { store, workerId } = scene;
    const owner = await insertHeld(scene, { id: "dying" });
    const insert = `INSERT INTO steps SELECT id, 2, 1, ${NOW}, 1, 1, false, 'step', 'completed', 'a', '1' FROM runs`;
    const writer = await begin(asFlush(scene), `${insert} WHERE id = ${owner.rowId}`);
    const burial = store.buryWorker(workerId, true, NOW);
    await waiters(1);
    await writer.query("COMMIT");
    expect(await burial).toBe(true);
    expect(await flushOne(scene, checkpointOf(owner, { key: "b", seq: 3 }))).toEqual({ kind: "stale" });
    await store.releaseRuns(workerId, "died", NOW);
    expect(await store.loadMemory(owner.rowId)).toMatchObject({ checkpoints: [{ key: "a" }], lastSeq: 3 });
  });

  it("P3: that a flush had to wait for makes all of it stale", async () => {
    const scene = await openScene();
    const { store, workerId } = scene;
    const owner = await insertHeld(scene, { id: "dead meanwhile" });
    const death = await begin(
      `SELECT FROM workers WHERE id = ${workerId} FOR UPDATE`,
      `UPDATE workers SET state = 'dead' WHERE id = ${workerId}`,
    );
    const writing = flushOne(scene, checkpointOf(owner, { key: "a" }));
    await waiters(1);
    await death.query("COMMIT");
    expect(await writing).toEqual({ kind: "stale" });
    expect(await store.loadMemory(owner.rowId)).toMatchObject({ checkpoints: [] });
  });

  it("P9: waits for a claim of the worker, whose runs are freed with the others", async () => {
    const scene = await openScene();
    const { store, workerId } = scene;
    const { rowId } = await insertHeld(scene, { id: "being claimed" });
    await flushOne(scene, transitionOf({ rowId, workerId, fence: 1 }, { kind: "release" }));
    const taken = `worker_id = ${workerId}, state = 'running', due_at_ms = NULL, fence = 2`;
    const claim = await begin(
      `UPDATE workers SET claim_no = 5 WHERE id = ${workerId}`,
      `UPDATE runs SET ${taken} WHERE id = ${rowId}`,
    );
    const burial = store.buryWorker(workerId, true, NOW);
    await waiters(1);
    await claim.query("COMMIT");
    expect(await burial).toBe(true);
    expect(await store.releaseRuns(workerId, "died", NOW)).toEqual({ freed: 1, quarantined: [] });
    expect(await scene.read("being claimed")).toMatchObject({ state: "pending", fence: 3 });
  });

  it("P9: is averted by a renewal that was a moment earlier", async () => {
    const { store, workerId } = await openScene();
    const lateMs = NOW + LEASE_MS;
    const renewal = await begin(`UPDATE workers SET lease_until_ms = ${lateMs + LEASE_MS} WHERE id = ${workerId}`);
    const burial = store.buryWorker(workerId, false, lateMs);
    await waiters(1);
    await renewal.query("COMMIT");
    expect(await burial).toBe(false);
  });
});

describe("F11: a flush that hangs", () => {
  it("holds up neither the worker's heartbeat nor its claims", async () => {
    const scene = await openScene();
    const { store, workerId, versionId } = scene;
    await begin(asFlush(scene));
    const standing = { leaseMs: LEASE_MS, executing: 1 };
    expect((await store.renewWorker(workerId, standing, NOW)).alive).toBe(true);
    const by = { workerId, suspects: false, versionIds: [versionId], limit: 1, nowMs: 0 };
    expect(await store.claimRuns(by)).toEqual([]);
  });
});

describe("a takeover", () => {
  it("P9: by two at once happens once", async () => {
    const scene = await openScene();
    const stores = [scene.store, await openStore()];
    const inserts = Array.from({ length: 50 }, (_, at) => insertOf(aRun(scene, { id: `both ${at}` })));
    await scene.store.flush(
      inserts.map((insert) => ({ ...insert, claimFor: scene.workerId })),
      NOW,
    );
    const where = "public_id LIKE 'both %'";
    const writer = await begin(`UPDATE runs SET inbox_seq = inbox_seq + 1 WHERE ${where}`);
    const takeOver = async (store: Store): Promise<number> => {
      await store.buryWorker(scene.workerId, true, NOW);
      const { freed } = await store.releaseRuns(scene.workerId, "died", NOW);
      await store.retireWorker(scene.workerId);
      return freed;
    };
    const takers = Promise.all(stores.map(takeOver));
    await waiters(2);
    await writer.query("COMMIT");
    const freed = await takers;
    expect(freed.toSorted((one, other) => one - other)).toEqual([0, 50]);
    expect(await sql(url(), `SELECT DISTINCT fence, crashes, state FROM stepwell.runs WHERE ${where}`)).toEqual([
      ["2", "1", "pending"],
    ]);
    const notes = `SELECT count(*) FROM stepwell.notes JOIN stepwell.runs ON runs.id = run_id WHERE ${where}`;
    expect(await sql(url(), notes)).toEqual([["50"]]);
    expect((await scene.store.listWorkers(NOW)).map((worker) => worker.workerId)).not.toContain(scene.workerId);
  });

  it("F18: sets nothing aside without the words for it", async () => {
    const scene = await openScene();
    await insertHeld(scene, { id: "suspect" });
    const workerId = await crashTwice(scene);
    await claimSuspect(scene, workerId);
    await insertHeld({ ...scene, workerId }, { id: "bystander" });
    await scene.store.buryWorker(workerId, true, NOW);
    const none = { suspectIds: [], suspectFences: [], suspectErrors: [], suspectNotes: [], asideKind: null };
    const values = { ...none, workerId, died: true, noteKind: "takeover", note: "{}", nowMs: NOW };
    const client = await begin();
    const statement = toStatement("releaseRuns", statementTextOf("releaseRuns"));
    const { rows } = await client.query(toConfig(statement, values, false));
    await client.query("COMMIT");
    expect(rows).toMatchObject([{ freed: "1", id: null }]);
    expect(await scene.read("suspect")).toMatchObject({ workerId, crashes: 2 });
    const { quarantined } = await scene.store.releaseRuns(workerId, "died", NOW);
    expect(quarantined.map(({ id, state }) => [id, state])).toEqual([["suspect", "quarantined"]]);
  });

  it("that meets a deadlock is tried again", async () => {
    const scene = await openScene();
    const { store, workerId } = scene;
    const [a, b] = [await insertHeld(scene, { id: "left" }), await insertHeld(scene, { id: "right" })];
    await store.buryWorker(workerId, true, NOW);
    const touch = ({ rowId }: { readonly rowId: number }): string =>
      `UPDATE runs SET inbox_seq = inbox_seq + 1 WHERE id = ${rowId}`;
    const writer = await begin(touch(b));
    const released = store.releaseRuns(workerId, "died", NOW);
    await waiters(1);
    await writer.query(touch(a));
    await writer.query("COMMIT");
    expect(await released).toEqual({ freed: 2, quarantined: [] });
    expect(await scene.read("left")).toMatchObject({ fence: 2, crashes: 1, inboxSeq: 1 });
  });
});

describe("S3: a moment that is not given", () => {
  it("is the server's, in whole milliseconds", async () => {
    const { store, versionId, workerId, ...scene } = await openScene();
    const nowMs = async (): Promise<number> =>
      Number((await sql(url(), "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)"))[0]![0]);
    const beforeMs = await nowMs();
    await store.flush([insertOf(aRun({ store, versionId, workerId }, { id: "timed" }))], null);
    expect((await store.nextDue([versionId], null)).runInMs).toBe(0);
    const oldest = (await store.listOldestDue(null)).find(({ version }) => version.versionId === versionId);
    const by = { workerId, suspects: false, versionIds: [versionId], limit: 1, nowMs: null };
    const [claim] = await store.claimRuns(by);
    const mine = await store.registerWorker({ ...PROCESS, name: "timed" }, { ...OFFER, leaseMs: 60_000.5 }, null);
    await store.renewWorker(mine, { leaseMs: 90_000.5, executing: 0 }, null);
    expect(await store.buryWorker(mine, false, null)).toBe(false);
    const worker = (await store.listWorkers(null)).find((one) => one.workerId === mine)!;
    await store.buryWorker(workerId, true, null);
    await store.releaseRuns(workerId, "left", null);
    const afterMs = await nowMs();
    const run = (await scene.read("timed"))!;
    const moments = [run.createdAtMs, claim!.nowMs, worker.startedAtMs, worker.seenAtMs, run.dueAtMs!];
    expect(moments.filter((atMs) => Number.isInteger(atMs) && beforeMs <= atMs && atMs <= afterMs)).toEqual(moments);
    expect(worker.leaseLeftMs).toBeGreaterThan(60_001);
    expect(worker.leaseLeftMs).toBeLessThanOrEqual(90_001);
    expect(oldest!.overdueMs).toBeLessThanOrEqual(afterMs - beforeMs);
  });
});

describe("a worker that leaves", () => {
  it("P9: stays in the registry when a claim of it was still under way, or nobody would free what it took", async () => {
    const scene = await openScene();
    const { store, workerId } = scene;
    const { rowId } = await insertHeld(scene, { id: "stray" });
    await flushOne(scene, transitionOf({ rowId, workerId, fence: 1 }, { kind: "release" }));
    const taken = `worker_id = ${workerId}, state = 'running', due_at_ms = NULL, fence = 2`;
    const claim = await begin(
      `UPDATE workers SET claim_no = 5 WHERE id = ${workerId}`,
      `UPDATE runs SET ${taken} WHERE id = ${rowId}`,
    );
    const retirement = store.retireWorker(workerId);
    await waiters(1);
    await claim.query("COMMIT");
    await retirement;
    const listed = (await store.listWorkers(NOW)).find((worker) => worker.workerId === workerId);
    expect(listed).toMatchObject({ state: "dead" });
    expect(await store.releaseRuns(workerId, "died", NOW)).toEqual({ freed: 1, quarantined: [] });
  });

  it("is not struck off while it lives", async () => {
    const { store, workerId } = await openScene();
    const client = await begin();
    const statement = toStatement("deleteWorker", statementTextOf("deleteWorker"));
    expect((await client.query(toConfig(statement, { workerId }, false))).rowCount).toBe(0);
    await client.query("COMMIT");
    await store.retireWorker(workerId);
    expect((await store.listWorkers(NOW)).map((worker) => worker.workerId)).not.toContain(workerId);
  });
});
