/** Runs that take too long as a whole. */
import { expect, it } from "vitest";
import { type Ctx, signal, workflow, type Workflow } from "../../src/index.ts";
import { openWorld } from "./harness.ts";

const HOUR = 3_600_000;
const ping = signal("ping");

function define<O>(body: (ctx: Ctx<void>) => Promise<O>, timeout?: string): Workflow<void, O> {
  return workflow("t/deadline", { version: "1.0.0", ...(timeout === undefined ? {} : { timeout }) }, body);
}

it.each([
  ["lingering", 1_000],
  ["evicted", 0],
])("P7: a parked run fails when its time is up, and never before (%s)", async (_how, lingerMax) => {
  const world = await openWorld();
  const w = define((ctx) => ctx.waitFor(ping), "1h");
  const { engine } = await world.open({ workflows: [w], lingerMax });
  const startedMs = world.nowMs();
  const run = await engine.start(w);
  await world.advance(HOUR - 1);
  expect(await run.status()).toMatchObject({ state: "waiting", deadlineAtMs: startedMs + HOUR });
  await world.advance(1);
  const outcome = await run.outcome();
  expect(outcome).toMatchObject({ state: "failed", error: { code: "RUN_TIMEOUT", details: { timeoutMs: HOUR } } });
  expect((await run.status()).endedAtMs).toBe(startedMs + HOUR);
});

it("P7: is looked for at its moment, also when nothing that the run waits for is due", async () => {
  const world = await openWorld();
  const waits = define((ctx) => ctx.waitFor(ping), "10m");
  const { engine } = await world.open({ workflows: [waits], poll: "1h", lease: "1h" });
  const run = await engine.start(waits);
  await world.advance(10 * 60_000);
  expect(await run.status()).toMatchObject({ state: "failed", error: { code: "RUN_TIMEOUT" } });
});

it("stops its steps and children, and undoes what was done", async () => {
  const world = await openWorld();
  const log: string[] = [];
  const child = workflow("t/child", { version: "1.0.0" }, (ctx) => ctx.sleep("for ever", "900d"));
  const w = define(async (ctx) => {
    await ctx.step("book", () => "room").compensate((room) => void log.push(`undid ${room}`));
    await Promise.all([
      ctx.run("child", child, undefined),
      ctx.step("hangs", (s) => {
        return new Promise((_, reject) => {
          s.signal.addEventListener("abort", () => {
            log.push((s.signal.reason as { readonly code: string }).code);
            reject(s.signal.reason as Error);
          });
        });
      }),
    ]);
  }, "3s");
  const { engine } = await world.open({ workflows: [w, child] });
  const run = await engine.start(w);
  await world.advance(2_900);
  expect(log).toEqual([]);
  await world.advance(600);
  expect(await run.outcome()).toMatchObject({ state: "failed", error: { code: "RUN_TIMEOUT" } });
  expect(log).toEqual(["RUN_TIMEOUT", "undid room"]);
  await world.settle();
  expect((await engine.list({ workflow: "t/child" })).runs[0]?.state).toBe("cancelled");
});

it("F1: undoes what was done also when the time was up while no worker was there", async () => {
  const world = await openWorld();
  const log: string[] = [];
  const w = define(async (ctx) => {
    await ctx.step("book", () => "room").compensate((room) => void log.push(`undid ${room}`));
    await ctx.sleep("nap", "2h");
    log.push("went on");
  }, "1h");
  const first = await world.open({ workflows: [w] });
  await first.engine.start(w, undefined, { id: "x" });
  await world.settle();
  first.crash();
  await world.advance(3 * HOUR);
  const second = await world.open({ workflows: [w] });
  const run = await second.engine.get(w, "x");
  expect((await run.outcome()).state).toBe("failed");
  expect(log).toEqual(["undid room"]);
});

it("fails a run that is still pending when its time is up without running its body", async () => {
  const world = await openWorld();
  const log: string[] = [];
  const w = define(async () => void log.push("ran"), "1h");
  const client = await world.open({ workflows: [w], work: false });
  const run = await client.engine.start(w);
  await world.advance(2 * HOUR);
  await world.open({ workflows: [w] });
  await world.settle();
  expect(await run.status()).toMatchObject({ state: "failed", error: { code: "RUN_TIMEOUT" } });
  expect(log).toEqual([]);
});

it("start may set another time than the workflow", async () => {
  const world = await openWorld();
  const w = define((ctx) => ctx.sleep("nap", "2h"), "1h");
  const { engine } = await world.open({ workflows: [w] });
  const [short, long] = [
    await engine.start(w, undefined, { timeout: "30m" }),
    await engine.start(w, undefined, { timeout: "3h" }),
  ];
  await world.advance(HOUR / 2);
  expect((await short.status()).state).toBe("failed");
  await world.advance(1.5 * HOUR);
  expect(await long.outcome()).toEqual({ state: "completed", output: undefined });
});

it("F21: a run that ended first stays as it ended, and undoing has no deadline", async () => {
  const world = await openWorld();
  const log: string[] = [];
  const w = define(async (ctx) => {
    await ctx
      .step("book", () => 1)
      .compensate(
        (_, s) => {
          if (s.attempt < 3) throw new Error("not yet");
          log.push("undone");
        },
        { attempts: 5, base: "1h", backoff: "fixed", jitter: 0 },
      );
    throw new Error("its own");
  }, "10m");
  const quick = workflow("t/quick", { version: "1.0.0", timeout: "10m" }, async () => "done");
  const { engine } = await world.open({ workflows: [w, quick] });
  const [run, ended] = [await engine.start(w), await engine.start(quick)];
  await world.advance(HOUR);
  expect((await run.status()).state).toBe("compensating");
  await world.advance(HOUR);
  await world.advance(HOUR);
  expect(await run.outcome()).toMatchObject({ state: "failed", error: { message: "its own" } });
  expect(log).toEqual(["undone"]);
  expect((await ended.status()).state).toBe("completed");
});

it.each(["cancelled", "out of time"])("asks the children of an evicted run to stop when it is %s", async (how) => {
  const world = await openWorld();
  const log: string[] = [];
  const child = workflow("t/child", { version: "1.0.0" }, (ctx) => ctx.sleep("for ever", "900d"));
  const w = define(async (ctx) => {
    await ctx.step("book", () => "room").compensate((room) => void log.push(`undid ${room}`));
    await ctx.step("between", () => 1);
    await Promise.all([ctx.run("child", child, undefined), ctx.step("after", () => log.push("after"))]);
  }, "1h");
  const { engine } = await world.open({ workflows: [w, child], lingerMax: 0 });
  const run = await engine.start(w);
  await world.settle();
  if (how === "cancelled") await run.cancel();
  else await world.advance(HOUR);
  await world.settle();
  expect((await run.status()).state).toBe(how === "cancelled" ? "cancelled" : "failed");
  expect((await engine.list({ workflow: "t/child" })).runs[0]?.state).toBe("cancelled");
  expect(log).toEqual(["after", "undid room"]);
});
