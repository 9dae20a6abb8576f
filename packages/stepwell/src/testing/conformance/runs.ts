/** Runs: inserted once per name, found, listed; and the versions they point to. */
import {
  aRun,
  aWorker,
  type Chapter,
  codeOf,
  flushOne,
  insertHeld,
  insertOf,
  insertPending,
  NOW,
  parkOf,
  readRun,
  refOf,
  transitionOf,
  WORKFLOW,
} from "./scene.ts";

/** The chapter on runs and versions. */
export const runs: Chapter = ({ expect }, play) => {
  play("keeps every field of a new run, due at once", async (scene) => {
    const parent = { rowId: await insertPending(scene, { id: "mother" }), key: "child", awaited: true };
    const fields = { id: "order:42", input: '{"a":1}', inputHash: "h", actor: "api", seed: 2 ** 53 - 1, parent };
    const rowId = await insertPending(scene, { ...fields, timeoutMs: 60_000.5 }, NOW + 5);
    expect(await readRun(scene, "order:42")).toEqual({
      ...WORKFLOW,
      ...fields,
      rowId,
      versionId: scene.versionId,
      state: "pending",
      output: null,
      error: null,
      onHold: false,
      ending: null,
      generation: 1,
      fence: 0,
      workerId: null,
      crashes: 0,
      inboxSeq: 0,
      historySeq: 1,
      waitingFor: [],
      progress: null,
      attributes: {},
      createdAtMs: NOW + 5,
      dueAtMs: NOW + 5,
      endedAtMs: null,
      deadlineAtMs: NOW + 60_006,
    });
  });

  play("S1: inserts a run already claimed, under fence 1", async (scene) => {
    const claimFor = scene.workerId;
    const result = await flushOne(scene, { ...insertOf(aRun(scene)), claimFor });
    const run = await readRun(scene);
    expect(result).toEqual({ kind: "inserted", atMs: NOW, rowId: run.rowId, claimed: true });
    expect(run).toMatchObject({ state: "running", workerId: claimFor, fence: 1, dueAtMs: null });
  });

  play("S1: inserts it pending when the worker it is claimed for is dead", async (scene) => {
    const claimFor = scene.workerId;
    await scene.store.buryWorker(claimFor, true, NOW);
    const result = await flushOne(scene, { ...insertOf(aRun(scene)), claimFor });
    expect(result).toMatchObject({ kind: "inserted", claimed: false });
    expect(await readRun(scene)).toMatchObject({ state: "pending", workerId: null, fence: 0, dueAtMs: NOW });
  });

  play("S5: answers with the run that is there when its id was taken", async (scene) => {
    const rowId = await insertPending(scene, { input: '"first"', inputHash: "1" });
    const again = await flushOne(scene, insertOf(aRun(scene, { input: '"second"', inputHash: "2" })));
    expect(again).toEqual({ kind: "exists", run: await readRun(scene) });
    expect(await readRun(scene)).toMatchObject({ rowId, input: '"first"', inputHash: "1" });
  });

  play("S5: two inserts of one id in one flush make one run", async (scene) => {
    const insert = insertOf(aRun(scene));
    const results = await scene.store.flush([insert, insert], NOW);
    expect(results.map((result) => result.kind)).toEqual(["inserted", "exists"]);
  });

  play("an id is unique per workflow, whatever the version", async (scene) => {
    const newer = await scene.store.ensureVersion({ ...WORKFLOW, version: "2.0.0" });
    const other = await scene.store.ensureVersion({ ...WORKFLOW, name: "other" });
    await insertPending(scene);
    const sameWorkflow = insertOf(aRun(scene, { versionId: newer.versionId }));
    const otherWorkflow = insertOf(aRun(scene, { versionId: other.versionId }));
    expect((await flushOne(scene, sameWorkflow)).kind).toBe("exists");
    expect((await flushOne(scene, otherWorkflow)).kind).toBe("inserted");
    expect(await readRun(scene)).toMatchObject(WORKFLOW);
  });

  play("S2: a step that lost its run starts no child", async (scene) => {
    const owner = await insertHeld(scene, { id: "mother" });
    const parent = { rowId: owner.rowId, key: "child", awaited: true };
    const start = { ...insertOf(aRun(scene, { id: "child", parent })), owner };
    for (const stale of [
      { ...owner, fence: 2 },
      { ...owner, workerId: await aWorker(scene.store) },
    ]) {
      expect(await flushOne(scene, { ...start, owner: stale })).toEqual({ kind: "stale" });
    }
    expect(await scene.store.findRun(refOf("child"))).toBe(null);
    expect((await flushOne(scene, start)).kind).toBe("inserted");
    expect((await readRun(scene, "child")).parent).toEqual(parent);
  });

  play("S2: neither does one that gave its run up, or whose worker is dead", async (scene) => {
    const [a, b] = [await insertHeld(scene, { id: "a" }), await insertHeld(scene, { id: "b" })];
    await flushOne(scene, parkOf(a));
    expect(await flushOne(scene, { ...insertOf(aRun(scene)), owner: a })).toEqual({ kind: "stale" });
    await scene.store.buryWorker(scene.workerId, true, NOW);
    expect(await flushOne(scene, { ...insertOf(aRun(scene)), owner: b })).toEqual({ kind: "stale" });
    expect(await scene.store.findRun(refOf("r"))).toBe(null);
  });

  play("S5: a child's start answers again after its parent has parked", async (scene) => {
    const owner = await insertHeld(scene, { id: "mother" });
    const parent = { rowId: owner.rowId, key: "child", awaited: true };
    const batch = [{ ...insertOf(aRun(scene, { id: "child", parent })), owner }, parkOf(owner)];
    expect((await scene.store.flush(batch, NOW)).map((result) => result.kind)).toEqual(["inserted", "stored"]);
    const again = await scene.store.flush(batch, NOW);
    expect(again).toEqual([
      { kind: "exists", run: await readRun(scene, "child") },
      { kind: "stored", atMs: NOW },
    ]);
  });

  play("finds nothing under a name that nobody used", async ({ store }) => {
    expect(await store.findRun(refOf("nobody"))).toBe(null);
    expect(await store.findRun({ namespace: "no", name: "no", id: "r" })).toBe(null);
  });

  play("lists the newest first, by namespace, name and state, up to the limit", async (scene) => {
    const { store } = scene;
    const other = await store.ensureVersion({ namespace: "team", name: "work", version: "1.0.0" });
    for (const id of ["a", "b", "c"]) await insertPending(scene, { id });
    await insertPending(scene, { id: "d", versionId: other.versionId });
    await flushOne(scene, transitionOf(await insertHeld(scene, { id: "e" }), { kind: "fail", error: '"x"' }));
    const idsOf = async (filter: object, limit: number = 9) =>
      (await store.listRuns({ ...filter, limit })).runs.map((run) => run.id).join("");
    expect(await idsOf({})).toBe("edcba");
    expect(await idsOf({}, 2)).toBe("ed");
    expect(await idsOf({ namespace: "test" })).toBe("ecba");
    expect(await idsOf({ namespace: "team", name: "work" })).toBe("d");
    expect(await idsOf({ name: "work", states: ["failed"] })).toBe("e");
    expect(await idsOf({ states: ["pending", "failed"] }, 3)).toBe("edc");
    expect(await idsOf({ states: [] })).toBe("");
    expect(await idsOf({ name: "nobody" })).toBe("");
  });

  play("P11: refuses a page of no runs or of too many", async ({ store }) => {
    for (const limit of [0, -1, 1.5, 1_001]) {
      expect(await store.listRuns({ limit }).catch(codeOf)).toBe("OPTION_INVALID");
    }
    expect(await store.listRuns({ limit: 1_000 })).toEqual({ runs: [], beforeRowId: null });
  });

  play("S5: knows a version again", async ({ store, versionId }) => {
    const newer = { ...WORKFLOW, version: "1.0.1" };
    const { versionId: newerId } = await store.ensureVersion(newer);
    expect(await store.ensureVersion(newer)).toEqual({ ...newer, versionId: newerId });
    expect(await store.ensureVersion(WORKFLOW)).toEqual({ ...WORKFLOW, versionId });
    expect(await store.listVersions()).toEqual([
      { ...WORKFLOW, versionId },
      { ...newer, versionId: newerId },
    ]);
  });
};
