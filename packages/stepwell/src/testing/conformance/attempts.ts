/** Attempts that run for long: seen while they run, heard by heartbeats, and told gaplessly however they end. */
import type { NewAttempt } from "../../model/step.ts";
import type { Owner } from "../../model/run.ts";
import type { Write } from "../../store/write.ts";
import {
  attemptOf,
  type Chapter,
  checkpointOf,
  claimOne,
  crash,
  flushOne,
  insertHeld,
  NOW,
  parkOf,
  type Scene,
} from "./scene.ts";

function runningOf(owner: Owner, fields: Partial<NewAttempt> = {}): Write {
  return attemptOf(owner, { key: "pay", state: "running", error: null, durationMs: 1_000, ...fields });
}

function beatOf(owner: Owner, value: string | null = "1", attempt: number = 1): Write {
  return { kind: "beat", owner, key: "pay", attempt, value };
}

async function eventsOf({ store }: Scene, rowId: number) {
  return (await store.listHistory(rowId)).map((event) => [event.seq, event.kind, event.atMs]);
}

/** The chapter on long attempts. */
export const attempts: Chapter = ({ expect }, play) => {
  play("an attempt that runs for long is seen, from when it began, until its checkpoint", async (scene) => {
    const { store } = scene;
    const owner = await insertHeld(scene);
    expect(await store.listActiveSteps(owner.rowId)).toEqual([]);
    await flushOne(scene, runningOf(owner), NOW + 1_000);
    await flushOne(scene, runningOf(owner, { key: "ship", seq: 3 }), NOW + 1_500);
    const quiet = { kind: "step", attempt: 1, beat: null, beatAtMs: null };
    expect(await store.listActiveSteps(owner.rowId)).toEqual([
      { ...quiet, key: "pay", beganAtMs: NOW },
      { ...quiet, key: "ship", beganAtMs: NOW + 500 },
    ]);
    await flushOne(scene, checkpointOf(owner, { key: "pay", seq: 4 }), NOW + 2_000);
    expect((await store.listActiveSteps(owner.rowId)).map((step) => step.key)).toEqual(["ship"]);
    expect(await eventsOf(scene, owner.rowId)).toEqual([
      [1, "started", NOW],
      [2, "attempt_began", NOW],
      [3, "attempt_began", NOW + 500],
      [4, "step", NOW + 2_000],
    ]);
  });

  play("when it fails, its row turns and keeps its beginning; the next attempt has one of its own", async (scene) => {
    const { store } = scene;
    const owner = await insertHeld(scene);
    await flushOne(scene, runningOf(owner), NOW + 1_000);
    await flushOne(scene, attemptOf(owner, { key: "pay", seq: 3, durationMs: 1_900 }, 50), NOW + 1_900);
    expect(await store.listActiveSteps(owner.rowId)).toEqual([]);
    const [attempt] = (await store.loadMemory(owner.rowId)).attempts;
    const failed = { state: "failed", seq: 3, dueAtMs: NOW + 1_950, durationMs: 1_900, error: '{"name":"E"}' };
    expect(attempt).toMatchObject({ ...failed, beganSeq: 2, beganAtMs: NOW });
    await flushOne(scene, runningOf(owner, { attempt: 2, seq: 4 }), NOW + 3_000);
    expect((await store.listActiveSteps(owner.rowId)).map((step) => step.attempt)).toEqual([2]);
    expect((await eventsOf(scene, owner.rowId)).map(([seq, kind]) => [seq, kind])).toEqual([
      [1, "started"],
      [2, "attempt_began"],
      [3, "attempt_failed"],
      [4, "attempt_began"],
    ]);
  });

  play("S5: a beginning, its heartbeats and its failure, submitted again, change nothing", async (scene) => {
    const { store } = scene;
    const owner = await insertHeld(scene);
    const failure = attemptOf(owner, { key: "pay", seq: 3 }, 50);
    const batch = [runningOf(owner), beatOf(owner, "1"), beatOf(owner, "2"), failure, parkOf(owner)];
    const first = await store.flush(batch, NOW + 1_000);
    expect(first.map((result) => result.kind)).toEqual(batch.map(() => "stored"));
    const between = [await store.loadMemory(owner.rowId), await store.listHistory(owner.rowId)];
    expect(await store.flush(batch, NOW + 1_000)).toEqual(first);
    expect([await store.loadMemory(owner.rowId), await store.listHistory(owner.rowId)]).toEqual(between);
  });

  play("a heartbeat is kept with its moment; the last one counts, and none at all is null", async (scene) => {
    const { store } = scene;
    const owner = await insertHeld(scene);
    await flushOne(scene, runningOf(owner), NOW + 1_000);
    await flushOne(scene, beatOf(owner, '{"row":7}'), NOW + 2_000);
    await flushOne(scene, beatOf(owner, null), NOW + 3_000);
    expect(await store.listActiveSteps(owner.rowId)).toMatchObject([{ beat: null, beatAtMs: NOW + 3_000 }] as never);
    await flushOne(scene, beatOf(owner, "8"), NOW + 4_000);
    expect((await store.loadMemory(owner.rowId)).attempts[0]).toMatchObject({ beat: "8", beatAtMs: NOW + 4_000 });
  });

  play("S2: a heartbeat of a stale owner is stale, one of an attempt that nobody began is refused", async (scene) => {
    const owner = await insertHeld(scene);
    expect((await flushOne(scene, beatOf(owner))).kind).toBe("refused");
    await flushOne(scene, runningOf(owner));
    expect((await flushOne(scene, beatOf(owner, "1", 2))).kind).toBe("refused");
    expect((await flushOne(scene, beatOf({ ...owner, fence: 2 }))).kind).toBe("stale");
    expect((await flushOne(scene, beatOf(owner))).kind).toBe("stored");
  });

  play(
    "an attempt that a crash cut off is not active, and begins again gaplessly with its heartbeat",
    async (scene) => {
      const { store } = scene;
      const first = await insertHeld(scene);
      await flushOne(scene, runningOf(first), NOW + 1_000);
      await flushOne(scene, beatOf(first, "7"), NOW + 1_100);
      const workerId = await crash(scene, scene.workerId, NOW + 2_000);
      expect(await store.listActiveSteps(first.rowId)).toEqual([]);
      const owner = await claimOne(scene, NOW + 2_000, workerId);
      expect(await store.listActiveSteps(first.rowId)).toEqual([]);
      const begins = runningOf(owner, { seq: 4 });
      const answers = await store.flush([begins, begins], NOW + 4_000);
      expect(answers.map((answer) => answer.kind)).toEqual(["stored", "stored"]);
      expect(await store.listActiveSteps(owner.rowId)).toMatchObject([{ beganAtMs: NOW + 3_000, beat: "7" }] as never);
      await flushOne(scene, attemptOf(owner, { key: "pay", seq: 5 }), NOW + 5_000);
      const history = await store.listHistory(owner.rowId);
      expect(history.map((event) => [event.seq, event.kind])).toEqual([
        [1, "started"],
        [2, "attempt_began"],
        [3, "note"],
        [4, "attempt_began"],
        [5, "attempt_failed"],
      ]);
      expect(history[1]).toEqual({ seq: 2, kind: "attempt_began", atMs: NOW, step: "step", key: "pay", attempt: 1 });
      expect((await store.loadMemory(owner.rowId)).lastSeq).toBe(5);
      expect((await flushOne(scene, runningOf(first, { seq: 9 }))).kind).toBe("stale");
    },
  );

  play("an attempt that a crash cut off begins again in the flush that gives the run up", async (scene) => {
    const first = await insertHeld(scene);
    await flushOne(scene, runningOf(first), NOW + 1_000);
    const owner = await claimOne(scene, NOW + 2_000, await crash(scene, scene.workerId, NOW + 2_000));
    const answers = await scene.store.flush([runningOf(owner, { seq: 4 }), parkOf(owner)], NOW + 4_000);
    expect(answers.map((answer) => answer.kind)).toEqual(["stored", "stored"]);
    expect((await scene.store.loadMemory(owner.rowId)).attempts).toMatchObject([{ seq: 4 }] as never);
  });

  play("a run that nobody holds has no active steps", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, runningOf(owner));
    await flushOne(scene, parkOf(owner));
    expect(await scene.store.listActiveSteps(owner.rowId)).toEqual([]);
  });
};
