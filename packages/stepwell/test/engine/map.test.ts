/** Lists: steps per item, calls side by side. */
import { expect, it } from "vitest";
import { z } from "zod";
import { type Ctx, handler, workflow, type Workflow } from "../../src/index.ts";
import { openWorld } from "./harness.ts";

function define<O>(body: (ctx: Ctx<void>) => Promise<O>): Workflow<void, O> {
  return workflow("t/map", { version: "1.0.0" }, body);
}

it("a map takes a handler: each item is checked, and tried by the handler's own policy", async () => {
  const world = await openWorld();
  const tried: string[] = [];
  const double = handler("double", { input: z.object({ n: z.coerce.number() }), attempts: 2 }, ({ n }, s) => {
    tried.push(`${n}.${s.attempt}`);
    if (n === 2 && s.attempt === 1) throw new Error("again");
    return n * 2;
  });
  const w = define((ctx) => ctx.map("double", [{ n: "1" }, { n: "2" }], { key: (item) => item.n }, double));
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  await world.advance(10_000);
  expect(await run.result()).toEqual([2, 4]);
  expect(tried).toEqual(["1.1", "2.1", "2.2"]);
});

it("a handler's timeout holds for each attempt, unless a map has one of its own", async () => {
  const world = await openWorld();
  const hang = handler("hang", { input: z.string(), attempts: 1, timeout: "5s" }, () => new Promise(() => {}));
  const codeOf = (error: { readonly code: string }): string => error.code;
  const w = define(async (ctx) => {
    const began = await ctx.now("began");
    const step = await ctx.step(hang, "x").then(String, codeOf);
    const between = await ctx.now("between");
    const map = await ctx.map("items", ["a"], { timeout: "2s" }, hang).then(String, codeOf);
    const end = await ctx.now("end");
    return [step, Number(between) - Number(began), map, Number(end) - Number(between)];
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  await world.advance(8_000);
  expect(await run.result()).toEqual(["STEP_TIMEOUT", 5_000, "STEP_TIMEOUT", 2_000]);
});

it("the compensation of a map gets the value, the item and the step, newest first", async () => {
  const world = await openWorld();
  const undone: unknown[] = [];
  const w = define(async (ctx) => {
    await ctx
      .map("book", ["hotel", "car"], { concurrency: 1 }, (item) => `${item} booked`)
      .compensate((value, item, step) => void undone.push([value, item, step.step]));
    throw new Error("ill");
  });
  const { engine } = await world.open({ workflows: [w] });
  expect((await (await engine.start(w)).outcome()).state).toBe("failed");
  expect(undone).toEqual([
    ["car booked", "car", "@compensate/book/car"],
    ["hotel booked", "hotel", "@compensate/book/hotel"],
  ]);
});

it("an empty list is done at once; a concurrency below one is refused", async () => {
  const world = await openWorld();
  const w = define(async (ctx) => {
    const nothing: string[] = [];
    const refused = await Promise.resolve()
      .then(() => ctx.map("some", ["a"], { concurrency: 0 }, (item) => item))
      .then(String, (error: { readonly code: string }) => error.code);
    return [await ctx.map("none", nothing, {}, (item) => item), refused];
  });
  const { engine } = await world.open({ workflows: [w] });
  expect(await engine.run(w)).toEqual([[], "OPTION_INVALID"]);
});

it("ctx.all takes a list or a record, and gives values in the same shape", async () => {
  const world = await openWorld();
  const w = define(async (ctx) => {
    const list = await ctx.all([ctx.step("a", () => 1), ctx.step("b", () => "two")]);
    const record = await ctx.all({ c: ctx.step("c", () => 3), d: ctx.step("d", () => "four") });
    return { list, record };
  });
  const { engine } = await world.open({ workflows: [w] });
  expect(await engine.run(w)).toEqual({ list: [1, "two"], record: { c: 3, d: "four" } });
});

it("a renamed map may have had a name of several parts", async () => {
  const world = await openWorld();
  const log: string[] = [];
  const before = define(async (ctx) => {
    for (const item of ["a", "b"]) await ctx.step(["ship", 2, item], () => log.push(`old ${item}`));
    await ctx.sleep("nap", "1h");
  });
  const after = define((ctx) => ctx.map("send", ["a", "b"], {}, (item) => log.push(`new ${item}`)).was(["ship", 2]));
  const first = await world.open({ workflows: [before] });
  await first.engine.start(before, undefined, { id: "x" });
  await world.settle();
  first.crash();
  const second = await world.open({ workflows: [after] });
  await world.advance(3_600_000);
  expect(await (await second.engine.get(after, "x")).result()).toEqual([1, 2]);
  expect(log).toEqual(["old a", "old b"]);
});
