/** Reads: of one moment, of many runs at once, word by word, and no further than they must. */
import { describe, expect, it, onTestFinished } from "vitest";
import { useFreshDatabase } from "../../../../../scripts/postgres/for-tests.ts";
import { openPostgresStore } from "../../../src/store/postgres/postgres.ts";
import type { RunFilter, Store } from "../../../src/store/store.ts";
import {
  aRun,
  aWorker,
  checkpointOf,
  codeOf,
  flushOne,
  insertHeld,
  insertOf,
  insertPending,
  NOW,
  postOf,
  readRun,
  refOf,
  type Scene,
  transitionOf,
  WORKFLOW,
} from "../../../src/testing/conformance/scene.ts";
import { sql } from "./server.ts";

async function openStore(url: string): Promise<Store> {
  const store = await openPostgresStore(url);
  onTestFinished(() => store.close());
  return store;
}

async function openScene(url: string): Promise<Scene> {
  const store = await openStore(url);
  const { versionId } = await store.ensureVersion(WORKFLOW);
  return { store, versionId, workerId: await aWorker(store) };
}

/** Runs past the store, by an expression for each column; `i` counts from 1. */
function fillRuns({ versionId }: Scene, count: number, columns: Readonly<Record<string, string>>): string {
  const all = {
    workflow_id: "(SELECT min(id) FROM stepwell.workflows)",
    version_id: `${versionId}`,
    public_id: "'r' || i",
    state: "'pending'",
    seed: "1",
    actor: "'kim'",
    input: "'1'",
    created_at_ms: `${NOW}`,
    ...columns,
  };
  const names = Object.keys(all).join(", ");
  return `INSERT INTO stepwell.runs (${names}) SELECT ${Object.values(all).join(", ")} FROM generate_series(1, ${count}) AS i`;
}

describe("a memory", () => {
  const url = useFreshDatabase();

  it("is each run's own, however many are asked for at once; one that is not there fails alone", async () => {
    const scene = await openScene(url());
    const inserts = Array.from({ length: 300 }, (_, at) => ({
      ...insertOf(aRun(scene, { id: `many ${at}` })),
      claimFor: scene.workerId,
    }));
    const inserted = await scene.store.flush(inserts, NOW);
    const rowIds = inserted.map((result) => (result.kind === "inserted" ? result.rowId : -1));
    await scene.store.flush(
      rowIds.map((rowId) => checkpointOf({ rowId, workerId: scene.workerId, fence: 1 }, { value: `${rowId}` })),
      NOW,
    );
    const asked = await Promise.all(
      [...rowIds, 999_999, rowIds[0]!].map((id) => scene.store.loadMemory(id).catch(codeOf)),
    );
    const values = asked.map((memory) =>
      memory === "RUN_NOT_FOUND" ? memory : (memory as { checkpoints: { value: string }[] }).checkpoints[0]!.value,
    );
    expect(values).toEqual([...rowIds.map(String), "RUN_NOT_FOUND", String(rowIds[0])]);
  });

  it("P6: is of one moment: every item that its number counts is there", async () => {
    const scene = await openScene(url());
    const { rowId } = await insertHeld(scene, { id: "told" });
    let posting = true;
    const posts = async (): Promise<void> => {
      for (let at = 0; at < 100; at += 1) await flushOne(scene, postOf("told", { operationId: `${at}` }));
      posting = false;
    };
    const reads = async (): Promise<void> => {
      while (posting) {
        const { inbox, inboxSeq } = await scene.store.loadMemory(rowId);
        expect(inbox.length).toBe(inboxSeq);
      }
    };
    await Promise.all([posts(), reads(), reads()]);
  });
});

describe("a run", () => {
  const url = useFreshDatabase();

  it("of a name that no run can have is not found, and harms nobody who asks at the same moment", async () => {
    const scene = await openScene(url());
    await insertPending(scene, { id: "plain" });
    const found = await Promise.all(["a\0b", "plain", "nobody"].map((id) => scene.store.findRun(refOf(id))));
    expect(found.map((run) => run?.id)).toEqual([undefined, "plain", undefined]);
  });

  it("keeps its texts as they were written, in its history, too", async () => {
    const scene = await openScene(url());
    const input = String.raw`{ "b":1.50,  "a":"\u0000\ud83d\ude00\/", "b":1e400 }`;
    const output = '"é\u{1f600}\\"\\\\"';
    const owner = await insertHeld(scene, { id: "text", input });
    await flushOne(scene, transitionOf(owner, { kind: "complete", output }));
    expect(await readRun(scene, "text")).toMatchObject({ input, output });
    const [started, ended] = await scene.store.listHistory(owner.rowId);
    expect([started, ended]).toMatchObject([{ input }, { value: output }]);
  });
});

describe("a version", () => {
  const url = useFreshDatabase();

  it("S5: that many bring at once is one", async () => {
    const stores = await Promise.all([1, 2, 3, 4, 5].map(() => openStore(url())));
    for (const version of ["1.0.0", "2.0.0", "3.0.0"]) {
      const brought = await Promise.all(stores.map((store) => store.ensureVersion({ ...WORKFLOW, version })));
      expect(new Set(brought.map(({ versionId }) => versionId)).size).toBe(1);
    }
    expect((await stores[0]!.listVersions()).length).toBe(3);
    expect(await sql(url(), "SELECT count(*) FROM stepwell.workflows")).toEqual([["1"]]);
  });
});

describe("many paused runs", () => {
  const url = useFreshDatabase();

  it("are all made due", async () => {
    const scene = await openScene(url());
    await sql(url(), fillRuns(scene, 12_000, { state: "'paused'" }));
    expect(await scene.store.resumePaused([scene.versionId], NOW)).toBe(12_000);
    const left = "SELECT count(*) FROM stepwell.runs WHERE state = 'paused' OR due_at_ms IS NULL";
    expect(await sql(url(), left)).toEqual([["0"]]);
  });
});

describe("P11: a page", () => {
  const url = useFreshDatabase();

  /** How many runs each page had, until there was no more. */
  async function walk(store: Store, filter: RunFilter): Promise<readonly number[]> {
    const pages: number[] = [];
    let beforeRowId: number | null = null;
    do {
      const here: Partial<RunFilter> = beforeRowId === null ? {} : { beforeRowId };
      const page = await store.listRuns({ ...filter, ...here });
      pages.push(page.runs.length);
      beforeRowId = page.beforeRowId;
    } while (beforeRowId !== null);
    return pages;
  }

  it("looks at 10,000 runs at most, at 1,000 by attribute, and says where the next one begins", async () => {
    const scene = await openScene(url());
    const rare = "CASE WHEN i IN (1, 2, 24000) THEN 'paused' ELSE 'pending' END";
    await sql(url(), fillRuns(scene, 25_000, { state: rare }));
    await sql(
      url(),
      `INSERT INTO stepwell.attributes SELECT 'x', '1', id FROM stepwell.runs WHERE id % 10 = 1`,
      `INSERT INTO stepwell.attributes SELECT 'y', '2', id FROM stepwell.runs WHERE id <= 100`,
    );
    expect(await walk(scene.store, { states: ["paused"], limit: 5 })).toEqual([1, 0, 2]);
    expect(await walk(scene.store, { states: ["paused"], limit: 1 })).toEqual([1, 0, 0, 1, 1]);
    expect(await walk(scene.store, { states: ["paused"], attributes: { x: "1" }, limit: 5 })).toEqual([0, 0, 1]);
    expect(await walk(scene.store, { attributes: { x: "1", y: "2" }, limit: 50 })).toEqual([10]);
  });
});
