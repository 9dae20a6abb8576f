/** Histories: what a replay is given, and what people are shown. */
import {
  attemptOf,
  type Chapter,
  checkpointOf,
  codeOf,
  flushOne,
  insertHeld,
  insertPending,
  NOW,
  postOf,
  transitionOf,
} from "./scene.ts";

/** The chapter on memory and history. */
export const histories: Chapter = ({ expect }, play) => {
  play("a run that did nothing remembers its start alone", async ({ store, ...scene }) => {
    const rowId = await insertPending({ store, ...scene });
    const nothing = { checkpoints: [], attempts: [], inbox: [], undone: [], lastSeq: 1, inboxSeq: 0 };
    expect(await store.loadMemory(rowId)).toEqual(nothing);
    expect(await store.listHistory(rowId)).toEqual([
      { kind: "started", seq: 1, atMs: NOW, actor: "kim", input: '"in"' },
    ]);
  });

  play("a run that never was has no history, and nothing to replay", async ({ store }) => {
    expect(await store.listHistory(999)).toEqual([]);
    expect(await store.listInbox(999, 0)).toEqual([]);
    expect(await store.loadMemory(999).catch(codeOf)).toBe("RUN_NOT_FOUND");
  });

  play("P2: memory comes in the order of its numbers, not of its keys", async (scene) => {
    const owner = await insertHeld(scene);
    const keys = ["c", "a", "b"];
    await scene.store.flush(
      keys.map((key, index) => checkpointOf(owner, { key, seq: 2 + index })),
      NOW,
    );
    await scene.store.flush(
      keys.map((key, index) => attemptOf(owner, { key: `x${key}`, seq: 5 + index })),
      NOW,
    );
    const memory = await scene.store.loadMemory(owner.rowId);
    expect(memory.checkpoints.map((checkpoint) => checkpoint.key)).toEqual(["c", "a", "b"]);
    expect(memory.attempts.map((attempt) => attempt.key)).toEqual(["xc", "xa", "xb"]);
    expect(memory.lastSeq).toBe(7);
  });

  play("memory counts notes and consumed items into its last number", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, postOf("r"));
    await flushOne(scene, { kind: "note", owner, note: "log", value: '{"message":"hi"}', seq: 2, consumes: null });
    expect(await scene.store.loadMemory(owner.rowId)).toMatchObject({ lastSeq: 2, inboxSeq: 1 });
    await flushOne(scene, transitionOf(owner, { kind: "compensate", ending: "failed", error: '"e"' }, { seq: 6 }));
    expect((await scene.store.loadMemory(owner.rowId)).lastSeq).toBe(6);
  });

  play("tells everything that happened, in order, and what has not been consumed last", async (scene) => {
    const { store } = scene;
    const owner = await insertHeld(scene);
    await flushOne(scene, postOf("r", { payload: '"yes"', operationId: "1" }), NOW + 1);
    await flushOne(scene, postOf("r", { name: "late", payload: '"no"', operationId: "2" }), NOW + 2);
    const wait = { key: "@wait/go/1", kind: "signal" } as const;
    await flushOne(scene, attemptOf(owner, { key: "pay", seq: 2, error: '"e"' }, 10), NOW + 3);
    await flushOne(scene, checkpointOf(owner, { key: "pay", seq: 3, attempt: 2, value: '"paid"' }), NOW + 4);
    await flushOne(scene, attemptOf(owner, { ...wait, state: "waiting", seq: 4, error: null }), NOW + 5);
    await flushOne(scene, checkpointOf(owner, { ...wait, seq: 6, value: '"yes"' }, 1), NOW + 6);
    const fallen = { kind: "compensate", ending: "failed", error: '"broke"' } as const;
    await flushOne(scene, { kind: "note", owner, note: "log", value: '"hi"', seq: 7, consumes: null }, NOW + 7);
    await flushOne(scene, transitionOf(owner, fallen, { seq: 8 }), NOW + 8);
    await flushOne(scene, transitionOf(owner, { kind: "fail", error: '"broke"' }, { seq: 9 }), NOW + 9);
    const step = { kind: "step", step: "step", key: "pay", durationMs: 3 };
    expect(await store.listHistory(owner.rowId)).toEqual([
      { seq: 1, atMs: NOW, kind: "started", actor: "kim", input: '"in"' },
      { ...step, seq: 2, atMs: NOW + 3, kind: "attempt_failed", attempt: 1, error: '"e"', dueAtMs: NOW + 13 },
      { ...step, seq: 3, atMs: NOW + 4, outcome: "completed", value: '"paid"', attempt: 2 },
      { seq: 4, atMs: NOW + 5, kind: "wait_began", step: "signal", key: "@wait/go/1", dueAtMs: null },
      { seq: 5, atMs: NOW + 1, kind: "received", item: "signal", name: "go", value: '"yes"', actor: "kim" },
      {
        ...step,
        step: "signal",
        key: "@wait/go/1",
        seq: 6,
        atMs: NOW + 6,
        outcome: "completed",
        value: '"yes"',
        attempt: 1,
      },
      { seq: 7, atMs: NOW + 7, kind: "note", note: "log", value: '"hi"' },
      { seq: 8, atMs: NOW + 8, kind: "note", note: "compensating", value: '{"error":"broke"}' },
      { seq: 9, atMs: NOW + 9, kind: "ended", state: "failed", value: '"broke"' },
      { seq: null, atMs: NOW + 2, kind: "received", item: "signal", name: "late", value: '"no"', actor: "kim" },
    ]);
  });

  play("tells of pauses and releases", async (scene) => {
    const [a, b] = [await insertHeld(scene, { id: "a" }), await insertHeld(scene, { id: "b" })];
    await flushOne(scene, transitionOf(a, { kind: "pause", error: '"stuck"' }));
    await flushOne(scene, transitionOf(b, { kind: "release" }));
    const lastOf = async (rowId: number) => (await scene.store.listHistory(rowId)).at(-1);
    expect(await lastOf(a.rowId)).toMatchObject({ seq: 2, kind: "note", note: "paused", value: '{"error":"stuck"}' });
    expect(await lastOf(b.rowId)).toMatchObject({ seq: 2, kind: "note", note: "released", value: "null" });
  });

  play("keeps texts as they were, whatever is in them", async (scene) => {
    const owner = await insertHeld(scene);
    const value = JSON.stringify(["\0", "\ud800", "\u{1f600}", "__proto__", "'; DROP TABLE runs; --", "é"]);
    await flushOne(scene, checkpointOf(owner, { key: "naïve \u{1f600}'\"", value }));
    const [checkpoint] = (await scene.store.loadMemory(owner.rowId)).checkpoints;
    expect(checkpoint).toMatchObject({ key: "naïve \u{1f600}'\"", value });
  });
};
