/** Transitions: the ends, parks and turns of a claimed run, with their notes and the parent's news. */
import type { Owner } from "../../model/run.ts";
import type { Transition } from "../../model/transition.ts";
import {
  type Chapter,
  checkpointOf,
  claimOne,
  flushOne,
  insertHeld,
  NOW,
  parkOf,
  postOf,
  readRun,
  type Scene,
  transitionOf,
} from "./scene.ts";

const ENDS: readonly (readonly [Transition, object])[] = [
  [
    { kind: "complete", output: '"out"' },
    { state: "completed", output: '"out"', error: null },
  ],
  [
    { kind: "fail", error: '"e"' },
    { state: "failed", output: null, error: '"e"' },
  ],
  [
    { kind: "cancel", error: '"c"' },
    { state: "cancelled", output: null, error: '"c"' },
  ],
];

/** A run that awaits a child, and that child. */
async function motherAndChild(scene: Scene, awaited: boolean = true) {
  const mother = await insertHeld(scene, { id: "mother" });
  const parent = { rowId: mother.rowId, key: "ask/1", awaited };
  const child = await insertHeld(scene, { id: "child", parent });
  return { mother, child, parent };
}

const endOf = (child: Owner, parent: { rowId: number; key: string; awaited: boolean }) =>
  transitionOf(child, { kind: "complete", output: '"out"' }, { parent });

