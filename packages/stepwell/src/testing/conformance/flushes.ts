/** Flushes: one transaction, one answer per write; guarded, repeatable, and a bad row harms nobody. */
import type { Owner } from "../../model/run.ts";
import type { Write } from "../../store/write.ts";
import {
  aRun,
  attemptOf,
  aWorker,
  type Chapter,
  checkpointOf,
  flushOne,
  insertHeld,
  insertOf,
  insertPending,
  NOW,
  parkOf,
  postOf,
  readRun,
  refOf,
  type Scene,
  transitionOf,
} from "./scene.ts";

/** Every write that an owner may submit. */
const OWNED: readonly (readonly [name: string, of: (owner: Owner) => Write])[] = [
  ["a checkpoint", (owner) => checkpointOf(owner)],
  ["an attempt", (owner) => attemptOf(owner)],
  ["a note", (owner) => ({ kind: "note", owner, note: "log", value: '"hello"', seq: 2, consumes: null })],
  ["progress", (owner) => ({ kind: "progress", owner, value: "1" })],
  ["a completion", (owner) => transitionOf(owner, { kind: "complete", output: "1" })],
  ["a failure", (owner) => transitionOf(owner, { kind: "fail", error: '"e"' })],
  ["a cancellation", (owner) => transitionOf(owner, { kind: "cancel", error: '"e"' })],
  ["a compensation", (owner) => transitionOf(owner, { kind: "compensate", ending: "failed", error: '"e"' })],
  ["a park", (owner) => parkOf(owner, { dueAtMs: NOW + 5 })],
  ["a pause", (owner) => transitionOf(owner, { kind: "pause", error: '"e"' })],
  ["a release", (owner) => transitionOf(owner, { kind: "release" })],
];

/** Everything that the port shows of one run. */
async function readAll(scene: Scene, id: string = "r") {
  const run = await readRun(scene, id);
  const [memory, history] = [await scene.store.loadMemory(run.rowId), await scene.store.listHistory(run.rowId)];
  return { run, memory, history };
}

