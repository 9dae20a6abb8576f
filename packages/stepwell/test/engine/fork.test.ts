/** Fork: another run begins with what one has recorded, on a real store, with time in the test's hands. */
import { expect, it } from "vitest";
import { z } from "zod";
import { signal, workflow } from "../../src/index.ts";
import type { RunHandle } from "../../src/engine/handle.ts";
import { openWorld, type World } from "./harness.ts";
import { aPlant, KIM } from "./plant.ts";

/** What it returned; it may have ended before anybody waits for it. */
async function outputOf(world: World, run: RunHandle): Promise<unknown> {
  await world.until(async () => (await run.status()).endedAtMs !== null);
  return (await run.status()).output;
}

const LINE = ["a", "b", "c"];

/** A workflow of three steps that returns what they gave. */
function aLine(broken: readonly string[] = []) {
  const plant = aPlant(broken);
  const w = workflow("t/line", { version: "1.0.0", input: z.object({ cents: z.number() }) }, async (ctx, { cents }) => {
    const done: unknown[] = [cents];
    for (const name of LINE) done.push(await ctx.step(name, plant.step(name)));
    return done;
  });
  return { ...plant, w };
}

it("performs the step and those after it again, in a run of its own", async () => {
  const world = await openWorld();
  const { log, w } = aLine();
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, { cents: 5 }, { id: "x" });
  await run.result();
  const before = await run.history();
  const fork = await run.fork({ ...KIM, id: "y", from: "b" });
  expect(await outputOf(world, fork)).toEqual([5, "a", "b", "c"]);
  expect(log).toEqual(["a", "b", "c", "b", "c"]);
  expect(await run.history()).toEqual(before);
  const history = await fork.history();
  expect(history.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(history[1]).toMatchObject({ key: "@fork", value: { ...KIM, run: "x", from: "b", edited: [], generation: 1 } });
  expect((await fork.status()).actor).toBe("kim");
});

it("with other outputs and another input", async () => {
  const world = await openWorld();
  const { log, w } = aLine();
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, { cents: 5 }, { id: "x" });
  await run.result();
  const fork = await engine.fork(w, "x", { from: "b", outputs: { a: "A", b: { given: true } }, input: { cents: 7 } });
  expect(await outputOf(world, fork)).toEqual([7, "A", { given: true }, "c"]);
  expect(log).toEqual(["a", "b", "c", "c"]);
  const [, , ...steps] = await fork.history();
  expect(steps.slice(0, 2)).toMatchObject([
    { key: "a", outcome: "resolved" },
    { key: "b", outcome: "resolved" },
  ]);
});

it("of a run that failed performs what a retry would; of one that is under way it says from where", async () => {
  const world = await openWorld();
  const { log, cure, w } = aLine(["b"]);
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, { cents: 5 }, { id: "x" });
  await run.outcome();
  cure("b");
  expect(await outputOf(world, await run.fork())).toEqual([5, "a", "b", "c"]);
  expect(log).toEqual(["a", "b", "b", "c"]);
  expect((await run.status()).state).toBe("failed");
});

it("goes on with another version", async () => {
  const world = await openWorld();
  const { log, w, step } = aLine();
  const next = workflow("t/line", { version: "2.0.0" }, async (ctx) => {
    await ctx.step("a", step("a"));
    return ctx.step("z", step("z"));
  });
  const { engine } = await world.open({ workflows: [w, next] });
  const run = await engine.start(w, { cents: 5 }, { id: "x" });
  await run.result();
  const fork = await run.fork({ from: "b", version: "2.0.0" });
  expect(await outputOf(world, fork)).toBe("z");
  expect((await fork.status()).version).toBe("2.0.0");
  expect(log).toEqual(["a", "b", "c", "z"]);
});

it("keeps derived randomness, also in a fork of a fork, and after a crash", async () => {
  const world = await openWorld();
  const go = signal("go");
  const w = workflow("t/dice", { version: "1.0.0" }, async (ctx) => {
    const early = await ctx.step("early", () => 1);
    await ctx.waitFor(go);
    return [early, ctx.uuid("order"), await ctx.step("late", () => 2)];
  });
  const first = await world.open({ workflows: [w] });
  const run = await first.engine.start(w, undefined, { id: "x" });
  await run.signal(go);
  const [, uuid] = (await run.result()) as [number, string];
  const fork = await run.fork({ id: "y", from: "@wait/go/1" });
  await fork.fork({ id: "z", from: "early" });
  await world.settle();
  first.crash();
  const { engine } = await world.open({ workflows: [w] });
  for (const id of ["y", "z"]) {
    await engine.signal(w, id, go);
    expect(await outputOf(world, await engine.get(w, id))).toEqual([1, uuid, 2]);
  }
});

it("undoes only what it has done itself", async () => {
  const world = await openWorld();
  const { log, step, cure } = aPlant(["ship"]);
  const w = workflow("t/saga", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("charge", step("charge")).compensate(step("refund"));
    await ctx.step("pack", step("pack")).compensate(step("unpack"));
    return ctx.step("ship", step("ship"));
  });
  const { engine } = await world.open({ workflows: [w] });
  cure("ship");
  const run = await engine.start(w, undefined, { id: "x" });
  await run.result();
  log.splice(0);
  const ill = aPlant(["ship"]);
  const broken = workflow("t/saga", { version: "1.0.1" }, async (ctx) => {
    await ctx.step("charge", ill.step("charge")).compensate(ill.step("refund"));
    await ctx.step("pack", ill.step("pack")).compensate(ill.step("unpack"));
    return ctx.step("ship", ill.step("ship"));
  });
  await engine.close();
  const second = await world.open({ workflows: [broken] });
  const fork = await second.engine.fork(broken, "x", { from: "pack" });
  await outputOf(world, fork);
  expect((await fork.status()).state).toBe("failed");
  expect(ill.log).toEqual(["pack", "ship", "unpack"]);
});

it("asked for twice under one id, it is one run; another fork under that id is refused", async () => {
  const world = await openWorld();
  const { log, w } = aLine();
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, { cents: 5 }, { id: "x" });
  await run.result();
  const forks = await Promise.all([run.fork({ id: "y", from: "c" }), run.fork({ id: "y", from: "c" })]);
  for (const fork of forks) await outputOf(world, fork);
  expect(log).toEqual(["a", "b", "c", "c"]);
  await expect(run.fork({ id: "y", from: "b" })).rejects.toMatchObject({ code: "RUN_ID_CONFLICT" });
  await expect(run.fork({ id: "x", from: "b" })).rejects.toMatchObject({ code: "RUN_ID_CONFLICT" });
});

it("bad input is refused by name, and nothing is started", async () => {
  const world = await openWorld();
  const { w } = aLine();
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, { cents: 5 }, { id: "x" });
  await run.result();
  const refused = async (options: Parameters<typeof run.fork>[0], code: string): Promise<void> => {
    await expect(run.fork(options), JSON.stringify(options)).rejects.toMatchObject({ code });
  };
  await refused({}, "OPTION_INVALID");
  await refused({ from: "z" }, "STEP_NOT_FOUND");
  await refused({ from: "b", outputs: { c: 1 } }, "STEP_NOT_FOUND");
  await refused({ from: "b", outputs: { a: () => 1 } }, "NOT_SERIALISABLE");
  await refused({ from: "b", input: { cents: "five" } }, "INPUT_INVALID");
  await refused({ from: "b", version: "3.0.0" }, "WORKFLOW_NOT_REGISTERED");
  await refused({ from: "b", form: "c" } as never, "OPTION_UNKNOWN");
  expect((await engine.list()).runs).toHaveLength(1);
});
