/** Workers: leases, deaths, and what becomes of a dead one's runs. */
import {
  aWorker,
  type Chapter,
  checkpointOf,
  claimOne,
  flushOne,
  insertHeld,
  insertPending,
  LEASE_MS,
  NOW,
  postOf,
  readRun,
  transitionOf,
} from "./scene.ts";

/** The chapter on the registry of workers. */
export const workers: Chapter = ({ expect }, play) => {
  play("keeps who a worker is, and gives every start an id of its own", async ({ store, workerId }) => {
    const process = { name: "n", host: "m", bootId: "b", pid: 42, pidNamespace: "pid:[1]", pidStartedAt: "777" };
    const offer = { concurrency: 3, workflows: ["a/b@1.0.0", "c/d@2.0.0"] };
    const second = await store.registerWorker(process, { ...offer, leaseMs: 10 }, NOW);
    const third = await store.registerWorker(process, { ...offer, leaseMs: 10 }, NOW);
    expect(new Set([workerId, second, third]).size).toBe(3);
    const listed = (await store.listWorkers(NOW + 4)).find((worker) => worker.workerId === second);
    const seen = { executing: 0, startedAtMs: NOW, seenAtMs: NOW };
    expect(listed).toEqual({ ...process, ...offer, ...seen, workerId: second, state: "alive", leaseLeftMs: 6 });
  });

  play("P3: an id that was retired is never given again", async ({ store }) => {
    const first = await aWorker(store);
    await store.retireWorker(first);
    expect((await aWorker(store)) > first).toBe(true);
  });

  play("P9: a lapsed lease that nobody took may renew; a dead worker may not", async ({ store, workerId }) => {
    const standing = { leaseMs: LEASE_MS, executing: 5 };
    const lateMs = NOW + 10 * LEASE_MS;
    expect(await store.renewWorker(workerId, standing, lateMs)).toMatchObject({ alive: true });
    const [worker] = await store.listWorkers(lateMs + 1);
    expect(worker).toMatchObject({ state: "alive", leaseLeftMs: LEASE_MS - 1, executing: 5, seenAtMs: lateMs });
    await store.buryWorker(workerId, true, NOW);
    expect(await store.renewWorker(workerId, standing, NOW)).toMatchObject({ alive: false });
    expect(await store.renewWorker(workerId + 1_000, standing, NOW)).toMatchObject({ alive: false });
    expect((await store.listWorkers(NOW))[0]).toMatchObject({ state: "dead" });
  });

  play("F29: a renewal goes by the start of a process, not by its name", async ({ store, workerId: before }) => {
    const after = await aWorker(store);
    const standing = { leaseMs: LEASE_MS, executing: 0 };
    await store.renewWorker(after, standing, NOW + 50);
    const leases = (await store.listWorkers(NOW)).map(({ workerId, leaseLeftMs }) => [workerId, leaseLeftMs]);
    expect(leases).toEqual([
      [before, LEASE_MS],
      [after, LEASE_MS + 50],
    ]);
    await store.buryWorker(before, true, NOW);
    expect(await store.renewWorker(before, standing, NOW)).toMatchObject({ alive: false });
  });

  play("P9: a renewal tells when the next lease of another worker lapses, and who came last", async (scene) => {
    const { store, workerId } = scene;
    const renew = (nowMs: number) => store.renewWorker(workerId, { leaseMs: LEASE_MS, executing: 0 }, nowMs);
    expect(await renew(NOW)).toEqual({ alive: true, othersLapseInMs: null, newestWorkerId: workerId });
    const second = await aWorker(store);
    expect(await renew(NOW + 1)).toEqual({ alive: true, othersLapseInMs: LEASE_MS - 1, newestWorkerId: second });
    expect(await renew(NOW + LEASE_MS)).toMatchObject({ othersLapseInMs: 0 });
    expect(await renew(NOW + 2 * LEASE_MS)).toMatchObject({ othersLapseInMs: 0 });
    const third = await aWorker(store);
    await store.buryWorker(second, true, NOW);
    expect(await renew(NOW)).toEqual({ alive: true, othersLapseInMs: 0, newestWorkerId: third });
    await store.retireWorker(second);
    expect(await renew(NOW)).toMatchObject({ othersLapseInMs: LEASE_MS });
  });

  play("P9: is buried only when its lease has lapsed or its process is gone", async ({ store, workerId }) => {
    expect(await store.buryWorker(workerId, false, NOW + LEASE_MS - 1)).toBe(false);
    expect((await store.listWorkers(NOW))[0]).toMatchObject({ state: "alive" });
    expect(await store.buryWorker(workerId, false, NOW + LEASE_MS)).toBe(true);
    const other = await aWorker(store);
    expect(await store.buryWorker(other, true, NOW)).toBe(true);
    expect(await store.buryWorker(other, false, NOW)).toBe(true);
    expect((await store.listWorkers(NOW)).map((worker) => worker.state)).toEqual(["dead", "dead"]);
  });

  play("S7: what a worker holds is told with the number of its newest item", async (scene) => {
    const { store, workerId } = scene;
    expect(await store.listHeldRuns(workerId)).toEqual([]);
    const [a, b] = [await insertHeld(scene, { id: "a" }), await insertHeld(scene, { id: "b" })];
    await insertPending(scene, { id: "c" });
    await claimOne(scene, NOW, await aWorker(store));
    await insertPending(scene, { id: "d" });
    await flushOne(scene, postOf("b"));
    const held = [...(await store.listHeldRuns(workerId))].sort((one, other) => one.rowId - other.rowId);
    expect(held).toEqual([
      { rowId: a.rowId, inboxSeq: 0 },
      { rowId: b.rowId, inboxSeq: 1 },
    ]);
    await flushOne(scene, transitionOf(a, { kind: "complete", output: "1" }));
    expect((await store.listHeldRuns(workerId)).map((run) => run.rowId)).toEqual([b.rowId]);
  });

  play("P9: the runs of a living worker are not freed", async (scene) => {
    await insertHeld(scene);
    const before = await readRun(scene);
    expect(await scene.store.releaseRuns(scene.workerId, "died", NOW)).toEqual({ freed: 0, quarantined: [] });
    expect(await readRun(scene)).toEqual(before);
  });

  play("P9: a dead worker's runs are due at once under a newer fence, others' are untouched", async (scene) => {
    const { store, workerId } = scene;
    const other = await aWorker(store);
    await insertHeld(scene, { id: "a" });
    const b = await insertHeld(scene, { id: "b" });
    await flushOne(scene, transitionOf(b, { kind: "compensate", ending: "failed", error: '"e"' }));
    await insertPending(scene, { id: "c" });
    await claimOne(scene, NOW, other);
    await store.buryWorker(workerId, true, NOW);
    expect(await store.releaseRuns(workerId, "died", NOW + 3)).toEqual({ freed: 2, quarantined: [] });
    expect(await store.releaseRuns(workerId, "died", NOW + 4)).toEqual({ freed: 0, quarantined: [] });
    const freed = { workerId: null, dueAtMs: NOW + 3, fence: 2, crashes: 1 };
    expect(await readRun(scene, "a")).toMatchObject({ ...freed, state: "pending" });
    expect(await readRun(scene, "b")).toMatchObject({ ...freed, state: "compensating", ending: "failed" });
    expect(await readRun(scene, "c")).toMatchObject({ state: "running", workerId: other, crashes: 0 });
  });

  play("S2: a dead worker's writes are stale before and after its runs are freed", async (scene) => {
    const { store, workerId } = scene;
    const owner = await insertHeld(scene);
    await store.buryWorker(workerId, true, NOW);
    expect(await flushOne(scene, checkpointOf(owner))).toEqual({ kind: "stale" });
    await store.releaseRuns(workerId, "died", NOW);
    expect(await flushOne(scene, checkpointOf(owner))).toEqual({ kind: "stale" });
    expect((await store.loadMemory(owner.rowId)).checkpoints).toEqual([]);
  });

  play("a takeover has the next free history number, and the run goes on after it", async (scene) => {
    const { store, workerId } = scene;
    const owner = await insertHeld(scene);
    await flushOne(scene, postOf("r"));
    await flushOne(scene, checkpointOf(owner, { key: "a", seq: 3 }, 1));
    await flushOne(scene, checkpointOf(owner, { key: "b", seq: 4 }));
    await store.buryWorker(workerId, true, NOW);
    await store.releaseRuns(workerId, "died", NOW + 6);
    expect((await readRun(scene)).historySeq).toBe(5);
    expect((await store.loadMemory(owner.rowId)).lastSeq).toBe(5);
    const history = await store.listHistory(owner.rowId);
    expect(history.map((event) => event.seq)).toEqual([1, 2, 3, 4, 5]);
    expect(history[4]).toMatchObject({ kind: "note", note: "takeover", atMs: NOW + 6 });
  });

  play("a retired worker has left, unless it still holds runs", async (scene) => {
    const { store, workerId } = scene;
    await insertHeld(scene);
    await store.retireWorker(workerId);
    expect((await store.listWorkers(NOW)).length).toBe(1);
    await store.buryWorker(workerId, true, NOW);
    await store.releaseRuns(workerId, "died", NOW);
    await store.retireWorker(workerId);
    expect(await store.listWorkers(NOW)).toEqual([]);
    expect(await store.buryWorker(workerId, false, NOW)).toBe(true);
  });
};
