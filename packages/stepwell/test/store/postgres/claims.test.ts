/** Claims: who gets what where many claim at once, and what a claim took that lost its connection (S1, C1 to C3). */
import { describe, expect, it, onTestFinished } from "vitest";
import { useFreshDatabase } from "../../../../../scripts/postgres/for-tests.ts";
import { connect } from "../../../../../scripts/postgres/query.ts";
import { openPostgresStore } from "../../../src/store/postgres/postgres.ts";
import type { Claim, Store } from "../../../src/store/store.ts";
import {
  aRun,
  aWorker,
  crashTwice,
  insertHeld,
  insertOf,
  insertPending,
  NOW,
  type Scene,
} from "../../../src/testing/conformance/scene.ts";
import { failureOf, sql } from "./server.ts";
import { openWay, type Way } from "./stray.ts";

const url = useFreshDatabase();
let workflows = 0;

/** A store, a worker, and a workflow that no other test has. */
async function openScene(at: string = url()): Promise<Scene> {
  const store = await openPostgresStore(at);
  onTestFinished(() => store.close());
  workflows += 1;
  const { versionId } = await store.ensureVersion({ namespace: "test", name: `work${workflows}`, version: "1.0.0" });
  return { store, versionId, workerId: await aWorker(store) };
}

async function openLossy(): Promise<Scene & { readonly way: Way }> {
  const way = await openWay(url());
  return { ...(await openScene(way.url)), way };
}

type Wanted = { readonly limit?: number; readonly suspects?: boolean; readonly workerId?: number };

function claim({ store, versionId, workerId }: Scene, wanted: Wanted = {}): Promise<readonly Claim[]> {
  return store.claimRuns({ workerId, versionIds: [versionId], suspects: false, limit: 10, nowMs: NOW, ...wanted });
}

const taken = (claims: readonly Claim[]) => claims.map(({ run }) => `${run.id} ${run.fence}`);

async function insertEach(scene: Scene, ids: readonly string[]): Promise<void> {
  for (const id of ids) await insertPending(scene, { id });
}

async function dueOf({ store, versionId }: Scene): Promise<readonly [run: number | null, suspect: number | null]> {
  const { runInMs, suspectInMs } = await store.nextDue([versionId], NOW);
  return [runInMs, suspectInMs];
}

describe("many who claim at once", () => {
  it("S1: share what is due, and nobody gets what another has", async () => {
    const scene = await openScene();
    const others = await Promise.all([1, 2, 3].map(() => openPostgresStore(url())));
    onTestFinished(async () => void (await Promise.all(others.map((store) => store.close()))));
    const inserts = Array.from({ length: 500 }, (_, index) => insertOf(aRun(scene, { id: `r${index}` })));
    await scene.store.flush(inserts, NOW);
    const claimAll = async (store: Store): Promise<readonly string[]> => {
      const here = { ...scene, store, workerId: await aWorker(store) };
      const ids: string[] = [];
      while ((await dueOf(here))[0] === 0) ids.push(...taken(await claim(here, { limit: 20 })));
      return ids;
    };
    const each = await Promise.all([scene.store, ...others].map(claimAll));
    const all = each.flat();
    expect(all.length).toBe(500);
    expect(new Set(all)).toEqual(new Set(inserts.map(({ run }) => `${run.id} 1`)));
    expect(each.filter((ids) => ids.length > 0).length).toBeGreaterThan(1);
  });

  it("S1: pass over what somebody is writing to, and do not wait for it", async () => {
    const scene = await openScene();
    await insertEach(scene, ["a", "b", "c"]);
    const writer = await connect(url());
    onTestFinished(() => writer.end());
    await writer.query("BEGIN");
    const where = `version_id = ${scene.versionId} AND public_id = 'a'`;
    await writer.query(`UPDATE stepwell.runs SET inbox_seq = inbox_seq + 1 WHERE ${where}`);
    expect(taken(await claim(scene))).toEqual(["b 1", "c 1"]);
    await writer.query("COMMIT");
    expect(taken(await claim(scene))).toEqual(["a 1"]);
  });

  it("S1: take nothing twice of a version that is named twice", async () => {
    const scene = await openScene();
    await insertEach(scene, ["a", "b"]);
    const { store, workerId, versionId } = scene;
    const by = { workerId, suspects: false, limit: 10, nowMs: NOW };
    expect(taken(await store.claimRuns({ ...by, versionIds: [versionId, versionId] }))).toEqual(["a 1", "b 1"]);
  });

  it("S1: count for one worker by whatever store it claims", async () => {
    const scene = await openScene();
    const peer = { ...scene, store: await openPostgresStore(url()) };
    onTestFinished(() => peer.store.close());
    for (const id of ["a", "b", "c", "d"]) {
      await insertPending(scene, { id });
      const from = id === "c" ? peer : scene;
      expect(taken(await claim(from))).toEqual([`${id} 1`]);
    }
  });
});

