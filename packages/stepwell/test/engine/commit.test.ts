/** Group commit: batching, unknown outcomes, definite failures. */
import { expect, it } from "vitest";
import { StepwellError, workflow } from "../../src/index.ts";
import type { Store } from "../../src/store/store.ts";
import { ON_POSTGRES, openWorld } from "./harness.ts";

const full = () => new StepwellError("STORE_FULL", "the disk is full.");
const unknown = () => new StepwellError("STORE_OUTCOME_UNKNOWN", "COMMIT failed.");

/** A store whose flushes fail as told: before or after they were applied. */
function failing(faults: { at: number; error: () => Error; applied: boolean }[], counter: { n: number }) {
  return (store: Store): Store => ({
    ...store,
    flush: async (...args) => {
      const fault = faults.find((f) => f.at === counter.n);
      counter.n += 1;
      if (fault === undefined) return store.flush(...args);
      if (fault.applied) await store.flush(...args);
      throw fault.error();
    },
  });
}

it("everything of one turn goes into one commit", async (context) => {
  context.skip(ON_POSTGRES, "it takes two flushes at a time");
  const world = await openWorld();
  const w = workflow("t/batch", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("a", () => 1);
    await ctx.step("b", () => 2);
  });
  const { engine } = await world.open({ workflows: [w] });
  const before = engine.stats().flushes;
  const runs = await Promise.all(Array.from({ length: 100 }, () => engine.start(w)));
  await Promise.all(runs.map((run) => run.result()));
  expect(engine.stats().flushes - before).toBe(4);
});

it.each([
  ["applied", true],
  ["not applied", false],
])("P1: an unknown commit that was %s is submitted again; every effect happens once", async (_name, applied) => {
  for (let at = 0; at < 8; at += 1) {
    const world = await openWorld();
    const ran: string[] = [];
    const child = workflow("t/leaf", { version: "1.0.0" }, async (ctx) => ctx.step("c", () => 1));
    const w = workflow("t/unknown", { version: "1.0.0" }, async (ctx) => {
      await ctx.step("a", () => void ran.push("a"));
      await ctx.run("child", child, undefined);
      await ctx.sleep("nap", "5s");
      return ctx.step("b", () => ran.push("b"));
    });
    const counter = { n: 0 };
    const { engine } = await world.open({ workflows: [w, child] }, failing([{ at, error: unknown, applied }], counter));
    const started = engine.start(w, undefined, { id: "u" });
    await world.advance(60_000);
    const run = await started;
    expect(await run.result(), `flush ${at}`).toBe(2);
    expect(ran, `flush ${at}`).toEqual(["a", "b"]);
    const seqs = (await run.history()).map((event) => event.seq);
    expect(seqs).toEqual(seqs.map((_seq, index) => index + 1));
  }
});

it("F4: with a full disk outsiders get the coded error, running runs wait and go on, none fails", async () => {
  const world = await openWorld();
  let disk = "ok";
  const w = workflow("t/full", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("a", () => 1);
    await ctx.sleep("wait", "500ms");
    return ctx.step("b", () => 2);
  });
  const { engine } = await world.open({ workflows: [w] }, (store) => ({
    ...store,
    flush: (...args) => (disk === "full" ? Promise.reject(full()) : store.flush(...args)),
  }));
  const run = await engine.start(w);
  await world.settle();
  disk = "full";
  await expect(engine.start(w)).rejects.toMatchObject({ code: "STORE_FULL" });
  await world.advance(5_000);
  disk = "ok";
  await world.advance(2_000);
  expect(await run.result()).toBe(2);
});
