/** Others: what a store tells of what other processes have done. */
import {
  aWorker,
  type Chapter,
  flushOne,
  insertHeld,
  insertPending,
  parkOf,
  postOf,
  type Scene,
  transitionOf,
} from "./scene.ts";

/** The chapter on runs that end elsewhere, and on changes that others make. */
export const others: Chapter = ({ expect }, play) => {
  play("tells how the runs that somebody waits for have ended, and of no others", async (scene) => {
    const owners = await insertEach(scene, ["a", "b", "c", "d", "e"]);
    const [a, b, c, d, e] = owners.map(({ rowId }) => rowId);
    const [ofA, ofB, ofC, ofD, ofE] = owners;
    await flushOne(scene, transitionOf(ofA!, { kind: "complete", output: '{"n":1}' }));
    await flushOne(scene, transitionOf(ofB!, { kind: "fail", error: '"broken"' }));
    await flushOne(scene, transitionOf(ofC!, { kind: "cancel", error: '"enough"' }));
    await flushOne(scene, parkOf(ofD!));
    await flushOne(scene, transitionOf(ofE!, { kind: "complete", output: "5" }));
    const unheard = await insertPending(scene, { id: "f" });
    const ended = await scene.store.listEnded([a!, b!, c!, d!, unheard, 999_999]);
    expect([...ended].sort((one, other) => one.rowId - other.rowId)).toEqual([
      { rowId: a, ending: { state: "completed", value: '{"n":1}' } },
      { rowId: b, ending: { state: "failed", value: '"broken"' } },
      { rowId: c, ending: { state: "cancelled", value: '"enough"' } },
    ]);
    expect((await scene.store.listEnded([e!])).length).toBe(1);
    expect(await scene.store.listEnded([])).toEqual([]);
  });

  play("tells the ends of thousands of runs at once", async (scene) => {
    const owner = await insertHeld(scene);
    await flushOne(scene, transitionOf(owner, { kind: "complete", output: "1" }));
    const asked = Array.from({ length: 40_000 }, (_, index) => owner.rowId + index);
    expect((await scene.store.listEnded(asked)).map(({ rowId }) => rowId)).toEqual([owner.rowId]);
  });

  play.withPeer("S8: those who watch are told of what another process commits", async (scene, peer) => {
    const { store } = scene;
    const deeds: readonly (() => Promise<unknown>)[] = [
      () => insertPending({ ...scene, store: peer }),
      () => flushOne({ ...scene, store: peer }, postOf("r")),
      () => aWorker(peer),
      () => peer.ensureVersion({ namespace: "test", name: "work", version: "2.0.0" }),
    ];
    for (const deed of deeds) await heard(store, deed);
  });

  play.withPeer("S8: a watcher that has withdrawn hears nothing, others still do", async (scene, peer) => {
    const { store } = scene;
    let calls = 0;
    const listener = (): void => void (calls += 1);
    const withdraw = [store.watch(listener), store.watch(listener)];
    for (const one of withdraw) one();
    withdraw[0]!();
    await heard(store, () => insertPending({ ...scene, store: peer }));
    expect(calls).toBe(0);
    const unwatch = store.watch(listener);
    await heard(store, () => insertPending({ ...scene, store: peer }, { id: "second" }));
    expect(calls > 0).toBe(true);
    unwatch();
  });

  play("S8: a store that is closed tells nobody, and withdrawing later does no harm", async ({ store }) => {
    const unwatch = store.watch(() => {});
    await store.close();
    unwatch();
    store.watch(() => {})();
  });
};

/** Do it, and wait until a watcher has been told. */
async function heard(store: Scene["store"], deed: () => Promise<unknown>): Promise<void> {
  let unwatch = (): void => {};
  const told = new Promise<void>((resolve) => {
    unwatch = store.watch(() => resolve());
  });
  await deed();
  await told;
  unwatch();
}

async function insertEach(scene: Scene, ids: readonly string[]) {
  const owners = [];
  for (const id of ids) owners.push(await insertHeld(scene, { id }));
  return owners;
}
