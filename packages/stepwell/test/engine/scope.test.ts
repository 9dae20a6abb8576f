/** Scopes and names: each, with, version, input, sleepUntil, was. */
import { expect, it } from "vitest";
import { z } from "zod";
import { type Ctx, handler, signal, workflow, type Workflow } from "../../src/index.ts";
import { openWorld } from "./harness.ts";

const HOUR = 3_600_000;
const ping = signal<string>("ping");

function define<O>(body: (ctx: Ctx<void>) => Promise<O>, version = "1.0.0"): Workflow<void, O> {
  return workflow("t/scope", { version }, body);
}

async function codeOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
    return "no error";
  } catch (error) {
    return (error as { readonly code?: string }).code;
  }
}

it("each item has names, waits and randomness of its own, also nested; results in the order of the items", async () => {
  const world = await openWorld();
  const w = define((ctx) =>
    ctx.each("order", [{ id: "a/b" }, { id: "c" }], { key: (order) => order.id }, async (item, order, index) => {
      const charged = await item.step("charge", (s) => `${s.step} ${s.idempotencyKey.split(":").at(-1)}`);
      const lines = await item.each("line", [1, 2], {}, (line, n) => line.step("ship", () => n * 10 + index));
      const answer = await item.waitFor(ping, { timeout: order.id === "c" ? "1s" : "2s" });
      return [charged, lines, answer.ok, item.uuid("u"), item.random("r")];
    }),
  );
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  await world.advance(3_000);
  const [first, second] = await run.result();
  expect(first?.slice(0, 3)).toEqual(["order/a%2Fb/charge order/a%2Fb/charge", [10, 20], false]);
  expect(second?.slice(0, 3)).toEqual(["order/c/charge order/c/charge", [11, 21], false]);
  expect(first?.[3]).not.toBe(second?.[3]);
  expect(first?.[4]).not.toBe(second?.[4]);
  const keys = (await run.history()).flatMap((event) => (event.kind === "step" ? [event.key] : []));
  expect(keys).toContain("order/c/line/2/ship");
  expect(keys).toContain("order/c/@wait/ping/1");
});

it("each lets all items end before it throws the first failure by index, some at a time", async () => {
  const world = await openWorld();
  const log: string[] = [];
  const w = define((ctx) =>
    ctx.each("item", [3, 2, 1], { concurrency: 2 }, async (item, n) => {
      log.push(`began ${n}`);
      await item.sleep("nap", n * 100);
      log.push(`ended ${n}`);
      if (n !== 1) throw new Error(`item ${n}`);
    }),
  );
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  await world.advance(1_000);
  expect(await run.outcome()).toMatchObject({ state: "failed", error: { message: "item 3" } });
  expect(log).toEqual(["began 3", "began 2", "ended 2", "began 1", "ended 3", "ended 1"]);
});

it("P12: each refuses two items of one key, items without a key, and unknown options", async () => {
  const world = await openWorld();
  const w = define(async (ctx) => [
    await codeOf(() => ctx.each("a", ["x", "x"], {}, () => 1)),
    await codeOf(() => ctx.each("b", [{}], {}, () => 1)),
    await codeOf(() => ctx.each("c", ["x"], { concurency: 2 } as never, () => 1)),
    await codeOf(() => ctx.each("d", ["x"], {}, (item) => item.step("y".repeat(200), () => 1))),
    await codeOf(() => ctx.each("e", ["x"], {}, (item) => item.step("y", () => item.sleep("z", 1)))),
  ]);
  const { engine } = await world.open({ workflows: [w] });
  const refused = ["STEP_NAME_REUSED", "OPTION_INVALID", "OPTION_UNKNOWN", "STEP_NAME_INVALID", "CTX_IN_STEP"];
  expect(await engine.run(w)).toEqual(refused);
});

it("F1: each goes on after a crash with what its items have done", async () => {
  const world = await openWorld();
  const log: string[] = [];
  const w = define((ctx) =>
    ctx.each("item", ["a", "b"], {}, async (item, name) => {
      const charged = await item.step("charge", () => log.push(`charge ${name}`));
      await item.sleep("pause", "1h");
      await item.step("ship", () => void log.push(`ship ${name}`));
      return [charged, item.uuid("label")];
    }),
  );
  const first = await world.open({ workflows: [w] });
  await first.engine.start(w, undefined, { id: "x" });
  await world.advance(HOUR / 2);
  first.crash();
  const second = await world.open({ workflows: [w] });
  await world.advance(HOUR / 2);
  const result = await (await second.engine.get(w, "x")).result();
  expect(result.map(([count]) => count)).toEqual([1, 2]);
  expect(result[0]?.[1]).not.toBe(result[1]?.[1]);
  expect(log).toEqual(["charge a", "charge b", "ship a", "ship b"]);
});

