/** The workers of a store as people see them, and runs that none of them can execute. */
import { expect, it } from "vitest";
import { openEngineOn } from "../../src/engine/engine.ts";
import { openHost } from "../../src/engine/host.ts";
import { workflow } from "../../src/index.ts";
import { openModelStore } from "../../src/testing/model-store/model-store.ts";
import { openWorld } from "./harness.ts";

const make = (version: string) => workflow("t/served", { version }, (ctx) => ctx.step("a", () => version));
const other = workflow("t/other", { version: "3.1.0" }, async () => null);

it("lists who works, what each can execute, how busy it is, and who has not been heard of", async () => {
  const world = await openWorld();
  let release = (): void => {};
  const busy = workflow("t/busy", { version: "1.0.0" }, (ctx) =>
    ctx.step("long", () => new Promise<void>((resolve) => (release = resolve))),
  );
  const first = await world.open({ workflows: [busy, other], work: { name: "north", concurrency: 7 }, lease: "10s" });
  const web = await world.open({ workflows: [busy], work: false });
  const startedAtMs = world.nowMs();
  await first.engine.start(busy);
  await world.advance(4_000);
  const north = { name: "north", host: "test", state: "alive", workflows: ["t/busy@1.0.0", "t/other@3.1.0"] };
  expect(await web.engine.workers()).toMatchObject([{ ...north, concurrency: 7, executing: 1, startedAtMs }]);
  const [seen] = await web.engine.workers();
  expect(seen!.seenAtMs).toBeGreaterThan(startedAtMs);
  first.crash();
  await world.advance(20_000);
  expect(await web.engine.workers()).toMatchObject([{ name: "north", state: "lapsed" }]);
  release();
});

it("F28: a run that no living worker can execute says for whom it waits, until one comes", async () => {
  const world = await openWorld();
  const web = await world.open({ workflows: [make("1.2.0")], work: false });
  const run = await web.engine.start(make("1.2.0"), undefined, { id: "r" });
  const waits = async () => (await run.status()).waitingFor;
  const forWorker = [{ kind: "worker", key: "", name: "t/served@1.2.0", dueAtMs: null }];
  expect(await waits()).toEqual(forWorker);
  const older = await world.open({ workflows: [make("1.1.0"), other] });
  const nextMajor = await world.open({ workflows: [make("2.0.0")] });
  await world.advance(5_000);
  expect(await waits()).toEqual(forWorker);
  const newer = await world.open({ workflows: [make("1.3.0")] });
  await world.settle();
  expect(await run.status()).toMatchObject({ state: "completed", waitingFor: [] });
  for (const { engine } of [older, nextMajor, newer]) await engine.close();
});

it("refuses a worker without a name", async () => {
  const world = await openWorld();
  await expect(world.open({ workflows: [other], work: { name: "" } })).rejects.toMatchObject({
    code: "OPTION_INVALID",
  });
});

it("F13: what a body takes for the present is the store's clock, on which its timers go, and not its worker's", async () => {
  const aheadMs = 3_600_000;
  const host = openHost();
  const store = openModelStore({ clock: () => host.nowMs() + aheadMs });
  const body = workflow("t/appointed", { version: "1.0.0" }, async (ctx) => {
    const now = await ctx.now("now");
    await ctx.sleepUntil("missed", now.getTime() - 1);
    return now;
  });
  const engine = await openEngineOn(store, host, { workflows: [body], log: () => {} });
  const beganMs = Date.now() + aheadMs;
  const now = await (await engine.start(body)).result();
  expect(now.getTime()).toBeGreaterThanOrEqual(beganMs);
  expect(now.getTime()).toBeLessThanOrEqual(Date.now() + aheadMs);
  await engine.close();
});
