/** Breakers: kept whole, replaced by the next revision alone, and whose probe is under way. */
import type { Breaker } from "../../model/breaker.ts";
import type { Owner } from "../../model/run.ts";
import {
  type Chapter,
  claimOne,
  crash,
  flushOne,
  insertHeld,
  NOW,
  parkOf,
  refOf,
  type Scene,
  transitionOf,
} from "./scene.ts";

/** The chapter on circuit breakers. */
export const breakers: Chapter = ({ expect }, play) => {
  play("keeps all there is of a breaker", async (scene) => {
    const owner = await insertHeld(scene);
    const { store } = scene;
    const plain = aBreaker({ name: "a/b %_'ä😀" });
    const full = aBreaker({
      revision: 2,
      epoch: 9,
      failures: Array.from({ length: 1_000 }, (_, index) => `1/2/"charge"/${index}`),
      openUntilMs: NOW + 5,
      probe: { mark: "m", owner },
      touched: { actor: "kim", reason: "", atMs: NOW - 1 },
    });
    expect(await store.findBreaker("gateway", null, NOW)).toEqual({
      breaker: null,
      probing: false,
      held: false,
      nowMs: NOW,
    });
    for (const one of [plain, aBreaker(), full]) expect(await store.saveBreaker(one, null)).toBe(true);
    const look = { probing: true, held: true, nowMs: NOW + 7 };
    expect(await store.findBreaker("gateway", owner, NOW + 7)).toEqual({ breaker: full, ...look });
    expect((await store.findBreaker(plain.name, null, NOW)).breaker).toEqual(plain);
    const [ofPlain, ofFull] = await store.listBreakers({ afterName: "", limit: 9 }, NOW);
    expect(ofPlain).toEqual({ breaker: plain, probing: null, nowMs: NOW });
    expect(ofFull).toEqual({ breaker: full, probing: refOf("r"), nowMs: NOW });
  });

  play("S10: only the next revision takes the place of one", async ({ store }) => {
    expect(await store.saveBreaker(aBreaker({ epoch: 1 }), null)).toBe(true);
    for (const revision of [1, 3]) expect(await store.saveBreaker(aBreaker({ revision, epoch: 5 }), null)).toBe(false);
    expect((await store.findBreaker("gateway", null, NOW)).breaker).toEqual(aBreaker({ epoch: 1 }));
    expect(await store.saveBreaker(aBreaker({ revision: 2, epoch: 2 }), null)).toBe(true);
    expect(await store.saveBreaker(aBreaker({ revision: 2, epoch: 5 }), null)).toBe(false);
    expect((await store.findBreaker("gateway", null, NOW)).breaker).toMatchObject({ revision: 2, epoch: 2 });
  });

  play("S10: of many who save one revision at once, one is stored", async ({ store }) => {
    expect(await race([store], 1)).toBe(1);
    expect(await race([store], 2)).toBe(1);
  });

  play.withPeer("S10: also of those in two processes", async ({ store }, peer) => {
    for (let revision = 1; revision < 20; revision += 1) expect(await race([store, peer], revision)).toBe(1);
  });

  play("S10: an owner that lost its run saves nothing", async (scene) => {
    const { store } = scene;
    const owner = await insertHeld(scene);
    expect(await store.saveBreaker(aBreaker(), owner)).toBe(true);
    const stale: readonly Owner[] = [
      { ...owner, fence: owner.fence + 1 },
      { ...owner, workerId: owner.workerId + 1 },
      { ...owner, rowId: owner.rowId + 1 },
    ];
    for (const other of stale) {
      expect(await store.saveBreaker(aBreaker({ revision: 2 }), other)).toBe(false);
      expect(await store.saveBreaker(aBreaker({ name: "new" }), other)).toBe(false);
      expect((await store.findBreaker("gateway", other, NOW)).held).toBe(false);
    }
    expect((await store.findBreaker("new", null, NOW)).breaker).toBe(null);
    await flushOne(scene, transitionOf(owner, { kind: "complete", output: "1" }));
    expect(await store.saveBreaker(aBreaker({ revision: 2 }), owner)).toBe(false);
  });

  play("a probe is under way for as long as its run is held under that claim", async (scene) => {
    const { store } = scene;
    const first = await insertHeld(scene);
    const probing = async (): Promise<boolean> => (await store.findBreaker("gateway", null, NOW)).probing;
    await store.saveBreaker(aProbed(1, first), null);
    expect(await probing()).toBe(true);
    await flushOne(scene, parkOf(first, { dueAtMs: NOW }));
    expect(await probing()).toBe(false);
    const second = await claimOne(scene);
    expect(await probing()).toBe(false);
    await store.saveBreaker(aProbed(2, second), null);
    expect(await probing()).toBe(true);
    const next = await crash(scene, scene.workerId);
    expect(await probing()).toBe(false);
    const third = await claimOne(scene, NOW, next);
    await store.saveBreaker(aProbed(3, third), null);
    expect(await probing()).toBe(true);
    await flushOne(scene, transitionOf(third, { kind: "complete", output: "1" }));
    expect(await probing()).toBe(false);
    expect((await store.listBreakers({ afterName: "", limit: 1 }, NOW))[0]).toMatchObject({ probing: null });
  });

  play("lists breakers by name, page by page", async ({ store }) => {
    for (const name of ["c", "B", "a", "ä"]) await store.saveBreaker(aBreaker({ name }), null);
    const names = async (afterName: string, limit: number): Promise<readonly string[]> =>
      (await store.listBreakers({ afterName, limit }, NOW)).map(({ breaker }) => breaker.name);
    expect(await names("", 9)).toEqual(["B", "a", "c", "ä"]);
    expect(await names("", 2)).toEqual(["B", "a"]);
    expect(await names("a", 2)).toEqual(["c", "ä"]);
    expect(await names("ä", 2)).toEqual([]);
  });
};

function aBreaker(fields: Partial<Breaker> = {}): Breaker {
  const standing = { failures: [], sinceMs: NOW, openUntilMs: null, probe: null, touched: null };
  return { name: "gateway", revision: 1, epoch: 1, ...standing, ...fields };
}

function aProbed(revision: number, owner: Owner): Breaker {
  return aBreaker({ revision, openUntilMs: NOW, probe: { mark: "m", owner } });
}

/** So many of ten attempts to save that revision were stored. */
async function race(stores: readonly Scene["store"][], revision: number): Promise<number> {
  const attempts = Array.from({ length: 10 }, (_, index) =>
    stores[index % stores.length]!.saveBreaker(aBreaker({ revision, epoch: index + 1 }), null),
  );
  return (await Promise.all(attempts)).filter(Boolean).length;
}