it("with sets defaults: the chain wins over the handler, the handler over with, with over an outer with", async () => {
  const world = await openWorld();
  const tried: Record<string, number> = {};
  const fail = (name: string) => (): Promise<never> => {
    tried[name] = (tried[name] ?? 0) + 1;
    return Promise.reject(new Error(name));
  };
  const plain = handler("plain", { input: z.string() }, fail("plain"));
  const strict = handler("strict", { input: z.string(), attempts: 1 }, fail("strict"));
  const w = define(async (ctx) => {
    const patient = ctx.with({ retry: { attempts: 5, base: 1, backoff: "fixed" } });
    const hasty = patient.with({ attempts: 2 });
    await hasty.step("own", fail("own")).settle();
    await patient.step("outer", fail("outer")).settle();
    await hasty.step("chain", fail("chain")).retry(4).settle();
    await hasty.step(plain, "x").settle();
    await hasty.step(strict, "x").settle();
    await hasty.map("map", ["m"], {}, fail("map")).settle();
    await hasty.map("mapped", ["m"], { attempts: 3 }, fail("mapped")).settle();
    await hasty.each("each", ["e"], {}, (item) => item.step("s", fail("each")).settle());
    return ctx.step("still the body's own", () => 1);
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  await world.advance(1_000);
  expect(await run.result()).toBe(1);
  expect(tried).toEqual({ own: 2, outer: 5, chain: 4, plain: 2, strict: 1, map: 2, mapped: 3, each: 2 });
});

it("with sets a timeout per attempt, and refuses what it does not know", async () => {
  const world = await openWorld();
  const w = define(async (ctx) => {
    const quick = ctx.with({ timeout: "1s", attempts: 1 });
    const settled = await quick.step("hangs", () => new Promise(() => {})).settle();
    return [settled.ok ? "ended" : settled.error.code, await codeOf(() => ctx.with({ retries: 2 } as never))];
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  await world.advance(1_000);
  expect(await run.result()).toEqual(["STEP_TIMEOUT", "OPTION_UNKNOWN"]);
});

it("version is the one that the run was started with, whichever executes it; input cannot be altered", async () => {
  const world = await openWorld();
  const body = async (ctx: Ctx<{ list: number[] }>, input: { list: number[] }): Promise<unknown> => {
    input.list.push(9);
    ctx.input.list.push(9);
    await ctx.sleep("deploy", "1h");
    return [ctx.version, ctx.workflow.version, ctx.input, ctx.actor];
  };
  const old = workflow("t/v", { version: "1.2.0" }, body);
  const fresh = workflow("t/v", { version: "1.3.0" }, body);
  const first = await world.open({ workflows: [old] });
  await first.engine.start(old, { list: [1] }, { id: "v", actor: "kim" });
  await world.settle();
  first.crash();
  const second = await world.open({ workflows: [fresh] });
  await world.advance(HOUR);
  const result = await (await second.engine.get(fresh, "v")).result();
  expect(result).toEqual(["1.2.0", "1.3.0", { list: [1] }, "kim"]);
});

it("P7: sleepUntil waits for a moment over a crash, not longer; a past moment ends it at once", async () => {
  const world = await openWorld();
  const startedMs = world.nowMs();
  const moments: number[] = [];
  const w = define(async (ctx) => {
    await ctx.sleepUntil("past", new Date(0));
    moments.push(world.nowMs());
    // Said anew with another moment by every execution: the first one counts.
    await ctx.sleepUntil("opening", new Date(startedMs + HOUR + moments.length - 1));
    return world.nowMs();
  });
  const first = await world.open({ workflows: [w] });
  await first.engine.start(w, undefined, { id: "u" });
  await world.advance(HOUR / 2);
  first.crash();
  const second = await world.open({ workflows: [w] });
  await world.advance(HOUR / 2 - 1);
  const run = await second.engine.get(w, "u");
  expect((await run.status()).state).toBe("waiting");
  await world.advance(1);
  expect(await run.result()).toBe(startedMs + HOUR);
  expect(moments[0]).toBe(startedMs);
  const began = (await run.history()).flatMap((event) => (event.kind === "wait_began" ? [event.key] : []));
  expect(began, "what has passed needs no wait").toEqual(["opening"]);
});

it.each([[new Date(Number.NaN)], [Number.NaN], [Infinity], [8.7e15], ["tomorrow"], [null]])(
  "P12: sleepUntil refuses %s",
  async (moment) => {
    const world = await openWorld();
    const w = define((ctx) => codeOf(() => ctx.sleepUntil("x", moment as Date)));
    const { engine } = await world.open({ workflows: [w] });
    expect(await engine.run(w)).toBe("MOMENT_INVALID");
  },
);
