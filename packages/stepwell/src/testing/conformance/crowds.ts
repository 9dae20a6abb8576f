/**
 * Crowds: flushes with many checkpoints, as a store that saves them in groups will meet
 * them. What holds for one write must hold for each of a crowd.
 */
import type { Owner } from "../../model/run.ts";
import type { WriteResult } from "../../store/write.ts";
import { aWorker, type Chapter, checkpointOf, insertHeld, NOW, readRun, type Scene, transitionOf } from "./scene.ts";

/** More than any group, and no multiple of one. */
const CROWD = 37;

async function insertCrowd(scene: Scene): Promise<readonly Owner[]> {
  const owners: Owner[] = [];
  for (let index = 0; index < CROWD; index += 1) owners.push(await insertHeld(scene, { id: `r${index}` }));
  return owners;
}

function kindsOf(results: readonly WriteResult[]): readonly string[] {
  return results.map((result) => result.kind);
}

/** The chapter on large flushes. */
export const crowds: Chapter = ({ expect }, play) => {
  play("S2: in a crowd of checkpoints each stale one is held back alone", async (scene) => {
    const owners = await insertCrowd(scene);
    const other = await aWorker(scene.store);
    const asked = owners.map((owner, index) => {
      if (index % 9 === 3) return { ...owner, fence: 7 };
      return index % 9 === 5 ? { ...owner, workerId: other } : owner;
    });
    const results = await scene.store.flush(
      asked.map((owner) => checkpointOf(owner, { key: "one" })),
      NOW,
    );
    expect(kindsOf(results)).toEqual(asked.map((owner, index) => (owner === owners[index] ? "stored" : "stale")));
    for (const [index, owner] of owners.entries()) {
      const { checkpoints } = await scene.store.loadMemory(owner.rowId);
      expect(checkpoints.map(({ key }) => key)).toEqual(asked[index] === owner ? ["one"] : []);
    }
  });

  play("S5: a crowd that was stored in part is completed, and what was there stays", async (scene) => {
    const owners = await insertCrowd(scene);
    const some = owners.filter((_, index) => index % 5 === 0);
    await scene.store.flush(
      some.map((owner) => checkpointOf(owner, { key: "one", value: '"first"' })),
      NOW,
    );
    const crowd = owners.map((owner) => checkpointOf(owner, { key: "one", value: '"second"' }));
    expect(kindsOf(await scene.store.flush(crowd, NOW + 1))).toEqual(owners.map(() => "stored"));
    for (const [index, owner] of owners.entries()) {
      const { checkpoints } = await scene.store.loadMemory(owner.rowId);
      expect(checkpoints.map(({ value }) => value)).toEqual([index % 5 === 0 ? '"first"' : '"second"']);
    }
  });

  play("S2: a checkpoint that follows the end of its run is stale, in a crowd as alone", async (scene) => {
    const owners = await insertCrowd(scene);
    const [ended] = owners;
    const results = await scene.store.flush(
      [
        transitionOf(ended!, { kind: "complete", output: "1" }, { seq: 2 }),
        ...owners.map((owner) => checkpointOf(owner, { key: "late", seq: 3 })),
      ],
      NOW,
    );
    expect(kindsOf(results)).toEqual(["stored", ...owners.map((owner) => (owner === ended ? "stale" : "stored"))]);
    expect((await readRun(scene, "r0")).state).toBe("completed");
  });

  play("P2: of two checkpoints of one key in one flush the first stays, in a crowd as alone", async (scene) => {
    const owners = await insertCrowd(scene);
    const firsts = owners.slice(0, 3).map((owner) => checkpointOf(owner, { key: "one", outcome: "handled" }));
    const seconds = owners.map((owner) => checkpointOf(owner, { key: "one", seq: 3 }));
    const results = await scene.store.flush([...firsts, ...seconds], NOW);
    expect(kindsOf(results)).toEqual([...firsts, ...seconds].map(() => "stored"));
    for (const [index, owner] of owners.entries()) {
      const { checkpoints } = await scene.store.loadMemory(owner.rowId);
      expect(checkpoints.map(({ outcome, seq }) => [outcome, seq])).toEqual([
        index < firsts.length ? ["handled", 2] : ["completed", 3],
      ]);
    }
  });

  play("a crowd keeps every field of every checkpoint", async (scene) => {
    const owners = await insertCrowd(scene);
    const told = owners.map((_, index) => ({
      key: `step/${index}`,
      seq: 2 + (index % 3),
      value: JSON.stringify(`value ${index}`),
      durationMs: index,
      attempt: index % 4 === 1 ? 2 : 1,
      compensable: index % 4 === 2,
      kind: index % 4 === 3 ? ("now" as const) : ("step" as const),
      outcome: index % 7 === 6 ? ("handled" as const) : ("completed" as const),
    }));
    const writes = owners.map((owner, index) => checkpointOf(owner, told[index]));
    expect(kindsOf(await scene.store.flush(writes, NOW))).toEqual(owners.map(() => "stored"));
    for (const [index, owner] of owners.entries()) {
      expect((await scene.store.loadMemory(owner.rowId)).checkpoints).toEqual([told[index]]);
    }
  });
};
