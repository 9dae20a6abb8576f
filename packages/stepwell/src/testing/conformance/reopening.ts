/** Reopening: runs that have ended go on in their next generation, all that were asked for or none. */
import type { Owner, Run } from "../../model/run.ts";
import type { Checkpoint } from "../../model/step.ts";
import type { ReopenedRun } from "../../store/store.ts";
import {
  aRun,
  attemptOf,
  type Chapter,
  checkpointOf,
  claimOne,
  flushOne,
  insertHeld,
  NOW,
  postOf,
  readRun,
  type Scene,
  transitionOf,
} from "./scene.ts";

const LATER = NOW + 5_000;

/** What an operator asks for, and nothing else. */
function aReopening({ rowId }: Pick<Owner, "rowId">, fields: Partial<ReopenedRun> = {}): ReopenedRun {
  return {
    rowId,
    generation: 1,
    reopening: { forgotten: [], undoing: null },
    usedUp: [],
    deliveries: [],
    note: { kind: "retried", value: '"why"' },
    resolved: null,
    ...fields,
  };
}

/** A run with the steps `good` and `bad`, of which the second ended it. */
async function insertFailed(scene: Scene, id: string = "r"): Promise<Owner> {
  const owner = await insertHeld(scene, { id });
  await flushOne(scene, checkpointOf(owner, { key: "good" }));
  await flushOne(scene, checkpointOf(owner, { key: "bad", outcome: "failed", value: '"e"', seq: 3 }));
  await flushOne(scene, transitionOf(owner, { kind: "fail", error: '"e"' }, { seq: 4 }));
  return owner;
}

/** Its events, in short. */
async function told({ store }: Scene, { rowId }: Owner): Promise<readonly string[]> {
  const history = await store.listHistory(rowId);
  return history.map((event) => {
    const what = event.kind === "step" ? `${event.key} ${event.outcome}` : event.kind === "note" ? event.note : "";
    return `${event.seq} ${event.kind} ${what}`.trim();
  });
}

const REOPENED = {
  ...({ state: "pending", generation: 2, dueAtMs: LATER, endedAtMs: null, error: null, output: null } as const),
  ...({ ending: null, crashes: 0, waitingFor: [] } as const),
} satisfies Partial<Run>;

const BORN = { state: "pending", generation: 1, fence: 0, inboxSeq: 0, parent: null } satisfies Partial<Run>;

/** A step that completed, as it is remembered. */
function aCheckpoint(fields: Partial<Checkpoint>): Checkpoint {
  const step = { key: "step", kind: "step", outcome: "completed", value: "1", seq: 2, attempt: 1 } as const;
  return { ...step, compensable: false, durationMs: 3, ...fields };
}