/** The chapter on group commits. */
export const flushes: Chapter = ({ expect }, play) => {
  for (const [name, write] of OWNED) {
    play(`S2: ${name} of an owner that lost the run changes nothing`, async (scene) => {
      const owner = await insertHeld(scene);
      const before = await readAll(scene);
      const others = [
        { ...owner, fence: 0 },
        { ...owner, fence: 2 },
        { ...owner, workerId: await aWorker(scene.store) },
        { ...owner, rowId: owner.rowId + 1_000 },
      ];
      const results = await scene.store.flush(others.map(write), NOW + 1);
      expect(results).toEqual(others.map(() => ({ kind: "stale" })));
      await scene.store.buryWorker(owner.workerId, true, NOW);
      expect(await flushOne(scene, write(owner))).toEqual({ kind: "stale" });
      expect(await readAll(scene)).toEqual(before);
    });

    play(`S5: ${name} submitted again answers as before and changes nothing twice`, async (scene) => {
      const owner = await insertHeld(scene);
      const batch = [write(owner)];
      const first = await scene.store.flush(batch, NOW + 1);
      expect(first).toEqual([{ kind: "stored", atMs: NOW + 1 }]);
      const between = await readAll(scene);
      expect(await scene.store.flush(batch, NOW + 1)).toEqual(first);
      expect(await readAll(scene)).toEqual(between);
    });
  }

  play("S4: answers every write, in order, and applies those of one run in order", async (scene) => {
    const owner = await insertHeld(scene);
    const results = await scene.store.flush(
      [
        insertOf(aRun(scene, { id: "new" })),
        checkpointOf(owner, { key: "a", seq: 2 }),
        postOf("nobody"),
        checkpointOf({ ...owner, fence: 9 }, { key: "b" }),
        checkpointOf(owner, { key: "c", seq: 3 }),
        transitionOf(owner, { kind: "complete", output: '"done"' }, { seq: 4 }),
      ],
      NOW + 1,
    );
    expect(results.map((result) => result.kind).join(" ")).toBe("inserted stored unknown_run stale stored stored");
    const { run, memory } = await readAll(scene);
    expect(run).toMatchObject({ state: "completed", output: '"done"', historySeq: 4, endedAtMs: NOW + 1 });
    expect(memory.checkpoints.map((checkpoint) => checkpoint.key)).toEqual(["a", "c"]);
    expect(await scene.store.flush([], NOW)).toEqual([]);
  });

  play("S4: a thousand writes are one flush", async (scene) => {
    const owners: Owner[] = [];
    for (let index = 0; index < 8; index += 1) owners.push(await insertHeld(scene, { id: `r${index}` }));
    const writes = Array.from({ length: 1_024 }, (_, index) =>
      checkpointOf(owners[index % 8]!, { key: `step-${index}`, seq: 2 + Math.floor(index / 8) }),
    );
    const results = await scene.store.flush(writes, NOW);
    expect(results.filter((result) => result.kind === "stored").length).toBe(1_024);
    const { checkpoints, lastSeq } = await scene.store.loadMemory(owners[3]!.rowId);
    expect([checkpoints.length, lastSeq]).toEqual([128, 129]);
  });

  play("S3: answers with the moment that was passed in", async (scene) => {
    const owner = await insertHeld(scene);
    expect(await flushOne(scene, checkpointOf(owner), NOW + 123)).toEqual({ kind: "stored", atMs: NOW + 123 });
  });

  play("S5: a whole batch submitted again answers as the first time did", async (scene) => {
    const [a, b] = [await insertHeld(scene, { id: "a" }), await insertHeld(scene, { id: "b" })];
    await insertPending(scene, { id: "c" });
    const batch: Write[] = [
      checkpointOf(a, { key: "one", seq: 2 }),
      attemptOf(a, { key: "two", seq: 3 }, 50),
      { kind: "note", owner: a, note: "log", value: "1", seq: 4, consumes: null },
      transitionOf(a, { kind: "complete", output: "1" }, { seq: 5 }),
      checkpointOf(b, { key: "one" }),
      parkOf(b, { dueAtMs: NOW + 10 }),
      postOf("c"),
    ];
    const first = await scene.store.flush(batch, NOW);
    const between = [await readAll(scene, "a"), await readAll(scene, "b"), await readAll(scene, "c")];
    expect(await scene.store.flush(batch, NOW)).toEqual(first);
    expect([await readAll(scene, "a"), await readAll(scene, "b"), await readAll(scene, "c")]).toEqual(between);
  });

  play("S5: a transition that was never stored is not taken for stored", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, transitionOf(owner, { kind: "pause", error: '"e"' }));
    expect((await flushOne(scene, transitionOf(owner, { kind: "complete", output: "1" }))).kind).toBe("stale");
    expect((await flushOne(scene, parkOf(owner))).kind).toBe("stale");
    expect((await flushOne(scene, checkpointOf(owner))).kind).toBe("stale");
  });

  play("S6: refuses a bad row alone", async (scene) => {
    const [a, b] = [await insertHeld(scene, { id: "a" }), await insertHeld(scene, { id: "b" })];
    const bad: Write[] = [
      checkpointOf(a, { key: "bad", outcome: "nonsense" as never }),
      checkpointOf(a, { key: "bad", value: null as never }),
      checkpointOf(a, { key: undefined as never }),
      insertOf(aRun(scene, { id: "x", versionId: scene.versionId + 999 })),
      parkOf(b, { state: "compensating" }),
      { kind: "note" } as never,
    ];
    const good = [checkpointOf(a, { key: "good" }), insertOf(aRun(scene, { id: "new" })), postOf("b")];
    const results = await scene.store.flush([good[0]!, ...bad, good[1]!, good[2]!], NOW);
    expect(results.map((result) => result.kind)).toEqual(["stored", ...bad.map(() => "refused"), "inserted", "posted"]);
    for (const result of results) {
      if (result.kind === "refused") expect(result.error.code).toBe("STORE_WRITE_REFUSED");
    }
    expect((await readAll(scene, "a")).memory.checkpoints.map((checkpoint) => checkpoint.key)).toEqual(["good"]);
    expect(await readRun(scene, "b")).toMatchObject({ state: "running", inboxSeq: 1 });
    expect(await scene.store.findRun(refOf("x"))).toBe(null);
  });

  play("S6: a write that is impossible in its second half leaves nothing of its first", async (scene) => {
    const mother = await insertPending(scene, { id: "mother" });
    const owner = await insertHeld(scene);
    const before = await readAll(scene);
    const parent = { rowId: mother, key: null as never, awaited: true };
    const results = await scene.store.flush(
      [transitionOf(owner, { kind: "complete", output: "1" }, { parent }), insertOf(aRun(scene, { id: "new" }))],
      NOW,
    );
    expect(results.map((result) => result.kind)).toEqual(["refused", "inserted"]);
    expect(await readAll(scene)).toEqual(before);
    expect((await readRun(scene, "mother")).inboxSeq).toBe(0);
  });

  play("P2: a checkpoint is never overwritten, not even by the run's owner", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, checkpointOf(owner, { value: '"first"', durationMs: 4, compensable: true }));
    const again = await flushOne(scene, checkpointOf(owner, { value: '"second"', outcome: "failed", seq: 3 }));
    expect(again).toEqual({ kind: "stored", atMs: NOW });
    const { checkpoints } = await scene.store.loadMemory(owner.rowId);
    expect(checkpoints).toEqual([
      {
        key: "step",
        kind: "step",
        outcome: "completed",
        value: '"first"',
        seq: 2,
        attempt: 1,
        compensable: true,
        durationMs: 4,
      },
    ]);
  });

  play("P7: an attempt's due time is counted from the store's clock and rounded up", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, attemptOf(owner, { key: "relative", seq: 2, dueAtMs: 1 }, 10.2), NOW + 1);
    await flushOne(scene, attemptOf(owner, { key: "absolute", seq: 3, dueAtMs: NOW + 7 }), NOW + 1);
    await flushOne(scene, attemptOf(owner, { key: "never", seq: 4, state: "waiting", error: null }), NOW + 1);
    const { attempts } = await scene.store.loadMemory(owner.rowId);
    expect(attempts.map(({ key, dueAtMs }) => [key, dueAtMs])).toEqual([
      ["relative", NOW + 12],
      ["absolute", NOW + 7],
      ["never", null],
    ]);
  });

  play("durations are whole milliseconds", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, checkpointOf(owner, { durationMs: 1.6 }));
    await flushOne(scene, attemptOf(owner, { key: "other", seq: 3, durationMs: 0.4 }));
    const { checkpoints, attempts } = await scene.store.loadMemory(owner.rowId);
    expect([checkpoints[0]!.durationMs, attempts[0]!.durationMs]).toEqual([2, 0]);
  });

  play("progress is overwritten", async (scene) => {
    const owner = await insertHeld(scene);
    const progress = (value: string): Write => ({ kind: "progress", owner, value });
    await scene.store.flush([progress("1"), progress("2")], NOW);
    expect((await readRun(scene)).progress).toBe("2");
  });
};
