/** Requests: what operators ask of a run that nobody holds is done by the store; whoever holds one learns of it. */
import type { InboxKind } from "../../model/inbox.ts";
import type { Run } from "../../model/run.ts";
import type { WriteResult } from "../../store/write.ts";
import {
  aWorker,
  type Chapter,
  claimOne,
  claimSuspect,
  crash,
  crashTwice,
  flushOne,
  insertHeld,
  insertPending,
  NOW,
  parkOf,
  postOf,
  readRun,
  type Scene,
  transitionOf,
} from "./scene.ts";

type Request = Exclude<InboxKind, "child">;

let operations = 0;

/** Ask for it, under an operation of its own. */
function ask(scene: Scene, kind: Request, nowMs: number = NOW): Promise<WriteResult> {
  operations += 1;
  return flushOne(scene, postOf("r", { kind, name: "", operationId: `op ${operations}` }), nowMs);
}

const ON_HOLD = { state: "paused", onHold: true, dueAtMs: null, waitingFor: [] } satisfies Partial<Run>;

/** The chapter on pausing and resuming. */
export const requests: Chapter = ({ expect }, play) => {
  play(
    "a pause holds a run that is due or waits; it is never claimed, and its inbox wakes it no more",
    async (scene) => {
      const owner = await insertHeld(scene);
      const wait = { kind: "timer", key: "nap", name: "nap", dueAtMs: NOW + 5 } as const;
      await flushOne(scene, parkOf(owner, { dueAtMs: NOW + 5, waitingFor: [wait] }));
      expect(await ask(scene, "pause")).toMatchObject({
        kind: "posted",
        claimable: false,
        item: { kind: "pause", seq: 1 },
      });
      expect(await readRun(scene)).toMatchObject({ ...ON_HOLD, error: null, inboxSeq: 1 });
      expect(await ask(scene, "signal")).toMatchObject({ kind: "posted", claimable: false });
      expect(await readRun(scene)).toMatchObject(ON_HOLD);
      expect(await scene.store.nextDue([scene.versionId], NOW)).toMatchObject({ runInMs: null });
    },
  );

  play("a pause of a parked compensation forgets what that waited for", async (scene) => {
    const owner = await insertHeld(scene);
    const wait = { kind: "retry", key: "undo", name: "undo", dueAtMs: NOW + 5 } as const;
    await flushOne(scene, transitionOf(owner, { kind: "compensate", ending: "failed", error: '"e"' }));
    await flushOne(scene, parkOf(owner, { state: "compensating", dueAtMs: NOW + 5, waitingFor: [wait] }));
    await ask(scene, "pause");
    expect(await readRun(scene)).toMatchObject({ ...ON_HOLD, ending: "failed" });
  });

  play("a resume makes it due, and the next worker reads all that was asked", async (scene) => {
    await insertPending(scene);
    await ask(scene, "pause");
    expect(await ask(scene, "resume", NOW + 3)).toMatchObject({ kind: "posted", claimable: true });
    expect(await readRun(scene)).toMatchObject({ state: "pending", onHold: false, dueAtMs: NOW + 3 });
    const owner = await claimOne(scene, NOW + 3);
    const { inbox } = await scene.store.loadMemory(owner.rowId);
    expect(inbox.map(({ kind, seq }) => `${seq} ${kind}`)).toEqual(["1 pause", "2 resume"]);
  });

  play("a compensation is held and goes on as a compensation, with its cause", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, transitionOf(owner, { kind: "compensate", ending: "failed", error: '"e"' }));
    await flushOne(scene, transitionOf(owner, { kind: "hold", inboxSeen: 0 }, { seq: 3 }));
    expect(await readRun(scene)).toMatchObject({ ...ON_HOLD, ending: "failed", error: '"e"' });
    await ask(scene, "resume");
    expect(await readRun(scene)).toMatchObject({
      state: "compensating",
      onHold: false,
      ending: "failed",
      error: '"e"',
    });
  });

  play("S7: who holds a run keeps it, and a hold that has not seen the newest request is refused", async (scene) => {
    const owner = await insertHeld(scene);
    expect(await ask(scene, "pause")).toMatchObject({ kind: "posted", claimable: false });
    expect(await readRun(scene)).toMatchObject({ state: "running", onHold: false, workerId: scene.workerId });
    await ask(scene, "resume");
    const hold = { kind: "hold", inboxSeen: 1 } as const;
    expect(await flushOne(scene, transitionOf(owner, hold, { seq: 3, consumes: 1 }))).toEqual({ kind: "unseen" });
    expect(await readRun(scene)).toMatchObject({ state: "running" });
    const seen = transitionOf(owner, { ...hold, inboxSeen: 2 }, { seq: 3, consumes: 1 });
    expect(await flushOne(scene, seen)).toMatchObject({ kind: "stored" });
    expect(await readRun(scene)).toMatchObject({ ...ON_HOLD, workerId: null, historySeq: 3 });
    expect((await scene.store.listInbox(owner.rowId, 0)).map(({ seq }) => seq)).toEqual([2]);
    const history = await scene.store.listHistory(owner.rowId);
    expect(history.slice(1, 3)).toMatchObject([
      { seq: 2, kind: "received", item: "pause" },
      { seq: 3, kind: "note", note: "held", value: "null" },
    ]);
  });

  play("S5: a hold that is submitted again answers as before, also when the run was resumed since", async (scene) => {
    const owner = await insertHeld(scene);
    const hold = transitionOf(owner, { kind: "hold", inboxSeen: 0 });
    expect(await flushOne(scene, hold)).toMatchObject({ kind: "stored" });
    expect(await flushOne(scene, hold)).toMatchObject({ kind: "stored" });
    await ask(scene, "resume");
    expect(await flushOne(scene, hold)).toMatchObject({ kind: "stored" });
    await claimOne(scene);
    expect(await flushOne(scene, hold)).toEqual({ kind: "stale" });
  });

  play("new code resumes what was paused for want of it, and not what is on hold", async (scene) => {
    const { store, versionId } = scene;
    await flushOne(scene, transitionOf(await insertHeld(scene, { id: "stuck" }), { kind: "pause", error: '"e"' }));
    await insertPending(scene);
    await ask(scene, "pause");
    expect(await store.resumePaused([versionId], NOW + 1)).toBe(1);
    expect(await readRun(scene)).toMatchObject(ON_HOLD);
    expect(await readRun(scene, "stuck")).toMatchObject({ state: "pending" });
  });

  play("what was paused for want of code may be put on hold as well, and resumed by hand", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, transitionOf(owner, { kind: "pause", error: '"e"' }));
    await ask(scene, "pause");
    expect(await readRun(scene)).toMatchObject({ ...ON_HOLD, error: '"e"' });
    await ask(scene, "resume");
    expect(await readRun(scene)).toMatchObject({ state: "pending", onHold: false, dueAtMs: NOW });
  });

  play("a cancel takes a run off hold", async (scene) => {
    await insertPending(scene);
    await ask(scene, "pause");
    expect(await ask(scene, "cancel", NOW + 2)).toMatchObject({ kind: "posted", claimable: true });
    expect(await readRun(scene)).toMatchObject({ state: "pending", onHold: false, dueAtMs: NOW + 2 });
  });

  play("F18: a quarantine stays one when it is to be paused; a resume forgets its crashes", async (scene) => {
    await insertHeld(scene);
    const workerId = await crashTwice(scene);
    await claimSuspect(scene, workerId);
    await crash(scene, workerId);
    expect(await readRun(scene)).toMatchObject({ state: "quarantined", crashes: 3 });
    expect(await ask(scene, "pause")).toMatchObject({ claimable: false });
    expect(await readRun(scene)).toMatchObject({ state: "quarantined", onHold: false });
    expect(await ask(scene, "resume", NOW + 9)).toMatchObject({ claimable: true });
    expect(await readRun(scene)).toMatchObject({ state: "pending", crashes: 0, dueAtMs: NOW + 9 });
    await claimOne(scene, NOW + 9, await aWorker(scene.store));
  });

  play("S4: requests of one flush count in their order", async (scene) => {
    const kinds: readonly (readonly [asked: readonly Request[], after: Partial<Run>])[] = [
      [["pause", "resume"], { state: "pending", onHold: false }],
      [["resume", "pause"], ON_HOLD],
      [["pause", "signal"], ON_HOLD],
      [["pause", "cancel"], { state: "pending", onHold: false }],
      [["cancel", "pause", "signal"], ON_HOLD],
    ];
    for (const [index, [asked, after]] of kinds.entries()) {
      const id = `r${index}`;
      await insertPending(scene, { id });
      const posts = asked.map((kind, place) => postOf(id, { kind, name: "", operationId: `${place}` }));
      const results = await scene.store.flush(posts, NOW);
      expect(results.map((result) => result.kind)).toEqual(asked.map(() => "posted"));
      expect(await readRun(scene, id)).toMatchObject({ ...after, inboxSeq: asked.length });
    }
  });

  play("a note tells of the request that it consumes, once", async (scene) => {
    const owner = await insertHeld(scene);
    await ask(scene, "pause");
    const note = { kind: "note", owner, note: "held", value: "null", seq: 3, consumes: 1 } as const;
    expect(await flushOne(scene, note)).toMatchObject({ kind: "stored" });
    expect(await flushOne(scene, note)).toMatchObject({ kind: "stored" });
    expect(await scene.store.listInbox(owner.rowId, 0)).toEqual([]);
    const history = await scene.store.listHistory(owner.rowId);
    expect(history.map(({ seq, kind }) => `${seq} ${kind}`)).toEqual(["1 started", "2 received", "3 note"]);
    expect((await scene.store.loadMemory(owner.rowId)).lastSeq).toBe(3);
  });
};
