/** Transactions of the user's: with their checkpoint or not at all (S11). */
import type { Owner } from "../../model/run.ts";
import type { Checkpoint } from "../../model/step.ts";
import type { Store } from "../../store/store.ts";
import type { CheckpointWrite, TxAnswer, TxDoor, TxTerms } from "../../store/tx.ts";
import {
  aRun,
  type Chapter,
  checkpointOf,
  crash,
  flushOne,
  insertHeld,
  insertOf,
  NOW,
  readRun,
  refOf,
  type Scene,
  transitionOf,
} from "./scene.ts";

/** A table of the user's, empty. */
async function openTable(store: Store): Promise<void> {
  await inTx(store, {}, async (door) => {
    await door.execute("CREATE TABLE IF NOT EXISTS words (word TEXT)", []);
    await door.execute("DELETE FROM words", []);
  });
}

/** What the table holds. */
async function wordsOf(store: Store): Promise<readonly unknown[]> {
  let words: readonly unknown[] = [];
  await inTx(store, {}, async (door) => {
    words = (await door.query("SELECT word FROM words", [])).map((row) => row["word"]);
  });
  return words;
}

type Asked = Partial<TxTerms> & { readonly checkpoint?: CheckpointWrite; readonly commit?: boolean };

/** A transaction; it commits unless told otherwise. */
function inTx(store: Store, asked: Asked, work: (door: TxDoor) => Promise<unknown>): Promise<TxAnswer> {
  const { checkpoint = null, commit = true, owner = null, doubt = null } = asked;
  return store.transact({ owner, doubt, limitMs: 1_000, nowMs: NOW }, async (door) => {
    await work(door);
    return commit ? { commit, checkpoint } : { commit };
  });
}

const put =
  (store: Store, word: string) =>
  (door: TxDoor): Promise<unknown> =>
    door.execute(`INSERT INTO words (word) VALUES (${store.kind === "postgres" ? "$1" : "?"})`, [word]);

/** The checkpoint of a transaction of that owner. */
function ended(owner: Owner, fields: Partial<Checkpoint> = {}): CheckpointWrite {
  return checkpointOf(owner, { key: "tx", kind: "tx", ...fields }) as CheckpointWrite;
}

async function keysOf({ store }: Scene, { rowId }: Owner): Promise<readonly string[]> {
  return (await store.loadMemory(rowId)).checkpoints.map(({ key }) => key);
}

/** The chapter on transactions. */
export const transactions: Chapter = ({ expect }, play) => {
  play("S11: rows and checkpoint are committed together", async (scene) => {
    const { store } = scene;
    await openTable(store);
    const owner = await insertHeld(scene);
    const answer = await inTx(store, { owner, checkpoint: ended(owner) }, async (door) => {
      expect(await door.execute("DELETE FROM words", [])).toEqual({ changes: 0 });
      await put(store, "one")(door);
      expect((await door.query("SELECT word FROM words", [])).map((row) => ({ ...row }))).toEqual([{ word: "one" }]);
    });
    expect([answer, await wordsOf(store), await keysOf(scene, owner)]).toEqual([
      { kind: "committed" },
      ["one"],
      ["tx"],
    ]);
    expect(await store.listHistory(owner.rowId)).toMatchObject([
      { kind: "started" },
      { step: "tx", seq: 2, atMs: NOW },
    ]);
  });

  play("S11: what is taken back leaves nothing", async (scene) => {
    const { store } = scene;
    await openTable(store);
    const owner = await insertHeld(scene);
    const answer = await inTx(store, { owner, commit: false }, put(store, "one"));
    expect([answer, await wordsOf(store), await keysOf(scene, owner)]).toEqual([{ kind: "rolled_back" }, [], []]);
  });

  play("S11: under a stale owner nothing is begun", async (scene) => {
    const { store } = scene;
    await openTable(store);
    const owner = await insertHeld(scene);
    const stale = { ...owner, fence: 2 };
    const given = await insertHeld(scene, { id: "given" });
    await flushOne(scene, transitionOf(given, { kind: "release" }));
    let begun = 0;
    for (const one of [stale, given]) {
      const answer = await inTx(store, { owner: one, checkpoint: ended(one) }, async () => (begun += 1));
      expect(answer).toEqual({ kind: "stale" });
    }
    await crash(scene, owner.workerId);
    expect(await inTx(store, { owner, checkpoint: ended(owner) }, async () => (begun += 1))).toEqual({ kind: "stale" });
    expect([begun, await wordsOf(store)]).toEqual([0, []]);
  });

  play("S11: a checkpoint that is there already takes the transaction back", async (scene) => {
    const { store } = scene;
    await openTable(store);
    const owner = await insertHeld(scene);
    const first = ended(owner, { value: '"first"' });
    await inTx(store, { owner, checkpoint: first }, put(store, "one"));
    const recorded = { kind: "recorded", checkpoint: first.checkpoint };
    const second = ended(owner, { value: '"second"', seq: 3 });
    expect(await inTx(store, { owner, checkpoint: second }, put(store, "two"))).toEqual(recorded);
    let begun = false;
    const doubtful = await inTx(store, { owner, checkpoint: second, doubt: "tx" }, async () => (begun = true));
    expect([doubtful, begun, await wordsOf(store)]).toEqual([recorded, false, ["one"]]);
  });

  play("S11: a doubt that is justified has the transaction made", async (scene) => {
    const { store } = scene;
    await openTable(store);
    const owner = await insertHeld(scene);
    const answer = await inTx(store, { owner, doubt: "tx", checkpoint: ended(owner) }, put(store, "one"));
    expect([answer, await wordsOf(store)]).toEqual([{ kind: "committed" }, ["one"]]);
  });

  play("a run is inserted if and only if the transaction commits", async (scene) => {
    const { store } = scene;
    const results: unknown[] = [];
    const insert = async (door: TxDoor): Promise<void> => {
      const result = await door.insertRun(insertOf(aRun(scene, { id: "born" })));
      results.push(result.kind === "exists" ? [result.kind, result.run.id] : result.kind);
    };
    await inTx(store, { commit: false }, insert);
    expect(await store.findRun(refOf("born"))).toBe(null);
    await inTx(store, {}, async (door) => {
      await insert(door);
      await insert(door);
    });
    expect(await readRun(scene, "born")).toMatchObject({ state: "pending", dueAtMs: NOW, workerId: null });
    await inTx(store, {}, insert);
    expect(results).toEqual(["inserted", "inserted", ["exists", "born"], ["exists", "born"]]);
  });

  play("what others submit meanwhile is stored, and no part of it", async (scene) => {
    const { store } = scene;
    await openTable(store);
    const [owner, other] = [await insertHeld(scene), await insertHeld(scene, { id: "other" })];
    let flushed: Promise<unknown> = Promise.resolve();
    const answer = await inTx(store, { owner, commit: false }, async (door) => {
      flushed = flushOne(scene, checkpointOf(other));
      await put(store, "one")(door);
    });
    expect([answer, await flushed]).toMatchObject([{ kind: "rolled_back" }, { kind: "stored" }]);
    expect(await keysOf(scene, other)).toEqual(["step"]);
  });

  play("a door is closed when its transaction has ended", async (scene) => {
    const { store } = scene;
    await openTable(store);
    let kept: TxDoor | null = null;
    await inTx(store, {}, async (door) => (kept = door));
    let late: unknown = null;
    await inTx(store, {}, async () => {
      late = await put(store, "late")(kept!).catch((error: unknown) => (error as { readonly code: unknown }).code);
    });
    expect([late, await wordsOf(store)]).toEqual(["TX_BROKEN", []]);
  });
};
