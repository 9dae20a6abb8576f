/** Finding: search attributes, moments, and pages with cursors. */
import type { Owner } from "../../model/run.ts";
import type { RunFilter } from "../../store/store.ts";
import type { Write } from "../../store/write.ts";
import {
  type Chapter,
  flushOne,
  insertHeld,
  insertPending,
  NOW,
  parkOf,
  readRun,
  type Scene,
  transitionOf,
} from "./scene.ts";

function attributesOf(owner: Owner, values: unknown): Write {
  return { kind: "attributes", owner, values: JSON.stringify(values) };
}

async function idsOf({ store }: Scene, filter: Omit<RunFilter, "limit">): Promise<string> {
  return (await store.listRuns({ ...filter, limit: 99 })).runs.map((run) => run.id).join("");
}

/** The chapter on lists. */
export const finding: Chapter = ({ expect }, play) => {
  play("attributes are replaced as a whole, in the run and in what finds it", async (scene) => {
    const owner = await insertHeld(scene, { id: "a" });
    const other = await insertHeld(scene, { id: "b" });
    await flushOne(scene, attributesOf(owner, { region: "eu", size: 1 }));
    await flushOne(scene, attributesOf(other, { region: "eu", size: "1", express: true }));
    expect((await readRun(scene, "a")).attributes).toEqual({ region: "eu", size: 1 });
    expect(await idsOf(scene, { attributes: { region: '"eu"' } })).toBe("ba");
    expect(await idsOf(scene, { attributes: { size: "1" } })).toBe("a");
    expect(await idsOf(scene, { attributes: { size: '"1"', region: '"eu"', express: "true" } })).toBe("b");
    expect(await idsOf(scene, { attributes: { size: '"1"', region: '"us"' } })).toBe("");
    await flushOne(scene, attributesOf(owner, { region: "us" }));
    expect(await idsOf(scene, { attributes: { region: '"eu"' } })).toBe("b");
    expect(await idsOf(scene, { attributes: { size: "1" } })).toBe("");
    expect(await idsOf(scene, { attributes: { region: '"us"' } })).toBe("a");
    await flushOne(scene, attributesOf(owner, {}));
    expect([(await readRun(scene, "a")).attributes, await idsOf(scene, { attributes: { region: '"us"' } })]).toEqual([
      {},
      "",
    ]);
  });

  play("S5: attributes submitted again, after the run was given up, are stored once", async (scene) => {
    const owner = await insertHeld(scene);
    const batch = [attributesOf(owner, { a: 1 }), attributesOf(owner, { b: 2 }), parkOf(owner)];
    const first = await scene.store.flush(batch, NOW);
    expect(await scene.store.flush(batch, NOW)).toEqual(first);
    expect((await readRun(scene)).attributes).toEqual({ b: 2 });
    expect(await idsOf(scene, { attributes: { a: "1" } })).toBe("");
    expect((await flushOne(scene, attributesOf({ ...owner, fence: 9 }, { c: 3 }))).kind).toBe("stale");
  });

  play("S6: attributes that are no object of texts, numbers and booleans are refused", async (scene) => {
    const owner = await insertHeld(scene);
    for (const values of ["[]", "null", "5", '{"a":null}', '{"a":{}}', "{"]) {
      expect((await flushOne(scene, { kind: "attributes", owner, values })).kind).toBe("refused");
    }
    expect((await readRun(scene)).attributes).toEqual({});
  });

  play("S2: of a stale owner even what is impossible is stale", async (scene) => {
    const owner = await insertHeld(scene);
    const impossible = { kind: "attributes", owner: { ...owner, fence: 2 }, values: "[]" } as const;
    expect((await flushOne(scene, impossible)).kind).toBe("stale");
  });

  play("lists by attributes together with all else", async (scene) => {
    const { store } = scene;
    const { versionId } = await store.ensureVersion({ namespace: "team", name: "work", version: "1.0.0" });
    const [a, b, c] = [
      await insertHeld(scene, { id: "a" }),
      await insertHeld(scene, { id: "b", versionId }),
      await insertHeld(scene, { id: "c" }),
    ];
    for (const owner of [a, b, c]) await flushOne(scene, attributesOf(owner, { x: 1 }));
    await flushOne(scene, transitionOf(c, { kind: "complete", output: "1" }));
    const attributes = { x: "1" };
    expect(await idsOf(scene, { attributes })).toBe("cba");
    expect(await idsOf(scene, { attributes, namespace: "team" })).toBe("b");
    expect(await idsOf(scene, { attributes, states: ["running"] })).toBe("ba");
    expect(await idsOf(scene, { attributes, beforeRowId: c.rowId })).toBe("ba");
    expect(await idsOf(scene, { attributes, createdFromMs: NOW + 1 })).toBe("");
  });

  play("lists by moments, the first included, the last not", async (scene) => {
    for (const [index, id] of ["a", "b", "c"].entries()) await insertPending(scene, { id }, NOW + index);
    expect(await idsOf(scene, { createdFromMs: NOW + 1 })).toBe("cb");
    expect(await idsOf(scene, { createdBeforeMs: NOW + 1 })).toBe("a");
    expect(await idsOf(scene, { createdFromMs: NOW + 1, createdBeforeMs: NOW + 2 })).toBe("b");
  });

  play("pages follow one another without a gap and without repeating, and say when there is no more", async (scene) => {
    const { store } = scene;
    for (const id of ["a", "b", "c", "d", "e"]) {
      await flushOne(scene, attributesOf(await insertHeld(scene, { id }), { x: 1 }));
    }
    for (const filter of [{}, { attributes: { x: "1" } }]) {
      const pages: string[] = [];
      let beforeRowId: number | null = null;
      do {
        const here: Partial<RunFilter> = beforeRowId === null ? {} : { beforeRowId };
        const page = await store.listRuns({ ...filter, ...here, limit: 2 });
        pages.push(page.runs.map((run) => run.id).join(""));
        beforeRowId = page.beforeRowId;
      } while (beforeRowId !== null);
      expect(pages).toEqual(["ed", "cb", "a"]);
    }
    expect(await store.listRuns({ limit: 2, beforeRowId: 1 })).toEqual({ runs: [], beforeRowId: null });
  });
};
