/** Suspects: runs whose workers died twice are claimed apart, and set aside when a third one dies (F18). */
import {
  aWorker,
  type Chapter,
  checkpointOf,
  claimOne,
  claimSuspect,
  codeOf,
  crash,
  crashTwice,
  flushOne,
  insertHeld,
  insertPending,
  NOW,
  postOf,
  readRun,
  transitionOf,
} from "./scene.ts";

/** The chapter on probation and quarantine. */
export const suspects: Chapter = ({ expect }, play) => {
  play("F18: a run that crashed twice is claimed as a suspect alone, one at a time, and told apart", async (scene) => {
    const { store, versionId } = scene;
    await insertHeld(scene, { id: "a" });
    await insertHeld(scene, { id: "b" });
    const workerId = await crashTwice(scene);
    await insertPending(scene, { id: "c" }, NOW - 5);
    const by = { workerId, versionIds: [versionId], limit: 9, nowMs: NOW };
    expect(await store.nextDue([versionId], NOW - 1)).toMatchObject({ runInMs: 0, suspectInMs: 1 });
    expect((await store.claimRuns({ ...by, suspects: false })).map(({ run }) => run.id)).toEqual(["c"]);
    expect(await store.nextDue([versionId], NOW)).toMatchObject({ runInMs: null, suspectInMs: 0 });
    const ids = async () => (await store.claimRuns({ ...by, suspects: true })).map(({ run }) => run.id);
    expect([await ids(), await ids(), await ids()]).toEqual([["a"], ["b"], []]);
    expect(await store.claimRuns({ ...by, suspects: true, limit: 0 })).toEqual([]);
    expect(await store.nextDue([versionId], NOW)).toMatchObject({ runInMs: null, suspectInMs: null });
  });

  play("F18: one crash makes no suspect, and a checkpoint forgets it", async (scene) => {
    await insertHeld(scene);
    const workerId = await crash(scene, scene.workerId);
    const owner = await claimOne(scene, NOW, workerId);
    const write = checkpointOf(owner, { seq: 3 });
    await flushOne(scene, { ...write, clearsCrashes: true } as never);
    expect((await readRun(scene)).crashes).toBe(0);
    await crash(scene, workerId);
    expect(await readRun(scene)).toMatchObject({ state: "pending", crashes: 1 });
  });

  play("F18: a checkpoint forgets the crashes only where it says so, and only its own run's", async (scene) => {
    await insertHeld(scene, { id: "a" });
    await insertHeld(scene, { id: "b" });
    const workerId = await crash(scene, scene.workerId);
    const owner = await claimOne(scene, NOW, workerId);
    await flushOne(scene, checkpointOf(owner, { seq: 3 }));
    expect([(await readRun(scene, "a")).crashes, (await readRun(scene, "b")).crashes]).toEqual([1, 1]);
    await flushOne(scene, { ...checkpointOf(owner, { key: "2", seq: 4 }), clearsCrashes: true } as never);
    expect([(await readRun(scene, "a")).crashes, (await readRun(scene, "b")).crashes]).toEqual([0, 1]);
  });

  play("F18: a crash on probation quarantines: unowned, never due, with its error and two notes", async (scene) => {
    const { store, versionId } = scene;
    await insertHeld(scene);
    const workerId = await crashTwice(scene);
    const owner = await claimSuspect(scene, workerId);
    await insertPending(scene, { id: "other" });
    await claimOne(scene, NOW, workerId);
    await store.buryWorker(workerId, true, NOW);
    const { freed, quarantined } = await store.releaseRuns(workerId, "died", NOW + 7);
    const run = await readRun(scene);
    expect([freed, quarantined]).toEqual([1, [run]]);
    const expected = { state: "quarantined", workerId: null, dueAtMs: null, crashes: 3, ending: null };
    expect(run).toMatchObject({ ...expected, fence: owner.fence + 1, historySeq: 5, endedAtMs: null });
    expect(JSON.parse(run.error ?? "")).toMatchObject({ code: "RUN_QUARANTINED", retryable: false });
    const history = await store.listHistory(run.rowId);
    const notes = history.flatMap((event) => (event.kind === "note" ? [[event.seq, event.note, event.atMs]] : []));
    expect(notes.slice(-2)).toEqual([
      [4, "takeover", NOW + 7],
      [5, "quarantined", NOW + 7],
    ]);
    expect(await store.nextDue([versionId], NOW + 9)).toMatchObject({ runInMs: 0, suspectInMs: null });
    expect(await store.resumePaused([versionId], NOW + 9)).toBe(0);
    expect((await flushOne(scene, checkpointOf(owner))).kind).toBe("stale");
  });

  play("F18: what a worker leaves in good order counts as no crash, on probation or not", async (scene) => {
    const { store } = scene;
    await insertHeld(scene);
    const workerId = await crashTwice(scene);
    const owner = await claimSuspect(scene, workerId);
    await store.buryWorker(workerId, true, NOW);
    expect(await store.releaseRuns(workerId, "left", NOW + 1)).toEqual({ freed: 1, quarantined: [] });
    const run = await readRun(scene);
    expect(run).toMatchObject({
      state: "pending",
      crashes: 2,
      dueAtMs: NOW + 1,
      fence: owner.fence + 1,
      historySeq: 4,
    });
    expect((await store.listHistory(run.rowId)).at(-1)).toMatchObject({ kind: "note", note: "released" });
    expect((await flushOne(scene, checkpointOf(owner))).kind).toBe("stale");
  });

  play("F18: a compensation in quarantine keeps what it was to end as, and why", async (scene) => {
    const owner = await insertHeld(scene);
    const error = '{"name":"E","message":"broke","retryable":false}';
    await flushOne(scene, transitionOf(owner, { kind: "compensate", ending: "failed", error }));
    const workerId = await crashTwice(scene);
    await claimSuspect(scene, workerId);
    await crash(scene, workerId);
    const run = await readRun(scene);
    expect(run).toMatchObject({ state: "quarantined", ending: "failed" });
    expect(JSON.parse(run.error ?? "")).toMatchObject({ code: "RUN_QUARANTINED", cause: { message: "broke" } });
    await flushOne(scene, postOf("r", { kind: "cancel", name: "" }));
    expect(await readRun(scene)).toMatchObject({ state: "compensating", ending: "failed", dueAtMs: NOW, crashes: 3 });
  });

  play(
    "F18: a cancel wakes a quarantined run, still as a suspect; a signal is kept and wakes nobody",
    async (scene) => {
      await insertHeld(scene);
      const workerId = await crashTwice(scene);
      await claimSuspect(scene, workerId);
      const next = await crash(scene, workerId);
      expect(await flushOne(scene, postOf("r"))).toMatchObject({ kind: "posted", claimable: false });
      expect(await readRun(scene)).toMatchObject({ state: "quarantined", inboxSeq: 1, dueAtMs: null });
      const cancel = postOf("r", { kind: "cancel", name: "", operationId: "2" });
      expect(await flushOne(scene, cancel)).toMatchObject({ kind: "posted", claimable: true });
      expect(await readRun(scene)).toMatchObject({ state: "pending", dueAtMs: NOW });
      expect(await claimOne(scene, NOW, next).catch(codeOf)).toBe(null);
      expect((await claimSuspect(scene, next)).workerId).toBe(next);
      expect(await aWorker(scene.store)).toBe(next + 1);
    },
  );
};
