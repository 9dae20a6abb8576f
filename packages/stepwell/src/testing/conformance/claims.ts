/** Claims: due runs go to one worker, oldest first, under ever newer fences. */
import type { Write } from "../../store/write.ts";
import {
  attemptOf,
  aWorker,
  type Chapter,
  checkpointOf,
  claimOne,
  crashTwice,
  flushOne,
  insertHeld,
  insertPending,
  NOW,
  parkOf,
  postOf,
  readRun,
  transitionOf,
} from "./scene.ts";

/** The chapter on claiming. */
export const claims: Chapter = ({ expect }, play) => {
  const idsOf = (list: readonly { readonly run: { readonly id: string } }[]) => list.map(({ run }) => run.id);

  play("S1: gives a run to one worker and to no other", async (scene) => {
    const { store, versionId, workerId } = scene;
    await insertPending(scene);
    const by = { suspects: false, versionIds: [versionId], limit: 10, nowMs: NOW };
    const [claim] = await store.claimRuns({ ...by, workerId });
    expect(claim).toMatchObject({ nowMs: NOW, run: { id: "r", state: "running", workerId, fence: 1, dueAtMs: null } });
    expect(await store.claimRuns({ ...by, workerId: await aWorker(store) })).toEqual([]);
    expect(await store.claimRuns({ ...by, workerId })).toEqual([]);
  });

  play("S1: hands out what is stored", async (scene) => {
    await insertPending(scene);
    const by = { suspects: false, workerId: scene.workerId, versionIds: [scene.versionId], limit: 1, nowMs: NOW };
    const [claim] = await scene.store.claimRuns(by);
    expect(claim!.run).toEqual(await readRun(scene));
  });

  play("S1: raises the fence with every claim", async (scene) => {
    const first = await insertHeld(scene);
    await flushOne(scene, parkOf(first, { dueAtMs: NOW }));
    const second = await claimOne(scene);
    expect(second.fence).toBe(2);
    await flushOne(scene, transitionOf(second, { kind: "release" }));
    expect((await claimOne(scene, NOW, await aWorker(scene.store))).fence).toBe(3);
  });

  play("S1: gives nothing to a worker that is dead or unknown", async (scene) => {
    const { store, versionId, workerId } = scene;
    await insertPending(scene);
    await store.buryWorker(workerId, true, NOW);
    const by = { suspects: false, versionIds: [versionId], limit: 10, nowMs: NOW };
    expect(await store.claimRuns({ ...by, workerId })).toEqual([]);
    expect(await store.claimRuns({ ...by, workerId: workerId + 1_000 })).toEqual([]);
    expect((await readRun(scene)).state).toBe("pending");
  });

  play("takes the oldest due first, across versions, and no more than the limit", async (scene) => {
    const { store, workerId } = scene;
    const other = await store.ensureVersion({ namespace: "test", name: "work", version: "1.1.0" });
    await insertPending(scene, { id: "third" }, NOW + 3);
    await insertPending(scene, { id: "first", versionId: other.versionId }, NOW + 1);
    await insertPending(scene, { id: "second" }, NOW + 2);
    await insertPending(scene, { id: "also second", versionId: other.versionId }, NOW + 2);
    const by = { suspects: false, workerId, versionIds: [other.versionId, scene.versionId], nowMs: NOW + 9 };
    expect(idsOf(await store.claimRuns({ ...by, limit: 3 }))).toEqual(["first", "second", "also second"]);
    expect(idsOf(await store.claimRuns({ ...by, limit: 3 }))).toEqual(["third"]);
    expect(await store.claimRuns({ ...by, limit: 0 })).toEqual([]);
  });

  play("takes only the versions asked for, however many they are", async (scene) => {
    const { store, versionId, workerId } = scene;
    await insertPending(scene);
    const absent = Array.from({ length: 3_000 }, (_, index) => versionId + 1 + index);
    const by = { suspects: false, workerId, limit: 1, nowMs: NOW };
    expect(await store.claimRuns({ ...by, versionIds: absent })).toEqual([]);
    expect(await store.claimRuns({ ...by, versionIds: [] })).toEqual([]);
    expect(idsOf(await store.claimRuns({ ...by, versionIds: [...absent, versionId] }))).toEqual(["r"]);
  });

  play("P7: takes a waiting run when it is due and not before", async (scene) => {
    const { store, versionId, workerId } = scene;
    const wait = { kind: "timer", key: "nap", name: "nap", dueAtMs: NOW + 100 } as const;
    await flushOne(scene, parkOf(await insertHeld(scene), { dueAtMs: NOW + 100, waitingFor: [wait] }));
    expect(await readRun(scene)).toMatchObject({ state: "waiting", dueAtMs: NOW + 100, waitingFor: [wait] });
    const by = { suspects: false, workerId, versionIds: [versionId], limit: 1 };
    expect(await store.claimRuns({ ...by, nowMs: NOW + 99 })).toEqual([]);
    const [claim] = await store.claimRuns({ ...by, nowMs: NOW + 100 });
    expect(claim!.run).toMatchObject({ state: "running", fence: 2, dueAtMs: null, waitingFor: [] });
  });

  play("leaves alone what waits for its inbox, is paused, or has ended", async (scene) => {
    const { store, versionId, workerId } = scene;
    await flushOne(scene, parkOf(await insertHeld(scene, { id: "waits" })));
    await flushOne(scene, transitionOf(await insertHeld(scene, { id: "paused" }), { kind: "pause", error: "{}" }));
    await flushOne(scene, transitionOf(await insertHeld(scene, { id: "ended" }), { kind: "complete", output: "1" }));
    expect(
      await store.claimRuns({ suspects: false, workerId, versionIds: [versionId], limit: 9, nowMs: NOW + 1e9 }),
    ).toEqual([]);
    expect((await store.nextDue([versionId], NOW)).runInMs).toBe(null);
  });

  play("makes paused runs of the given versions due again, a compensation as a compensation", async (scene) => {
    const { store, versionId } = scene;
    const pause = { kind: "pause", error: "{}" } as const;
    await flushOne(scene, transitionOf(await insertHeld(scene, { id: "plain" }), pause));
    const undoing = await insertHeld(scene, { id: "undoing" });
    await flushOne(scene, transitionOf(undoing, { kind: "compensate", ending: "failed", error: '"e"' }));
    await flushOne(scene, transitionOf(undoing, pause, { seq: 3 }));
    expect(await store.resumePaused([versionId + 1], NOW)).toBe(0);
    expect(await store.resumePaused([versionId], NOW + 2)).toBe(2);
    expect(await readRun(scene, "plain")).toMatchObject({ state: "pending", dueAtMs: NOW + 2 });
    expect(await readRun(scene, "undoing")).toMatchObject({
      state: "compensating",
      ending: "failed",
      dueAtMs: NOW + 2,
    });
    expect(await store.resumePaused([versionId], NOW + 3)).toBe(0);
  });

  play("tells what a worker holds, and how far each inbox has grown", async (scene) => {
    const owner = await insertHeld(scene, { id: "a" });
    await flushOne(scene, parkOf(await insertHeld(scene, { id: "b" })));
    await flushOne(scene, postOf("a"));
    expect(await scene.store.listHeldRuns(scene.workerId)).toEqual([{ rowId: owner.rowId, inboxSeq: 1 }]);
    expect(await scene.store.listHeldRuns(scene.workerId + 1)).toEqual([]);
  });

  play("keeps a compensating run compensating", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, transitionOf(owner, { kind: "compensate", ending: "failed", error: '"e"' }));
    await flushOne(scene, parkOf(owner, { state: "compensating", dueAtMs: NOW }));
    await claimOne(scene);
    const expected = { state: "compensating", ending: "failed", error: '"e"', workerId: scene.workerId, dueAtMs: null };
    expect(await readRun(scene)).toMatchObject(expected);
  });

  play("tells when the next run is due: of these versions, unowned, never below 0", async (scene) => {
    const { store, versionId } = scene;
    const other = await store.ensureVersion({ namespace: "test", name: "other", version: "1.0.0" });
    expect((await store.nextDue([versionId], NOW)).runInMs).toBe(null);
    await insertHeld(scene, { id: "held" });
    expect((await store.nextDue([versionId], NOW)).runInMs).toBe(null);
    await insertPending(scene, { id: "later" }, NOW + 70);
    expect((await store.nextDue([versionId], NOW)).runInMs).toBe(70);
    expect((await store.nextDue([other.versionId], NOW)).runInMs).toBe(null);
    await insertPending(scene, { id: "sooner", versionId: other.versionId }, NOW + 40);
    expect((await store.nextDue([versionId, other.versionId], NOW)).runInMs).toBe(40);
    expect((await store.nextDue([versionId, other.versionId], NOW + 50)).runInMs).toBe(0);
    expect((await store.nextDue([], NOW)).runInMs).toBe(null);
  });

  play("tells for how long the oldest due run of each version has been due, suspects included", async (scene) => {
    const { store, versionId, workerId } = scene;
    const other = await store.ensureVersion({ namespace: "test", name: "other", version: "1.0.0" });
    expect(await store.listOldestDue(NOW)).toEqual([]);
    await insertHeld(scene, { id: "held" });
    await insertPending(scene, { id: "b", versionId: other.versionId }, NOW + 70);
    await insertPending(scene, { id: "c" }, NOW + 60);
    await insertPending(scene, { id: "d" }, NOW + 20);
    const ages = async (nowMs: number) =>
      (await store.listOldestDue(nowMs)).map(({ version, overdueMs }) => [version.versionId, overdueMs]);
    expect(await ages(NOW + 19)).toEqual([]);
    expect(await ages(NOW + 20)).toEqual([[versionId, 0]]);
    const oldest = [
      [versionId, 80],
      [other.versionId, 30],
    ];
    expect(await ages(NOW + 100)).toEqual(oldest);
    const by = { workerId, suspects: false, versionIds: [versionId], limit: 9, nowMs: NOW + 100 };
    expect(idsOf(await store.claimRuns(by))).toEqual(["d", "c"]);
    expect(await ages(NOW + 100)).toEqual(oldest.slice(1));
    await crashTwice(scene, NOW + 102);
    expect(await ages(NOW + 110)).toEqual([
      [versionId, 8],
      [other.versionId, 40],
    ]);
  });

  play("S2: a run claimed again refuses its former holder", async (scene) => {
    const first = await insertHeld(scene);
    await flushOne(scene, parkOf(first));
    await flushOne(scene, postOf("r"));
    const second = await claimOne(scene);
    const late: readonly Write[] = [
      checkpointOf(first),
      checkpointOf(first, { kind: "signal" }, 1),
      attemptOf(first),
      { kind: "note", owner: first, note: "log", value: "1", seq: 2, consumes: null },
      { kind: "progress", owner: first, value: "1" },
      { kind: "attributes", owner: first, values: '{"tier":"gold"}' },
      transitionOf(first, { kind: "complete", output: "1" }),
      transitionOf(first, { kind: "release" }),
      parkOf(first, { inboxSeen: 1 }),
    ];
    for (const write of late) expect(await flushOne(scene, write)).toEqual({ kind: "stale" });
    expect(await flushOne(scene, checkpointOf(second))).toEqual({ kind: "stored", atMs: NOW });
  });
};
