/**
 * Cast: the workers and runs with which every interleaving begins, made by calls of the store.
 */
import type { Breaker } from "../../../../src/model/breaker.ts";
import type { Owner, Parent } from "../../../../src/model/run.ts";
import type { Store } from "../../../../src/store/store.ts";
import type { Write } from "../../../../src/store/write.ts";
import {
  aWorker,
  attemptOf,
  checkpointOf,
  crashTwice,
  flushOne,
  insertHeld,
  insertPending,
  NOW,
  parkOf,
  postOf,
  type Scene,
  transitionOf,
  WORKFLOW,
} from "../../../../src/testing/conformance/scene.ts";

/**
 * Workers A and B execute, C has nothing yet. Runs by what they are for; of those that nobody holds, `due` waits to be
 * claimed, `timed` too, by its timer, and `suspect` is on probation.
 */
export type Cast = {
  readonly versionId: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  /** Held by A: one step is done, another one is running. */
  readonly run: Owner;
  /** Held by A; a signal has come. */
  readonly heard: Owner;
  /** Held by A; what it did is being undone. */
  readonly undoing: Owner;
  /** Held by A, child of `parent`, which awaits it. */
  readonly child: Owner;
  /** Held by B. */
  readonly parent: Owner;
  /** Held by B, child of `run`, which awaits it. */
  readonly grandchild: Owner;
  /** Held by A, child of `parked`. */
  readonly orphan: Owner;
  /** Waits for its inbox; A had it. */
  readonly parked: Owner;
  /** Paused; A had it. */
  readonly paused: Owner;
};

/** As it stands before. */
export const BREAKER: Breaker = {
  ...{ name: "gateway", revision: 1, epoch: 1, failures: ["x"], sinceMs: NOW, openUntilMs: NOW },
  ...{ probe: null, touched: null },
};

/** When the operations happen. */
export const AT = NOW + 10;

/** Enter them into an empty store. */
export async function enterCast(store: Store): Promise<Cast> {
  const { versionId } = await store.ensureVersion(WORKFLOW);
  await enterSuspect({ store, versionId, workerId: await aWorker(store) });
  const [a, b, c] = [
    await aWorker(store, { name: "A" }),
    await aWorker(store, { name: "B" }),
    await aWorker(store, { name: "C" }),
  ];
  const [byA, byB]: readonly Scene[] = [
    { store, versionId, workerId: a },
    { store, versionId, workerId: b },
  ];
  const flush = async (...writes: readonly Write[]): Promise<void> => {
    for (const write of writes) await flushOne(byA!, write);
  };
  const run = await insertHeld(byA!, { id: "run" });
  const parent = await insertHeld(byB!, { id: "parent" });
  const parked = await insertHeld(byA!, { id: "parked" });
  const [heard, undoing, timed, paused] = [
    await insertHeld(byA!, { id: "heard" }),
    await insertHeld(byA!, { id: "undoing" }),
    await insertHeld(byA!, { id: "timed" }),
    await insertHeld(byA!, { id: "paused" }),
  ];
  const child = await insertHeld(byA!, { id: "child", parent: awaitedBy(parent) });
  const grandchild = await insertHeld(byB!, { id: "grandchild", parent: awaitedBy(run) });
  const orphan = await insertHeld(byA!, { id: "orphan", parent: awaitedBy(parked) });
  await flush(
    checkpointOf(run, { key: "done", seq: 2 }),
    attemptOf(run, { key: "long", state: "running", seq: 3, error: null }),
    postOf("heard", { operationId: "early" }),
    transitionOf(undoing, { kind: "compensate", ending: "failed", error: '{"name":"E"}' }),
    parkOf(parked),
    parkOf(timed, { dueAtMs: NOW }),
    transitionOf(paused, { kind: "pause", error: '{"name":"E"}' }),
  );
  await insertPending(byA!, { id: "due" });
  await store.saveBreaker(BREAKER, null);
  return { versionId, a, b, c, run, heard, undoing, child, parent, grandchild, orphan, parked, paused };
}

async function enterSuspect(scene: Scene): Promise<void> {
  await insertHeld(scene, { id: "suspect" });
  await scene.store.retireWorker(await crashTwice(scene));
}

/** The step of `owner` that has started a child. */
export function awaitedBy({ rowId }: Owner): Parent {
  return { rowId, key: "child", awaited: true };
}
