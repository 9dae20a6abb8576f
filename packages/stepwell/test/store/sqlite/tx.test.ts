/** P4 on a file: what is known when a transaction fails at each of its points, and who waits for it. */
import { mkdtempSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openSqliteStore } from "../../../src/store/sqlite/sqlite.ts";
import type { CheckpointWrite, TxDoor, TxTerms } from "../../../src/store/tx.ts";
import { aWorker, checkpointOf, codeOf, insertHeld, NOW, WORKFLOW } from "../../../src/testing/conformance/scene.ts";
import { BUSY, FULL, IOERR_FSYNC, openFaulty } from "./faulty.ts";

const folder = mkdtempSync(join(tmpdir(), "stepwell-tx-"));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

async function openScene() {
  const faulty = openFaulty();
  const path = join(folder, `${(files += 1)}.db`);
  const store = await openSqliteStore(path, { connect: faulty.connect });
  const { versionId } = await store.ensureVersion(WORKFLOW);
  const owner = await insertHeld({ store, versionId, workerId: await aWorker(store) });
  const write = checkpointOf(owner, { key: "tx", kind: "tx" }) as CheckpointWrite;
  const terms: TxTerms = { owner, doubt: null, limitMs: 1_000, nowMs: NOW };
  const transact = (work: (door: TxDoor) => Promise<unknown>, more: Partial<TxTerms> = {}) =>
    store.transact({ ...terms, ...more }, async (door) => {
      await work(door).catch(() => {});
      return { commit: true, checkpoint: write };
    });
  await store.transact({ ...terms, owner: null }, async (door) => {
    await door.execute("CREATE TABLE words (word TEXT)", []);
    return { commit: true, checkpoint: null };
  });
  const words = (): readonly unknown[] => {
    const db = new DatabaseSync(path);
    const rows = db.prepare("SELECT word FROM words").all();
    db.close();
    return rows.map((row) => row["word"]);
  };
  return { ...faulty, store, owner, path, transact, words };
}

const put = (word: string) => (door: TxDoor) => door.execute("INSERT INTO words (word) VALUES (?)", [word]);

describe("a transaction", () => {
  it.each([true, false])(
    "P4: whose COMMIT failed without a word is in doubt (applied: %s), and found out",
    async (applied) => {
      const { transact, fail, words, opened, store } = await openScene();
      fail({ at: "COMMIT", error: IOERR_FSYNC, applied });
      expect(await transact(put("one")).catch(codeOf)).toBe("STORE_OUTCOME_UNKNOWN");
      expect(opened[0]!.isOpen).toBe(false);
      const found = await transact(put("two"), { doubt: "tx" });
      expect(found.kind).toBe(applied ? "recorded" : "committed");
      expect(words()).toEqual([applied ? "one" : "two"]);
      await store.close();
    },
  );

  it.each([
    ["BEGIN IMMEDIATE", BUSY, "STORE_BUSY"],
    ["FROM runs WHERE id", IOERR_FSYNC, "STORE_FAILED"],
    ["INSERT INTO words", IOERR_FSYNC, "STORE_FAILED"],
    ["INSERT INTO words", FULL, "STORE_FULL"],
    ["INTO steps", FULL, "STORE_FULL"],
    ["COMMIT", FULL, "STORE_FULL"],
    ["COMMIT", BUSY, "STORE_BUSY"],
  ])("whose %s fails with %s was taken back, and can be made again", async (at, error, code) => {
    const { transact, fail, words, store } = await openScene();
    fail({ at, error });
    expect(await transact(put("one")).catch(codeOf)).toBe(code);
    expect(words()).toEqual([]);
    expect((await transact(put("two"))).kind).toBe("committed");
    expect(words()).toEqual(["two"]);
    await store.close();
  });

  it("T5: is waited for by every other call of its store, and others meet its lock", async () => {
    const { transact, store, owner, path } = await openScene();
    const order: string[] = [];
    const note = (name: string) => (): void => void order.push(name);
    const others: Promise<unknown>[] = [];
    await transact(async (door) => {
      others.push(store.loadMemory(owner.rowId).then(note("memory")), store.listVersions().then(note("versions")));
      others.push(store.flush([], NOW).then(note("flush")));
      const other = new DatabaseSync(path);
      expect(() => other.exec("BEGIN IMMEDIATE")).toThrow("locked");
      other.close();
      for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      await put("one")(door);
      order.push("done");
    });
    await Promise.all(others);
    expect(order[0]).toBe("done");
    expect(order).toHaveLength(4);
    await store.close();
  });

  it("T5: comes after what waits already, however many want to be next", async () => {
    const { store, owner } = await openScene();
    const order: string[] = [];
    let flushed: Promise<unknown> = Promise.resolve();
    const tx = (name: string): Promise<unknown> =>
      store.transact({ owner: null, doubt: null, limitMs: 1_000, nowMs: NOW }, async () => {
        order.push(name);
        if (name === "first") flushed = store.flush([checkpointOf(owner)], NOW).then(() => order.push("flush"));
        await new Promise((resolve) => setImmediate(resolve));
        return { commit: true, checkpoint: null };
      });
    await Promise.all(["first", "second", "third"].map(tx));
    await flushed;
    expect(order).toEqual(["first", "flush", "second", "third"]);
    await store.close();
  });

  it("that its store is closed under is taken back", async () => {
    const { transact, store, words } = await openScene();
    const answer = await transact(async (door) => {
      await put("one")(door);
      await store.close();
      await put("two")(door);
    }).catch(codeOf);
    expect(answer).toMatchObject({ kind: "refused", error: { code: "TX_BROKEN" } });
    expect(words()).toEqual([]);
  });
});