/** The chapter on runs that go on after their end. */
export const reopening: Chapter = ({ expect }, play) => {
  play("S9: what is not forgotten is remembered; how it ended stays in the history", async (scene) => {
    const owner = await insertFailed(scene);
    const asked = aReopening(owner, { reopening: { forgotten: ["bad"], undoing: null } });
    expect(await scene.store.reopenRuns([asked], LATER)).toBe(true);
    expect(await readRun(scene)).toMatchObject({ ...REOPENED, historySeq: 5 });
    const { checkpoints, lastSeq } = await scene.store.loadMemory(owner.rowId);
    expect(checkpoints.map(({ key }) => key)).toEqual(["good"]);
    expect(lastSeq).toBe(5);
    expect(await told(scene, owner)).toEqual([
      ...["1 started", "2 step good completed", "3 step bad failed", "4 ended", "5 note retried"],
    ]);
    const [, , , ended] = await scene.store.listHistory(owner.rowId);
    expect(ended).toMatchObject({ state: "failed", value: '"e"', atMs: NOW });
  });

  play("its next life is written beside the last, under the same keys", async (scene) => {
    const first = await insertFailed(scene);
    await scene.store.reopenRuns([aReopening(first, { reopening: { forgotten: ["bad"], undoing: null } })], NOW);
    const owner = await claimOne(scene);
    expect(owner.fence).toBe(2);
    expect(await flushOne(scene, checkpointOf(first, { key: "bad", seq: 6 }))).toEqual({ kind: "stale" });
    expect(await flushOne(scene, checkpointOf(owner, { key: "bad", seq: 6 }))).toMatchObject({ kind: "stored" });
    expect(await flushOne(scene, checkpointOf(owner, { key: "good", value: "2", seq: 7 }))).toMatchObject({});
    const { checkpoints } = await scene.store.loadMemory(owner.rowId);
    expect(checkpoints.map(({ key, value }) => `${key} ${value}`)).toEqual(["good 1", "bad 1"]);
    await flushOne(scene, transitionOf(owner, { kind: "complete", output: '"out"' }, { seq: 7 }));
    expect(await told(scene, owner)).toEqual([
      ...["1 started", "2 step good completed", "3 step bad failed", "4 ended", "5 note retried"],
      ...["6 step bad completed", "7 ended"],
    ]);
  });

  play("S9: all of them or none, and only in the generation that ended", async (scene) => {
    const [one, other] = [await insertFailed(scene, "one"), await insertHeld(scene, { id: "other" })];
    expect(await scene.store.reopenRuns([aReopening(one), aReopening(other)], LATER)).toBe(false);
    expect(await readRun(scene, "one")).toMatchObject({ state: "failed", generation: 1 });
    expect(await scene.store.reopenRuns([aReopening(one, { generation: 2 })], LATER)).toBe(false);
    expect(await scene.store.reopenRuns([aReopening({ rowId: 999_999 })], LATER)).toBe(false);
    expect(await scene.store.reopenRuns([aReopening(one)], LATER)).toBe(true);
    expect(await scene.store.reopenRuns([aReopening(one)], LATER)).toBe(false);
    await flushOne(scene, transitionOf(other, { kind: "cancel", error: '"e"' }));
    expect(await scene.store.reopenRuns([aReopening(other)], LATER)).toBe(true);
  });

  play("waits go on, failed attempts are counted anew", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, attemptOf(owner, { key: "nap", kind: "sleep", state: "waiting", dueAtMs: LATER }));
    await flushOne(scene, attemptOf(owner, { key: "old", kind: "sleep", state: "waiting", dueAtMs: LATER, seq: 3 }));
    await flushOne(scene, attemptOf(owner, { key: "bad", seq: 4 }));
    await flushOne(scene, transitionOf(owner, { kind: "fail", error: '"e"' }, { seq: 5 }));
    await scene.store.reopenRuns([aReopening(owner, { reopening: { forgotten: ["old"], undoing: null } })], LATER);
    const { attempts } = await scene.store.loadMemory(owner.rowId);
    expect(attempts.map(({ key, dueAtMs }) => `${key} ${dueAtMs}`)).toEqual([`nap ${LATER}`]);
    expect((await told(scene, owner)).filter((event) => event.includes("began"))).toEqual([
      ...["2 wait_began", "3 wait_began"],
    ]);
  });

  play(
    "a run that is paused goes on with its failed attempts and what is left of its time; one on hold does not",
    async (scene) => {
      const owner = await insertHeld(scene, { timeoutMs: 1_000 });
      await flushOne(scene, attemptOf(owner, { key: "bad" }));
      await flushOne(scene, attemptOf(owner, { key: "call", state: "running", seq: 3, error: null }));
      await flushOne(scene, transitionOf(owner, { kind: "pause", error: '"e"' }, { seq: 4 }));
      expect(await scene.store.reopenRuns([aReopening(owner)], LATER)).toBe(true);
      expect(await readRun(scene)).toMatchObject({ ...REOPENED, historySeq: 5, deadlineAtMs: NOW + 1_000 });
      const { attempts } = await scene.store.loadMemory(owner.rowId);
      expect(attempts.map(({ key, state }) => `${key} ${state}`)).toEqual(["bad failed"]);
      expect(await told(scene, owner)).toEqual([
        ...["1 started", "2 attempt_failed", "3 attempt_began", "4 note paused", "5 note retried"],
      ]);
      await flushOne(scene, postOf("r", { kind: "pause", name: "" }), LATER);
      expect(await readRun(scene)).toMatchObject({ state: "paused", onHold: true });
      expect(await scene.store.reopenRuns([aReopening(owner, { generation: 2 })], LATER)).toBe(false);
    },
  );

  play("items are used up and delivered, a step is resolved; all is numbered after the end", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, postOf("r", { kind: "pause", name: "", operationId: "a" }));
    await flushOne(scene, postOf("r", { operationId: "b" }));
    await flushOne(scene, transitionOf(owner, { kind: "fail", error: '"e"' }));
    const child = { kind: "child", name: "kid", payload: '{"state":"completed","value":"1"}', actor: "run:k" } as const;
    const asked = aReopening(owner, {
      usedUp: [1],
      deliveries: [{ ...child, operationId: "c" }],
      note: { kind: "resolved", value: '"why"' },
      resolved: { key: "bad", kind: "step", attempt: 3, value: '"by hand"' },
    });
    expect(await scene.store.reopenRuns([asked], LATER)).toBe(true);
    expect(await readRun(scene)).toMatchObject({ ...REOPENED, inboxSeq: 3, historySeq: 5 });
    const { checkpoints, inbox, lastSeq, inboxSeq } = await scene.store.loadMemory(owner.rowId);
    expect(inbox.map(({ seq, kind }) => `${seq} ${kind}`)).toEqual(["2 signal", "3 child"]);
    expect({ lastSeq, inboxSeq }).toEqual({ lastSeq: 5, inboxSeq: 3 });
    expect(checkpoints).toEqual([
      {
        ...{ key: "bad", kind: "step", outcome: "resolved", value: '"by hand"', seq: 5, attempt: 3 },
        ...{ compensable: false, durationMs: 0 },
      },
    ]);
    expect(await told(scene, owner)).toEqual([
      ...["1 started", "2 ended", "3 received", "4 note resolved", "5 step bad resolved"],
      ...["null received", "null received"],
    ]);
  });

  play("goes on undoing, and remembers what was undone", async (scene) => {
    const owner = await insertFailed(scene);
    const undoing = { ending: "cancelled", error: '"first"' } as const;
    await scene.store.reopenRuns([aReopening(owner, { reopening: { forgotten: [], undoing } })], LATER);
    expect(await readRun(scene)).toMatchObject({ ...REOPENED, ...undoing, state: "compensating" });
    const second = await claimOne(scene, LATER);
    const key = "@compensate/good";
    await flushOne(scene, checkpointOf(second, { key, kind: "compensation", seq: 6 }));
    await flushOne(scene, transitionOf(second, { kind: "cancel", error: '"first"' }, { seq: 7 }));
    expect((await scene.store.loadMemory(owner.rowId)).undone).toEqual([]);
    const asked = { generation: 2, reopening: { forgotten: ["good", key], undoing: null } };
    await scene.store.reopenRuns([aReopening(owner, asked)], LATER);
    const { checkpoints, undone } = await scene.store.loadMemory(owner.rowId);
    expect(checkpoints.map((step) => step.key)).toEqual(["bad"]);
    expect(undone).toEqual([{ key, generation: 2 }]);
  });

  play("P7: has as much time as it had at first, each time", async (scene) => {
    const owner = await insertHeld(scene, { timeoutMs: 1_000 });
    for (const generation of [1, 2, 3]) {
      const holder = generation === 1 ? owner : await claimOne(scene, LATER * generation);
      await flushOne(scene, transitionOf(holder, { kind: "fail", error: '"e"' }, { seq: generation * 2 }));
      const nowMs = LATER * (generation + 1);
      await scene.store.reopenRuns([aReopening(owner, { generation })], nowMs);
      expect(await readRun(scene)).toMatchObject({ deadlineAtMs: nowMs + 1_000 });
    }
  });

  play("the children that a run awaits are found, in the order of their starts", async (scene) => {
    const parent = await insertHeld(scene, { id: "parent" });
    const by = { rowId: parent.rowId, key: "kid", awaited: true };
    await insertHeld(scene, { id: "first", parent: by });
    await insertHeld(scene, { id: "free", parent: { ...by, awaited: false } });
    await insertHeld(scene, { id: "second", parent: { ...by, key: "kid 2" } });
    const children = await scene.store.listChildren(parent.rowId);
    expect(children.map(({ id, parent: its }) => `${id} ${its?.key}`)).toEqual(["first kid", "second kid 2"]);
    expect(await scene.store.listChildren(children[0]!.rowId)).toEqual([]);
  });

  play("a run begins with a past; one of that name is found", async (scene) => {
    const past = [
      aCheckpoint({ key: "@fork", kind: "fork", value: '{"run":"x"}', seq: 2 }),
      aCheckpoint({ key: "é", outcome: "resolved", seq: 3, attempt: 4, durationMs: 7 }),
    ];
    const run = aRun(scene, { timeoutMs: 50, seed: 9 });
    const first = await scene.store.insertForked(run, past, NOW);
    expect(first).toMatchObject({ kind: "inserted", claimed: false, atMs: NOW });
    const stored = await readRun(scene);
    expect(stored).toMatchObject({ ...BORN, historySeq: 3, dueAtMs: NOW, deadlineAtMs: NOW + 50, seed: 9 });
    expect(await scene.store.insertForked(run, [], NOW)).toEqual({ kind: "exists", run: stored });
    const memory = await scene.store.loadMemory(stored.rowId);
    expect(memory).toEqual({ checkpoints: past, attempts: [], inbox: [], undone: [], lastSeq: 3, inboxSeq: 0 });
    const owner = await claimOne(scene);
    expect(await flushOne(scene, checkpointOf(owner, { key: "next", seq: 4 }))).toMatchObject({ kind: "stored" });
    expect(await told(scene, owner)).toEqual([
      ...["1 started", "2 step @fork completed", "3 step é resolved", "4 step next completed"],
    ]);
  });

  play("remarks are kept, in their order, once per operation", async (scene) => {
    const [one, other] = [await insertFailed(scene, "one"), await insertFailed(scene, "other")];
    const remark = { kind: "note", generation: 1, actor: "kim", text: "é", operationId: "a" } as const;
    await scene.store.addRemark(one.rowId, remark, NOW);
    await scene.store.addRemark(one.rowId, { ...remark, text: "again" }, LATER);
    await scene.store.addRemark(other.rowId, remark, LATER);
    await scene.store.addRemark(one.rowId, { ...remark, kind: "dismissed", text: "", operationId: "b" }, LATER);
    const { operationId: _, ...told } = remark;
    expect(await scene.store.listRemarks([one.rowId])).toEqual([
      { ...told, rowId: one.rowId, atMs: NOW },
      { ...told, rowId: one.rowId, kind: "dismissed", text: "", atMs: LATER },
    ]);
    expect(await scene.store.listRemarks([])).toEqual([]);
    expect((await scene.store.listRemarks([one.rowId, other.rowId])).map(({ rowId }) => rowId)).toEqual([
      ...[one.rowId, other.rowId, one.rowId],
    ]);
  });

  play.withPeer("two who reopen one run do it once", async (scene, peer) => {
    const owner = await insertFailed(scene);
    const both = await Promise.all([scene.store, peer].map((store) => store.reopenRuns([aReopening(owner)], LATER)));
    expect(both.filter((reopened) => reopened)).toEqual([true]);
    expect(await readRun(scene)).toMatchObject({ generation: 2, historySeq: 5 });
  });
};
