/** Inboxes: items are numbered, kept, consumed once, and wake the run they are for. */
import { aRun, type Chapter, checkpointOf, claimOne, flushOne } from "./scene.ts";
import { insertHeld, insertOf, insertPending, NOW, parkOf, postOf, readRun, refOf, transitionOf } from "./scene.ts";

/** The chapter on what outsiders leave for a run. */
export const inboxes: Chapter = ({ expect }, play) => {
  play("S7: an item wakes a waiting run in the same transaction", async (scene) => {
    const owner = await insertHeld(scene);
    const wait = { kind: "signal", key: "k", name: "go", dueAtMs: NOW + 1e6 } as const;
    await flushOne(scene, parkOf(owner, { dueAtMs: NOW + 1e6, waitingFor: [wait] }));
    const result = await flushOne(scene, postOf("r"), NOW + 5);
    const item = { seq: 1, kind: "signal", name: "go", payload: "true", actor: "kim", atMs: NOW + 5 };
    expect(result).toEqual({ kind: "posted", atMs: NOW + 5, rowId: owner.rowId, item, claimable: true });
    expect(await readRun(scene)).toMatchObject({ state: "pending", dueAtMs: NOW + 5, inboxSeq: 1, waitingFor: [] });
    expect((await claimOne(scene, NOW + 5)).fence).toBe(2);
  });

  play("S7: a park that has not seen the newest item keeps the claim", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, postOf("r"));
    expect(await flushOne(scene, parkOf(owner, { inboxSeen: 0 }))).toEqual({ kind: "unseen" });
    expect(await readRun(scene)).toMatchObject({ state: "running", workerId: owner.workerId });
    expect((await flushOne(scene, parkOf(owner, { inboxSeen: 1 }))).kind).toBe("stored");
  });

  play("S7: nor does the park of a compensation", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, transitionOf(owner, { kind: "compensate", ending: "failed", error: '"e"' }));
    await flushOne(scene, postOf("r"));
    expect(await flushOne(scene, parkOf(owner, { state: "compensating" }))).toEqual({ kind: "unseen" });
    expect(await readRun(scene)).toMatchObject({ state: "compensating", workerId: owner.workerId });
  });

  play("S7: a post and a park in one flush lose nothing; the post comes after, in either order", async (scene) => {
    const [a, b] = [await insertHeld(scene, { id: "a" }), await insertHeld(scene, { id: "b" })];
    const results = await scene.store.flush([postOf("a"), parkOf(a), parkOf(b), postOf("b")], NOW);
    expect(results.map((result) => result.kind)).toEqual(["posted", "stored", "stored", "posted"]);
    expect(await readRun(scene, "a")).toMatchObject({ state: "pending", dueAtMs: NOW });
    expect(await readRun(scene, "b")).toMatchObject({ state: "pending", dueAtMs: NOW });
  });

  play("S7: a running run keeps its owner and learns from its inbox number", async (scene) => {
    const owner = await insertHeld(scene);
    expect(await flushOne(scene, postOf("r"))).toMatchObject({ kind: "posted", claimable: false });
    const still = { state: "running", workerId: owner.workerId, fence: 1, dueAtMs: null, inboxSeq: 1 };
    expect(await readRun(scene)).toMatchObject(still);
  });

  play("S7: a pending run keeps its place", async (scene) => {
    await insertPending(scene);
    expect(await flushOne(scene, postOf("r"), NOW + 9)).toMatchObject({ kind: "posted", claimable: true });
    expect(await readRun(scene)).toMatchObject({ state: "pending", dueAtMs: NOW });
  });

  play("S7: a parked compensation is made due", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, transitionOf(owner, { kind: "compensate", ending: "failed", error: '"e"' }));
    await flushOne(scene, parkOf(owner, { state: "compensating", dueAtMs: NOW + 1e6 }));
    expect(await flushOne(scene, postOf("r"))).toMatchObject({ claimable: true });
    expect(await readRun(scene)).toMatchObject({ state: "compensating", dueAtMs: NOW });
  });

  play("P6: a paused run keeps the item and sleeps on", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, transitionOf(owner, { kind: "pause", error: '"e"' }));
    expect(await flushOne(scene, postOf("r"))).toMatchObject({ kind: "posted", claimable: false });
    expect(await readRun(scene)).toMatchObject({ state: "paused", dueAtMs: null, inboxSeq: 1 });
    expect((await scene.store.listInbox(owner.rowId, 0)).length).toBe(1);
  });

  play("a cancel wakes a paused run", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, transitionOf(owner, { kind: "pause", error: '"e"' }));
    expect(await flushOne(scene, postOf("r", { kind: "cancel" }))).toMatchObject({ kind: "posted", claimable: true });
    expect(await readRun(scene)).toMatchObject({ state: "pending", dueAtMs: NOW });
  });

  play("a run that has ended, or never was, takes nothing", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, transitionOf(owner, { kind: "cancel", error: '"e"' }));
    expect(await flushOne(scene, postOf("r"))).toEqual({ kind: "ended", state: "cancelled" });
    expect(await flushOne(scene, postOf("nobody"))).toEqual({ kind: "unknown_run" });
    const elsewhere = { ...postOf("r"), to: { ...refOf("r"), namespace: "elsewhere" } };
    expect(await flushOne(scene, elsewhere)).toEqual({ kind: "unknown_run" });
    expect((await readRun(scene)).inboxSeq).toBe(0);
  });

  play("S4: a run inserted in the same flush has an inbox already", async (scene) => {
    const results = await scene.store.flush([insertOf(aRun(scene)), postOf("r")], NOW);
    expect(results.map((result) => result.kind)).toEqual(["inserted", "posted"]);
  });

  play("S5: one operation leaves one item, also when the run has ended since", async (scene) => {
    const owner = await insertHeld(scene);
    const first = await flushOne(scene, postOf("r"));
    expect(await flushOne(scene, postOf("r"))).toEqual(first);
    const second = await flushOne(scene, postOf("r", { operationId: "other" }));
    expect(second).toMatchObject({ item: { seq: 2 } });
    await flushOne(scene, transitionOf(owner, { kind: "complete", output: "1" }));
    expect(await flushOne(scene, postOf("r"))).toEqual(first);
    expect((await readRun(scene)).inboxSeq).toBe(2);
  });

  play("S5: an operation is one run's; another run may use its id too", async (scene) => {
    await insertPending(scene, { id: "a" });
    await insertPending(scene, { id: "b" });
    const results = await scene.store.flush([postOf("a"), postOf("b")], NOW);
    expect(results.map((result) => result.kind)).toEqual(["posted", "posted"]);
  });

  play("P6: items are numbered without gaps and listed until consumed, from a number on", async (scene) => {
    const owner = await insertHeld(scene);
    for (const operationId of ["x", "y", "z"]) await flushOne(scene, postOf("r", { operationId, name: operationId }));
    const listed = async (afterSeq: number) =>
      (await scene.store.listInbox(owner.rowId, afterSeq)).map(({ seq, name }) => `${seq}${name}`);
    expect(await listed(0)).toEqual(["1x", "2y", "3z"]);
    expect(await listed(2)).toEqual(["3z"]);
    await flushOne(scene, checkpointOf(owner, { key: "@wait/y/1", kind: "signal", seq: 3 }, 2));
    expect(await listed(0)).toEqual(["1x", "3z"]);
    expect((await scene.store.loadMemory(owner.rowId)).inbox.map((item) => item.seq)).toEqual([1, 3]);
  });

  play("P6: a stale checkpoint consumes nothing, and a second one consumes nothing more", async (scene) => {
    const owner = await insertHeld(scene);
    await scene.store.flush([postOf("r"), postOf("r", { operationId: "2" })], NOW);
    await flushOne(scene, checkpointOf({ ...owner, fence: 7 }, { seq: 3 }, 1));
    expect((await scene.store.listInbox(owner.rowId, 0)).length).toBe(2);
    await flushOne(scene, checkpointOf(owner, { seq: 3 }, 1));
    await flushOne(scene, checkpointOf(owner, { seq: 5 }, 2));
    expect((await scene.store.listInbox(owner.rowId, 0)).map((item) => item.seq)).toEqual([2]);
  });

  play("P6: an item that was consumed is not consumed again by another step", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, postOf("r"));
    await flushOne(scene, checkpointOf(owner, { key: "a", seq: 3 }, 1));
    await flushOne(scene, checkpointOf(owner, { key: "b", seq: 5 }, 1));
    const received = (await scene.store.listHistory(owner.rowId)).filter((event) => event.kind === "received");
    expect(received.map((event) => event.seq)).toEqual([2]);
  });

  play("a parked run whose body moved is made due, unless somebody took it", async (scene) => {
    const owner = await insertHeld(scene);
    const wake = { kind: "wake", rowId: owner.rowId, fence: 1 } as const;
    expect(await flushOne(scene, wake)).toEqual({ kind: "stale" });
    await flushOne(scene, parkOf(owner, { dueAtMs: NOW + 1e6 }));
    expect(await flushOne(scene, { ...wake, fence: 0 })).toEqual({ kind: "stale" });
    expect(await flushOne(scene, wake, NOW + 2)).toEqual({ kind: "stored", atMs: NOW + 2 });
    expect(await readRun(scene)).toMatchObject({ state: "pending", dueAtMs: NOW + 2, waitingFor: [] });
    expect(await flushOne(scene, wake, NOW + 3)).toEqual({ kind: "stored", atMs: NOW + 3 });
    expect((await readRun(scene)).dueAtMs).toBe(NOW + 2);
    const next = await claimOne(scene, NOW + 2);
    await flushOne(scene, transitionOf(next, { kind: "compensate", ending: "failed", error: '"e"' }));
    expect(await flushOne(scene, { ...wake, fence: 2 })).toEqual({ kind: "stale" });
    await flushOne(scene, transitionOf(next, { kind: "pause", error: '"e"' }));
    expect(await flushOne(scene, { ...wake, fence: 2 })).toEqual({ kind: "stale" });
  });
};
