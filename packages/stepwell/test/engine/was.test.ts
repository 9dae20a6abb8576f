/** Renamed calls: a run that knows the old name keeps it wholly. */
import { expect, it } from "vitest";
import { type Ctx, signal, workflow, type Workflow } from "../../src/index.ts";
import { openWorld } from "./harness.ts";

const ping = signal<string>("ping");
const HOUR = 3_600_000;

function define<O>(body: (ctx: Ctx<void>) => Promise<O>): Workflow<void, O> {
  return workflow("t/was", { version: "1.0.0" }, body);
}

/** Run `before` for half an hour, crash, and go on with `after`. */
async function deploy<O>(before: Workflow<void, unknown>, after: Workflow<void, O>, others: readonly Workflow[] = []) {
  const world = await openWorld();
  const first = await world.open({ workflows: [before, ...others] });
  await first.engine.start(before, undefined, { id: "x" });
  await world.advance(HOUR / 2);
  first.crash();
  const second = await world.open({ workflows: [after, ...others] });
  await world.advance(HOUR);
  const run = await second.engine.get(after, "x");
  const steps = (await run.history()).flatMap((event) => (event.kind === "step" ? [event.key] : []));
  return { world, engine: second.engine, run, steps };
}

it("F26: renamed steps, sleeps, maps, waits, races and moments keep their outcomes", async () => {
  const log: string[] = [];
  const before = define(async (ctx) => {
    await ctx.step("pay", () => log.push("pay"));
    await ctx.map("ship", ["a", "b"], {}, (item) => log.push(`ship ${item}`));
    await ctx.now("then");
    await ctx.race("first", { quick: ctx.step("quick", () => 1), slow: ctx.sleep("slow", "9d") });
    await Promise.all([ctx.sleep("nap", "1h"), ctx.waitFor(ping, { name: "go", timeout: "1h" })]);
  });
  const after = define(async (ctx) => {
    const paid = await ctx.step("charge", () => log.push("charge")).was("pay");
    const shipped = await ctx.map("send", ["a", "b"], {}, (item) => log.push(`send ${item}`)).was("ship");
    await ctx.now("when").was("then");
    const quick = ctx.step("fast", () => log.push("fast")).was("quick");
    const slow = ctx.sleep("long", "9d").was("slow");
    const first = await ctx.race("winner", { quick, slow }).was("first");
    await Promise.all([
      ctx.sleep("rest", "1h").was("nap"),
      ctx.waitFor(ping, { name: "answer", timeout: "1h" }).was("go"),
    ]);
    return [paid, shipped, first.winner, await ctx.step("new", () => "new").was("never")];
  });
  const { run, steps } = await deploy(before, after);
  expect(await run.result()).toEqual([1, [2, 3], "quick", "new"]);
  expect(log).toEqual(["pay", "ship a", "ship b"]);
  const kept = ["pay", "ship/a", "ship/b", "then", "quick", "slow", "first", "nap", "@wait/ping/go", "new"];
  expect([...steps].sort()).toEqual(kept.sort());
});

it("P5, P10: a renamed step keeps its attempts and its idempotency key; renamed twice, all names are said", async () => {
  const seen: string[] = [];
  const before = define((ctx) =>
    ctx.step("one", () => Promise.reject(new Error("not yet"))).retry({ attempts: 5, base: "1h", jitter: 0 }),
  );
  const after = define((ctx) =>
    ctx
      .step("three", (s) => void seen.push(`${s.attempt} ${s.step} ${s.idempotencyKey}`))
      .was("one")
      .was("two"),
  );
  const { run } = await deploy(before, after);
  await run.result();
  expect(seen).toEqual(["2 one t/was:x:one"]);
});

it("F22: a renamed step is compensated by its new closure", async () => {
  const undone: unknown[] = [];
  const book = (ctx: Ctx<void>, name: string) => ctx.step(name, () => "room 7");
  const before = define(async (ctx) => {
    await book(ctx, "hotel").compensate((room) => void undone.push(`old ${room}`));
    await ctx.sleep("nap", "1h");
  });
  const after = define(async (ctx) => {
    await book(ctx, "room")
      .compensate((room) => void undone.push(`new ${room}`))
      .was("hotel");
    await ctx.sleep("nap", "1h");
    throw new Error("changed my mind");
  });
  const { run, steps } = await deploy(before, after);
  expect((await run.outcome()).state).toBe("failed");
  expect(undone).toEqual(["new room 7"]);
  expect(steps).toContain("@compensate/hotel");
});

it("a renamed child that is under way, or has been started, is the same child", async () => {
  const child = workflow("t/child", { version: "1.0.0" }, async (ctx) => {
    await ctx.sleep("nap", "1h");
    return ctx.runId;
  });
  const before = define((ctx) =>
    Promise.all([ctx.run("bill", child, undefined), ctx.start("audit", child, undefined)]),
  );
  const after = define(async (ctx) => {
    const [billed, audit] = await Promise.all([
      ctx.run("invoice", child, undefined).was("bill"),
      ctx.start("check", child, undefined).was("audit"),
    ]);
    return [billed, audit.id];
  });
  const { engine, run } = await deploy(before, after, [child]);
  expect(await run.result()).toEqual(["t/was:x:bill", "t/was:x:audit"]);
  expect((await engine.list({ workflow: "t/child" })).runs).toHaveLength(2);
});

it("P12: asking for both names in one body is refused, whichever comes first", async () => {
  const world = await openWorld();
  const code = (call: Promise<unknown>): Promise<unknown> =>
    call.then(String, (error: { readonly code: string }) => error.code);
  const w = define(async (ctx) => {
    await ctx.step("old", () => 1);
    const second = await code(ctx.step("new", () => 2).was("old"));
    await ctx.step("newer", () => 3).was("former");
    const fourth = await Promise.resolve()
      .then(() => ctx.step("former", () => 4))
      .then(String, (error: { readonly code: string }) => error.code);
    const map = await code(ctx.map("items", [1], {}, () => 5).was("old items"));
    const items = await code(ctx.map("things", [1], {}, () => 6).was("items"));
    const late = ctx.step("late", () => 7);
    await late;
    const started = await Promise.resolve()
      .then(() => late.was("x"))
      .then(String, (error: { readonly code: string }) => error.code);
    return [second, fourth, map, items, started];
  });
  const { engine } = await world.open({ workflows: [w] });
  const reused = "STEP_NAME_REUSED";
  expect(await engine.run(w)).toEqual([reused, reused, "5", reused, "CHAIN_STARTED"]);
});
