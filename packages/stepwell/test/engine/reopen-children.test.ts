/** Retry of a run and of the runs that it awaits, on a real store, with time in the test's hands. */
import { expect, it } from "vitest";
import { workflow } from "../../src/index.ts";
import { openWorld } from "./harness.ts";
import { aPlant, KIM } from "./plant.ts";

it("children that failed go on with it; one that completed is not done again", async () => {
  const world = await openWorld();
  const { log, step, cure } = aPlant(["bad"]);
  const grandchild = workflow("t/grandchild", { version: "1.0.0" }, (ctx) => ctx.step("bad", step("bad")));
  const good = workflow("t/good", { version: "1.0.0" }, (ctx) => ctx.step("good", step("good")));
  const bad = workflow("t/bad", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("before", step("before"));
    return ctx.run("deep", grandchild, undefined);
  });
  const parent = workflow("t/parent", { version: "1.0.0" }, (ctx) =>
    Promise.all([ctx.run("good", good, undefined), ctx.run("bad", bad, undefined)]),
  );
  const { engine } = await world.open({ workflows: [grandchild, good, bad, parent] });
  const run = await engine.start(parent, undefined, { id: "x" });
  await run.outcome();
  cure("bad");
  await run.retry(KIM);
  expect(await run.result()).toEqual(["good", "bad"]);
  expect(log.toSorted()).toEqual(["bad", "bad", "before", "good"]);
});

it("a child that an operator retried by itself is told to its parent when that goes on", async () => {
  const world = await openWorld();
  const { log, step, cure } = aPlant(["bad"]);
  const child = workflow("t/child", { version: "1.0.0" }, (ctx) => ctx.step("bad", step("bad")));
  const parent = workflow("t/parent", { version: "1.0.0" }, (ctx) => ctx.run("child", child, undefined));
  const { engine } = await world.open({ workflows: [child, parent] });
  const run = await engine.start(parent, undefined, { id: "x" });
  await run.outcome();
  cure("bad");
  const itself = await engine.get(child, "t/parent:x:child");
  await itself.retry(KIM);
  await itself.result();
  await run.retry(KIM);
  expect(await run.result()).toBe("bad");
  expect(log).toEqual(["bad", "bad"]);
});

it("a child whose work was undone is started anew", async () => {
  const world = await openWorld();
  const { log, step, cure } = aPlant(["ship"]);
  const child = workflow("t/child", { version: "1.0.0" }, (ctx) => ctx.step("book", step("book")));
  const parent = workflow("t/parent", { version: "1.0.0" }, async (ctx) => {
    await ctx.run("child", child, undefined).compensate(step("unbook"));
    return ctx.step("ship", step("ship"));
  });
  const { engine } = await world.open({ workflows: [child, parent] });
  const run = await engine.start(parent, undefined, { id: "x" });
  await run.outcome();
  cure("ship");
  await run.retry(KIM);
  expect(await run.result()).toBe("ship");
  expect(log).toEqual(["book", "ship", "unbook", "book", "ship"]);
});