/** The chapter on transitions. */
export const transitions: Chapter = ({ expect }, play) => {
  for (const [transition, after] of ENDS) {
    play(`P8: ${transition.kind} ends a run for good`, async (scene) => {
      const owner = await insertHeld(scene);
      await flushOne(scene, transitionOf(owner, transition, { seq: 5 }), NOW + 9);
      const ended = { workerId: null, dueAtMs: null, ending: null, historySeq: 5, endedAtMs: NOW + 9, ...after };
      expect(await readRun(scene)).toMatchObject(ended);
      const other: Transition = transition.kind === "fail" ? ENDS[0]![0] : ENDS[1]![0];
      expect(await flushOne(scene, transitionOf(owner, other, { seq: 6 }))).toEqual({ kind: "stale" });
      expect(await readRun(scene)).toMatchObject(ended);
    });
  }

  play("compensate keeps the claim, and the end that follows is stored with its own error", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, transitionOf(owner, { kind: "compensate", ending: "cancelled", error: '"why"' }, { seq: 4 }));
    const turned = { state: "compensating", ending: "cancelled", error: '"why"', historySeq: 4, fence: 1 };
    expect(await readRun(scene)).toMatchObject({ ...turned, workerId: scene.workerId, endedAtMs: null });
    const undone = checkpointOf(owner, { key: "@undo/a", kind: "compensation", seq: 5 });
    expect((await flushOne(scene, undone)).kind).toBe("stored");
    await flushOne(scene, transitionOf(owner, { kind: "cancel", error: '"why"' }, { seq: 6 }));
    expect(await readRun(scene)).toMatchObject({ state: "cancelled", ending: null, error: '"why"', workerId: null });
  });

  play("a completion leaves nothing of a compensation that was under way", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, transitionOf(owner, { kind: "compensate", ending: "failed", error: '"e"' }));
    await flushOne(scene, transitionOf(owner, { kind: "complete", output: "1" }, { seq: 3 }));
    expect(await readRun(scene)).toMatchObject({ state: "completed", output: "1", error: null, ending: null });
  });

  play("compensate a second time under the same claim changes nothing", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, transitionOf(owner, { kind: "compensate", ending: "failed", error: '"1"' }));
    await flushOne(scene, transitionOf(owner, { kind: "compensate", ending: "cancelled", error: '"2"' }, { seq: 3 }));
    expect(await readRun(scene)).toMatchObject({ ending: "failed", error: '"1"', historySeq: 2 });
  });

  play("park gives the claim up and says what it waits for", async (scene) => {
    const owner = await insertHeld(scene);
    const waitingFor = [{ kind: "signal", key: "@wait/go/1", name: "go", dueAtMs: NOW + 50 }] as const;
    await flushOne(scene, parkOf(owner, { dueAtMs: NOW + 49.5, waitingFor }));
    const parked = { state: "waiting", workerId: null, fence: 1, dueAtMs: NOW + 50, waitingFor, historySeq: 2 };
    expect(await readRun(scene)).toMatchObject(parked);
    expect(await flushOne(scene, checkpointOf(owner))).toEqual({ kind: "stale" });
  });

  play("pause gives the claim up until somebody resumes it", async (scene) => {
    await flushOne(scene, transitionOf(await insertHeld(scene), { kind: "pause", error: '{"name":"E"}' }));
    expect(await readRun(scene)).toMatchObject({
      state: "paused",
      workerId: null,
      dueAtMs: null,
      error: '{"name":"E"}',
    });
  });

  play("a compensation can be paused too", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, transitionOf(owner, { kind: "compensate", ending: "failed", error: '"1"' }));
    await flushOne(scene, transitionOf(owner, { kind: "pause", error: '"2"' }, { seq: 3 }));
    expect(await readRun(scene)).toMatchObject({ state: "paused", workerId: null, dueAtMs: null, error: '"2"' });
  });

  play("release makes the run due at once, for anybody", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, transitionOf(owner, { kind: "release" }), NOW + 3);
    expect(await readRun(scene)).toMatchObject({ state: "pending", workerId: null, dueAtMs: NOW + 3, crashes: 0 });
    expect((await claimOne(scene, NOW + 3)).fence).toBe(2);
  });

  play("P6: a transition uses up the request that caused it", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, postOf("r", { kind: "cancel", name: "", payload: "null" }));
    await flushOne(scene, transitionOf(owner, { kind: "cancel", error: '"c"' }, { seq: 3, consumes: 1 }));
    const history = await scene.store.listHistory(owner.rowId);
    expect(history.map(({ seq, kind }) => [seq, kind])).toEqual([
      [1, "started"],
      [2, "received"],
      [3, "ended"],
    ]);
  });

  for (const [transition, after] of ENDS) {
    play(`S7: ${transition.kind} of an awaited child wakes the parent in the same flush`, async (scene) => {
      const { mother, child, parent } = await motherAndChild(scene);
      await flushOne(scene, parkOf(mother));
      const result = await flushOne(scene, transitionOf(child, transition, { parent }), NOW + 4);
      const { state, output, error } = after as { state: string; output: string | null; error: string | null };
      const payload = JSON.stringify({ state, value: output ?? error });
      const item = { seq: 1, kind: "child", name: "ask/1", payload, actor: "run:child", atMs: NOW + 4 };
      expect(result).toEqual({ kind: "posted", atMs: NOW + 4, rowId: mother.rowId, item, claimable: true });
      expect(await readRun(scene, "mother")).toMatchObject({ state: "pending", dueAtMs: NOW + 4, inboxSeq: 1 });
      expect(await scene.store.listInbox(mother.rowId, 0)).toEqual([item]);
    });
  }

  play("S7: a parent that runs is told, not taken", async (scene) => {
    const { mother, child, parent } = await motherAndChild(scene);
    const result = await flushOne(scene, endOf(child, parent));
    expect(result).toMatchObject({ kind: "posted", claimable: false });
    const still = { state: "running", workerId: mother.workerId, fence: 1, dueAtMs: null, inboxSeq: 1 };
    expect(await readRun(scene, "mother")).toMatchObject(still);
  });

  play("S5: the end of an awaited child is posted once, however often it is submitted", async (scene) => {
    const { mother, child, parent } = await motherAndChild(scene);
    await flushOne(scene, parkOf(mother));
    const first = await flushOne(scene, endOf(child, parent));
    expect(await flushOne(scene, endOf(child, parent))).toEqual(first);
    expect((await scene.store.listInbox(mother.rowId, 0)).length).toBe(1);
    const again = await claimOne(scene);
    await flushOne(scene, transitionOf(again, { kind: "complete", output: "1" }));
    expect(await flushOne(scene, endOf(child, parent))).toEqual({ ...first, claimable: false });
  });

  play("a child that nobody awaits, or whose parent is over or gone, just ends", async (scene) => {
    const { mother, child, parent } = await motherAndChild(scene, false);
    expect((await flushOne(scene, endOf(child, parent))).kind).toBe("stored");
    expect((await readRun(scene, "mother")).inboxSeq).toBe(0);
    await flushOne(scene, transitionOf(mother, { kind: "complete", output: "1" }));
    const late = await insertHeld(scene, { id: "late" });
    expect((await flushOne(scene, endOf(late, { ...parent, awaited: true }))).kind).toBe("stored");
    const orphan = await insertHeld(scene, { id: "orphan" });
    expect((await flushOne(scene, endOf(orphan, { rowId: 9_999, key: "k", awaited: true }))).kind).toBe("stored");
    expect((await readRun(scene, "orphan")).state).toBe("completed");
  });

  play("a child that only turns or parks tells its parent nothing", async (scene) => {
    const { child, parent } = await motherAndChild(scene);
    const turn = transitionOf(child, { kind: "compensate", ending: "failed", error: '"e"' }, { parent });
    expect((await flushOne(scene, turn)).kind).toBe("stored");
    expect((await readRun(scene, "mother")).inboxSeq).toBe(0);
  });
};
