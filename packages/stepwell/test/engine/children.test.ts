/** Children at the edges: refused, taken, renamed, cancelled at the wrong moment. */
import { expect, it } from "vitest";
import { z } from "zod";
import { type Ctx, PermanentError, workflow, type Workflow } from "../../src/index.ts";
import { openWorld } from "./harness.ts";

const HOUR = 3_600_000;

function define<O>(body: (ctx: Ctx<void>) => Promise<O>): Workflow<void, O> {
  return workflow("t/parent", { version: "1.0.0" }, body);
}

const codeOf = (error: { readonly code: string }): string => error.code;

it("input that a child's schema refuses fails the call, and no child is started", async () => {
  const world = await openWorld();
  const child = workflow("t/child", { version: "1.0.0", input: z.object({ n: z.number() }) }, async () => 1);
  const w = define(async (ctx) => {
    const awaited = await ctx.run("run", child, { n: "x" } as never).then(String, codeOf);
    const detached = await ctx.start("start", child, {} as never).then(String, codeOf);
    return [awaited, detached];
  });
  const { engine } = await world.open({ workflows: [w, child] });
  const run = await engine.start(w);
  expect(await run.result()).toEqual(["INPUT_INVALID", "INPUT_INVALID"]);
  expect((await engine.list({ workflow: "t/child" })).runs).toEqual([]);
});

it("an id that a stranger has is refused, one that this very run has started is found again", async () => {
  const world = await openWorld();
  const child = workflow("t/child", { version: "1.0.0" }, (ctx) => ctx.sleep("nap", "1h"));
  const w = define((ctx) => ctx.start("start", child, undefined, { id: "taken" }).then(String, codeOf));
  const { engine } = await world.open({ workflows: [w, child] });
  await engine.start(child, undefined, { id: "taken" });
  expect(await engine.run(w)).toBe("RUN_ID_CONFLICT");
});

it("a child's failure can be handled by its code or replaced, and is a checkpoint then", async () => {
  const world = await openWorld();
  let made = 0;
  const child = workflow("t/child", { version: "1.0.0" }, () => {
    throw new PermanentError("no stock");
  });
  const w = define(async (ctx) => {
    const handled = await ctx.run("handled", child, undefined).onError({ RUN_FAILED: (e) => [e.code, (made += 1)] });
    const replaced = await ctx.run("replaced", child, undefined).fallback(() => ["cached", (made += 1)]);
    const failing = await ctx
      .run("failing", child, undefined)
      .fallback(() => {
        throw new PermanentError("no cache", { code: "NO_CACHE" });
      })
      .then(String, codeOf);
    await ctx.sleep("nap", "1h");
    return [handled, replaced, failing];
  });
  const first = await world.open({ workflows: [w, child] });
  await first.engine.start(w, undefined, { id: "x" });
  await world.settle();
  first.crash();
  const second = await world.open({ workflows: [w, child] });
  await world.advance(HOUR);
  const run = await second.engine.get(w, "x");
  expect(await run.result()).toEqual([["RUN_FAILED", 1], ["cached", 2], "NO_CACHE"]);
  const outcomes = (await run.history()).flatMap((e) => (e.kind === "step" && e.step === "child" ? [e.outcome] : []));
  expect(outcomes).toEqual(["handled", "handled", "failed"]);
});

it("a renamed child that no execution has come to is started under its new name", async () => {
  const world = await openWorld();
  const child = workflow("t/child", { version: "1.0.0" }, async (ctx) => ctx.runId);
  const nap = (ctx: Ctx<void>): Promise<void> => ctx.sleep("nap", "1h");
  const before = define(nap);
  const after = define(async (ctx) => {
    await nap(ctx);
    return ctx.run("invoice", child, undefined).was("bill");
  });
  const first = await world.open({ workflows: [before, child] });
  await first.engine.start(before, undefined, { id: "x" });
  await world.settle();
  first.crash();
  const second = await world.open({ workflows: [after, child] });
  await world.advance(HOUR);
  expect(await (await second.engine.get(after, "x")).result()).toBe("t/parent:x:invoice");
});

it("a cancel while a renamed child is looked for starts none", async () => {
  const world = await openWorld();
  const child = workflow("t/child", { version: "1.0.0" }, (ctx) => ctx.sleep("nap", "1h"));
  const before = define((ctx) => ctx.sleep("nap", "1h"));
  const after = define(async (ctx) => {
    await ctx.sleep("nap", "1h");
    await ctx.run("invoice", child, undefined).was("bill");
  });
  const first = await world.open({ workflows: [before, child] });
  await first.engine.start(before, undefined, { id: "x" });
  await world.settle();
  first.crash();
  let found = (): void => {};
  const second = await world.open({ workflows: [after, child] }, (store) => ({
    ...store,
    findRun: async (ref) => {
      if (ref.name === "child") await new Promise<void>((resolve) => (found = resolve));
      return store.findRun(ref);
    },
  }));
  const run = await second.engine.get(after, "x");
  void world.advance(HOUR);
  await world.until(async () => (await run.status()).state === "running");
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  await run.cancel();
  found();
  expect((await run.outcome()).state).toBe("cancelled");
  expect((await second.engine.list({ workflow: "t/child" })).runs).toEqual([]);
});

it("a cancel while a child's input is checked starts no child", async () => {
  const world = await openWorld();
  let checked = (): void => {};
  const slow = z.string().refine(() => new Promise<boolean>((resolve) => (checked = () => resolve(true))));
  const child = workflow("t/child", { version: "1.0.0", input: slow }, async () => 1);
  const w = define((ctx) => Promise.all([ctx.run("child", child, "x"), ctx.step("deaf", () => new Promise(() => {}))]));
  const { engine } = await world.open({ workflows: [w, child], grace: "5s" });
  const run = await engine.start(w);
  await world.settle();
  await run.cancel();
  checked();
  await world.advance(10_000);
  expect((await run.outcome()).state).toBe("cancelled");
  expect((await engine.list({ workflow: "t/child" })).runs).toEqual([]);
});

it("a child that nobody awaits is asked to stop when its parent ends, also when it was on its way to the store", async () => {
  const world = await openWorld();
  const child = workflow("t/child", { version: "1.0.0" }, (ctx) => ctx.sleep("nap", "30d"));
  const w = define(async (ctx) => {
    void ctx.run("child", child, undefined);
    await Promise.resolve();
    return "done";
  });
  const { engine } = await world.open({ workflows: [w, child] });
  const run = await engine.start(w);
  expect(await run.result()).toBe("done");
  await world.settle();
  const [left] = (await engine.list({ workflow: "t/child" })).runs;
  expect(left?.state).toBe("cancelled");
  expect((await run.history()).flatMap((e) => (e.kind === "note" ? [e.note] : []))).toEqual(["floating"]);
});

it("a cancel while the failure of a child is handled ends the run; what the handler gives is not taken", async () => {
  const world = await openWorld();
  let handled = (): void => {};
  const child = workflow("t/child", { version: "1.0.0" }, () => {
    throw new PermanentError("no stock");
  });
  const w = define((ctx) =>
    ctx.run("child", child, undefined).onError({
      RUN_FAILED: () => new Promise<string>((resolve) => (handled = () => resolve("late"))),
    }),
  );
  const { engine } = await world.open({ workflows: [w, child], grace: "1s" });
  const run = await engine.start(w);
  await world.settle();
  await run.cancel();
  await world.advance(2_000);
  handled();
  expect((await run.outcome()).state).toBe("cancelled");
  expect((await run.history()).filter((event) => event.kind === "step" && event.step === "child")).toEqual([]);
});
