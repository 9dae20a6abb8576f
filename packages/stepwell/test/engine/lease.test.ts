/** A worker's standing, and its looks for the dead: what it learns when it renews, and when something fails. */
import { expect, it } from "vitest";
import { workflow } from "../../src/engine/workflow.ts";
import type { Store } from "../../src/store/store.ts";
import { ON_POSTGRES, openWorld, type World } from "./harness.ts";

const LEASE_MS = 30_000;
/** P9, beyond the lease. */
const TAKEOVER_MS = 2_000;

const quick = workflow("t/quick", { version: "1.0.0" }, async (ctx) => ctx.step("one", () => 1));

/** A worker on another machine, which has just died there. */
function aDeadOne({ store, nowMs }: World): Promise<number> {
  const who = { name: "w", host: "far", bootId: "far", pid: 1, pidNamespace: "far", pidStartedAt: "0" };
  return store.registerWorker(who, { concurrency: 1, workflows: [], leaseMs: LEASE_MS }, nowMs());
}

async function isRegistered({ store, nowMs }: World, workerId: number): Promise<boolean> {
  return (await store.listWorkers(nowMs())).some((worker) => worker.workerId === workerId);
}

/** A store of which the named call can be made to fail, or to hang. */
function openBroken(call: "listWorkers" | "renewWorker" | "releaseRuns") {
  const state = { how: "works" as "works" | "fails" | "hangs", calls: 0 };
  const wrap = (store: Store): Store => ({
    ...store,
    [call]: (...args: never[]) => {
      state.calls += 1;
      if (state.how === "fails") return Promise.reject(new Error("broken"));
      if (state.how === "hangs") return new Promise(() => {});
      return (store[call] as (...args: never[]) => Promise<unknown>)(...args);
    },
  });
  return { wrap, state };
}

it("P9: a look for the dead that failed is made again at once, not at the next renewal", async () => {
  const world = await openWorld();
  const { wrap, state } = openBroken("listWorkers");
  await world.open({ workflows: [quick], lease: LEASE_MS }, wrap);
  await world.advance(1_000);
  const dead = await aDeadOne(world);
  await world.advance(LEASE_MS - 10);
  state.how = "fails";
  state.calls = 0;
  await world.advance(200);
  expect(state.calls).toBe(1);
  state.how = "works";
  await world.advance(TAKEOVER_MS);
  expect(await isRegistered(world, dead)).toBe(false);
});

it("P9: the dead are looked for when their lease lapses, also if the last renewal before it failed", async () => {
  const world = await openWorld();
  const { wrap, state } = openBroken("renewWorker");
  await world.open({ workflows: [quick], lease: LEASE_MS }, wrap);
  await world.advance(9_000);
  const dead = await aDeadOne(world);
  await world.advance(15_000);
  state.how = "fails";
  await world.advance(LEASE_MS - 15_000 + TAKEOVER_MS);
  expect(await isRegistered(world, dead)).toBe(false);
});

it("P9: a lease lapses by the store's clock, however far from it the worker's own is", async () => {
  const world = await openWorld();
  const serverMs = (): number => world.nowMs() + LEASE_MS;
  await world.open({ workflows: [quick], lease: LEASE_MS }, (store) => ({
    ...store,
    registerWorker: (process, offer, nowMs) => store.registerWorker(process, offer, nowMs ?? serverMs()),
    renewWorker: (workerId, standing, nowMs) => store.renewWorker(workerId, standing, nowMs ?? serverMs()),
    listWorkers: (nowMs) => store.listWorkers(nowMs ?? serverMs()),
    buryWorker: (workerId, gone, nowMs) => store.buryWorker(workerId, gone, nowMs ?? serverMs()),
  }));
  const dead = await aDeadOne({ ...world, nowMs: serverMs });
  await world.advance(LEASE_MS - 10);
  expect(await isRegistered(world, dead)).toBe(true);
  await world.advance(TAKEOVER_MS);
  expect(await isRegistered(world, dead)).toBe(false);
});

it("a takeover that takes its time does not hold up the renewals", async (context) => {
  context.skip(ON_POSTGRES, "what hangs is told from what takes its time by real time alone");
  const world = await openWorld();
  const { wrap, state } = openBroken("releaseRuns");
  const { engine } = await world.open({ workflows: [quick], lease: LEASE_MS }, wrap);
  state.how = "hangs";
  await aDeadOne(world);
  for (let lease = 0; lease < 3; lease += 1) await world.advance(LEASE_MS);
  const [me] = await world.store.listWorkers(world.nowMs());
  expect(me?.leaseLeftMs).toBeGreaterThan(LEASE_MS / 2);
  expect(await engine.run(quick)).toBe(1);
});

it("L2: one that finds itself declared dead frees what it held, if whoever said so has not", async () => {
  const world = await openWorld();
  const stuck = workflow("t/stuck", { version: "1.0.0" }, (ctx) => ctx.step("never", () => new Promise(() => {})));
  const { engine } = await world.open({ workflows: [stuck], lease: LEASE_MS });
  const run = await engine.start(stuck);
  await world.settle();
  const [me] = await world.store.listWorkers(world.nowMs());
  await world.store.buryWorker(me!.workerId, true, world.nowMs());
  await world.advance(LEASE_MS / 3 + 500);
  expect((await run.history()).filter((event) => event.kind === "note" && event.note === "takeover")).toHaveLength(1);
});
