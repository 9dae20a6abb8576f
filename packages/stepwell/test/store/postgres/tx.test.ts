/** P4 on a server: connections that are lost around a commit, transactions that meet, and what the server ends itself. */
import { describe, expect, it, onTestFinished } from "vitest";
import { useFreshDatabase } from "../../../../../scripts/postgres/for-tests.ts";
import { connect } from "../../../../../scripts/postgres/query.ts";
import { openPostgresStore } from "../../../src/store/postgres/postgres.ts";
import type { Store } from "../../../src/store/store.ts";
import type { CheckpointWrite, TxAnswer, TxDoor, TxTerms } from "../../../src/store/tx.ts";
import { aWorker, checkpointOf, insertHeld, WORKFLOW } from "../../../src/testing/conformance/scene.ts";
import { openProxy, type ProxyOptions } from "./proxy.ts";
import { failureOf, sql } from "./server.ts";

const url = useFreshDatabase();

/** A store, behind a wire, with a run that its worker holds, and an empty table of the user's. */
async function openScene(options: ProxyOptions = {}) {
  await sql(url(), "DROP TABLE IF EXISTS words", "CREATE TABLE words (word TEXT UNIQUE)");
  const proxy = await openProxy(url(), options);
  const store = await openPostgresStore(proxy.url);
  onTestFinished(async () => {
    await store.close();
    await proxy.close();
  });
  const { versionId } = await store.ensureVersion(WORKFLOW);
  const scene = { store, versionId, workerId: await aWorker(store) };
  const owner = await insertHeld(scene, { id: `run of ${scene.workerId}` });
  const write = checkpointOf(owner, { key: "tx", kind: "tx" }) as CheckpointWrite;
  const transact = (work: (door: TxDoor) => Promise<unknown>, terms: Partial<TxTerms> = {}): Promise<TxAnswer> =>
    store.transact({ owner, doubt: null, limitMs: 1_000, nowMs: null, ...terms }, async (door) => {
      await work(door).catch(() => {});
      return { commit: true, checkpoint: write };
    });
  return { proxy, store, owner, write, transact };
}

const put = (word: string) => (door: TxDoor) => door.execute("INSERT INTO words (word) VALUES ($1)", [word]);

async function words(): Promise<readonly unknown[]> {
  return (await sql(url(), "SELECT word FROM words ORDER BY word")).flat();
}

async function keys(store: Store, rowId: number): Promise<readonly string[]> {
  return (await store.loadMemory(rowId)).checkpoints.map(({ key }) => key);
}

describe("a transaction", () => {
  it("P4: whose COMMIT was not answered is in doubt, and found to be there", async () => {
    let losing = false;
    const { transact } = await openScene({ cutsBefore: (data) => losing && data.includes("COMMIT") });
    losing = true;
    expect((await failureOf(transact(put("one")))).code).toBe("STORE_OUTCOME_UNKNOWN");
    losing = false;
    expect(await transact(put("two"), { doubt: "tx" })).toMatchObject({ kind: "recorded", checkpoint: { key: "tx" } });
    expect(await words()).toEqual(["one"]);
  });

  it("P4: whose connection is lost before the COMMIT was taken back for certain", async () => {
    const { proxy, store, owner, transact } = await openScene();
    const lost = transact(async (door) => {
      await put("one")(door);
      proxy.cut();
      await put("two")(door);
    });
    expect((await failureOf(lost)).code).toBe("STORE_UNREACHABLE");
    expect([await words(), await keys(store, owner.rowId)]).toEqual([[], []]);
    expect(await transact(put("three"))).toEqual({ kind: "committed" });
  });

  it("P4: in doubt is waited for: a commit may arrive late", async () => {
    const { owner, transact } = await openScene();
    const late = await connect(url());
    onTestFinished(() => late.end());
    await late.query("BEGIN");
    await late.query("SELECT id FROM stepwell.runs WHERE id = $1 FOR NO KEY UPDATE", [owner.rowId]);
    await late.query(
      `INSERT INTO stepwell.steps (run_id, seq, generation, at_ms, duration_ms, attempt, compensable, kind, outcome, key, value)
       VALUES ($1, 2, 1, 5, 1, 1, false, 'tx', 'completed', 'tx', '"late"')`,
      [owner.rowId],
    );
    let begun = false;
    const doubtful = transact(async () => (begun = true), { doubt: "tx" });
    await new Promise((resolve) => setTimeout(resolve, 200));
    await late.query("COMMIT");
    expect(await doubtful).toMatchObject({ kind: "recorded", checkpoint: { value: '"late"' } });
    expect(begun).toBe(false);
  });

  it("P3: a death waits for it, and comes before the next", async () => {
    const { store, owner, transact } = await openScene();
    const order: string[] = [];
    let burying: Promise<unknown> = Promise.resolve();
    const answer = await transact(async (door) => {
      burying = store.buryWorker(owner.workerId, true, null).then(() => order.push("buried"));
      await door.query("SELECT pg_sleep(0.3)", []);
      order.push("done");
      return put("one")(door);
    });
    await burying;
    expect([answer.kind, order, await keys(store, owner.rowId)]).toEqual(["committed", ["done", "buried"], ["tx"]]);
    expect(await transact(put("two"))).toEqual({ kind: "stale" });
    expect(await words()).toEqual(["one"]);
  });

  it("P11: a statement that takes too long is ended by the server", async () => {
    const { transact } = await openScene();
    const began = performance.now();
    const answer = await transact((door) => door.query("SELECT pg_sleep(20)", []), { limitMs: 100 });
    expect(answer).toMatchObject({ kind: "refused", error: { code: "TX_BROKEN" } });
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it("that deadlocks with another can be made again", async () => {
    const { transact } = await openScene();
    await sql(url(), "INSERT INTO words (word) VALUES ('a'), ('b')");
    const rival = await connect(url());
    onTestFinished(() => rival.end());
    await rival.query("BEGIN");
    await rival.query("SET LOCAL deadlock_timeout = '20s'");
    const touch = (word: string): string => `UPDATE words SET word = word WHERE word = '${word}'`;
    const answer = await transact(
      async (door) => {
        await door.query(touch("a"), []);
        await rival.query(touch("b"));
        void rival.query(touch("a")).then(() => rival.query("ROLLBACK"));
        await door.query(touch("b"), []);
      },
      { limitMs: 3_000 },
    );
    expect(answer).toMatchObject({ kind: "conflict", error: { code: "40P01" } });
    expect(await transact(put("c"))).toEqual({ kind: "committed" });
  });
});