describe("a claim in doubt", () => {
  it("C3: that took place is given by the next ones, and is due until then", async () => {
    const scene = await openLossy();
    await insertEach(scene, ["a", "b", "c"]);
    scene.way.lose("claimRuns", "unanswered");
    expect((await failureOf(claim(scene))).code).toBe("STORE_OUTCOME_UNKNOWN");
    await insertPending(scene, { id: "d" });
    expect(await dueOf(scene)).toEqual([0, null]);
    expect(taken(await claim(scene, { limit: 2 }))).toEqual(["a 1", "b 1"]);
    expect(taken(await claim(scene))).toEqual(["c 1"]);
    expect(taken(await claim(scene))).toEqual(["d 1"]);
    expect(taken(await claim(scene))).toEqual([]);
    expect(await dueOf(scene)).toEqual([null, null]);
  });

  it("C1: that comes late takes nothing any more", async () => {
    const scene = await openLossy();
    await insertEach(scene, ["a", "b"]);
    const late = scene.way.lose("claimRuns", "late");
    expect((await failureOf(claim(scene))).code).toBe("STORE_OUTCOME_UNKNOWN");
    expect(taken(await claim(scene))).toEqual(["a 1", "b 1"]);
    await insertPending(scene, { id: "c" });
    late.deliver();
    await late.answered;
    expect(taken(await claim(scene))).toEqual(["c 1"]);
  });

  it("C2: that is still under way is waited for", async () => {
    const scene = await openLossy();
    await insertEach(scene, ["a", "b"]);
    const blocker = await connect(url());
    onTestFinished(() => blocker.end());
    await blocker.query("BEGIN");
    await blocker.query(`SELECT FROM stepwell.workers WHERE id = ${scene.workerId} FOR UPDATE`);
    const sent = scene.way.lose("claimRuns", "sent");
    expect((await failureOf(claim(scene))).code).toBe("STORE_OUTCOME_UNKNOWN");
    const waiting =
      "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    await expect.poll(() => sql(url(), waiting)).toEqual([["1"]]);
    const next = claim(scene);
    await expect.poll(() => sql(url(), waiting)).toEqual([["2"]]);
    await blocker.query("COMMIT");
    await sent.answered;
    expect(taken(await next)).toEqual(["a 1", "b 1"]);
    expect(taken(await claim(scene))).toEqual([]);
  });

  it("C3: is settled by one of its kind alone", async () => {
    const scene = await openLossy();
    await insertHeld(scene, { id: "a" });
    const workerId = await crashTwice(scene);
    await insertPending(scene, { id: "b" });
    scene.way.lose("claimSuspects", "unanswered");
    expect((await failureOf(claim(scene, { suspects: true, workerId }))).code).toBe("STORE_OUTCOME_UNKNOWN");
    expect(await dueOf(scene)).toEqual([0, 0]);
    expect(taken(await claim(scene, { workerId }))).toEqual(["b 1"]);
    expect(await dueOf(scene)).toEqual([null, 0]);
    expect(taken(await claim(scene, { workerId }))).toEqual([]);
    expect(taken(await claim(scene, { suspects: true, workerId }))).toEqual(["a 5"]);
    expect(await dueOf(scene)).toEqual([null, null]);
  });

  it("C3: is still in doubt when the question itself is lost", async () => {
    const scene = await openLossy();
    await insertEach(scene, ["a"]);
    for (const statement of ["claimRuns", "barClaims", "listClaimedRuns"]) {
      scene.way.lose(statement, "unanswered");
      expect((await failureOf(claim(scene))).code).toMatch(/STORE_(OUTCOME_UNKNOWN|UNREACHABLE)/);
      expect(await dueOf(scene)).toEqual([0, null]);
    }
    expect(taken(await claim(scene))).toEqual(["a 1"]);
  });

  it("C1: of a worker that died is over; what it took is freed like all that it held", async () => {
    const scene = await openLossy();
    const { store, way } = scene;
    await insertEach(scene, ["a"]);
    way.lose("claimRuns", "unanswered");
    await failureOf(claim(scene));
    await store.buryWorker(scene.workerId, true, NOW);
    expect(taken(await claim(scene))).toEqual([]);
    expect(await dueOf(scene)).toEqual([null, null]);
    expect(await store.releaseRuns(scene.workerId, "died", NOW)).toEqual({ freed: 1, quarantined: [] });
    expect(taken(await claim(scene, { workerId: await aWorker(store) }))).toEqual(["a 3"]);
  });
});
