/** Circuit breakers: who is called, who waits, and what outlives a crash. */
import { expect, it } from "vitest";
import { handler, PermanentError, workflow, type StepContext } from "../../src/index.ts";
import type { BreakerOptions } from "../../src/model/breaker.ts";
import { z } from "zod";
import { openWorld } from "./harness.ts";

const GATEWAY: BreakerOptions = { name: "gateway", failures: 3, reset: "1m" };

/** A service that answers as it is told, and counts who calls it. */
function openService() {
  const service = {
    calls: [] as string[],
    answer: "down" as "up" | "down" | "declined" | "hangs",
    /** Ends the calls that hang. */
    release: [] as (() => void)[],
    call: async (step: StepContext): Promise<string> => {
      service.calls.push(step.runId);
      if (service.answer === "hangs") await new Promise<void>((resolve) => service.release.push(resolve));
      if (service.answer === "down") throw new Error("no connection");
      if (service.answer === "declined") throw new PermanentError("declined", { code: "DECLINED" });
      return "paid";
    },
  };
  return service;
}

type Service = ReturnType<typeof openService>;

/** One step, tried once. */
const charge = (service: Service, breaker: BreakerOptions = GATEWAY, attempts = 1) =>
  workflow("t/charge", { version: "1.0.0" }, (ctx) =>
    ctx.step("charge", service.call).circuitBreaker(breaker).retry({ attempts, base: "1s", jitter: 0 }),
  );

async function openShop(options: { breaker?: BreakerOptions; attempts?: number } = {}) {
  const world = await openWorld();
  const service = openService();
  const flow = charge(service, options.breaker, options.attempts);
  const { engine, crash } = await world.open({ workflows: [flow] });
  const breaker = async () => (await engine.breakers.list())[0]!;
  /** So many runs that fail. */
  const fail = async (count: number) => {
    for (let run = 0; run < count; run += 1) {
      const { outcome } = await engine.start(flow);
      if (options.attempts !== undefined) await world.advance(1_000 * options.attempts);
      await outcome();
    }
  };
  return { world, service, flow, engine, crash, breaker, fail };
}

it("opens after so many failed attempts in a row, of all runs, and then calls nobody", async () => {
  const { world, service, flow, engine, breaker, fail } = await openShop();
  await fail(2);
  expect(await breaker()).toMatchObject({ name: "gateway", state: "closed", failures: 2 });
  await fail(1);
  expect(await breaker()).toMatchObject({ state: "open", failures: 3, untilMs: world.nowMs() + 60_000 });
  const run = await engine.start(flow, undefined, { id: "waits" });
  await world.settle();
  expect(service.calls).toHaveLength(3);
  const { state, waitingFor } = await run.status();
  expect(state).toBe("waiting");
  expect(waitingFor).toEqual([{ kind: "breaker", key: "charge", name: "gateway", dueAtMs: world.nowMs() + 62_500 }]);
});

it("a success in between begins the count anew; an answer that is permanent is a success", async () => {
  const { service, breaker, fail } = await openShop();
  await fail(2);
  service.answer = "up";
  await fail(1);
  expect((await breaker()).failures).toBe(0);
  service.answer = "down";
  await fail(2);
  service.answer = "declined";
  await fail(1);
  expect(await breaker()).toMatchObject({ state: "closed", failures: 0 });
});

it("lets one probe through when it is time; its success closes it, and those who wait go on", async () => {
  const { world, service, flow, engine, breaker, fail } = await openShop();
  await fail(3);
  const waiting = await Promise.all([1, 2, 3].map(() => engine.start(flow)));
  await world.settle();
  service.answer = "hangs";
  await world.advance(62_500);
  expect(service.calls).toHaveLength(4);
  expect(await breaker()).toMatchObject({ state: "half-open", probe: { workflow: "t/charge", id: service.calls[3] } });
  await world.advance(20_000);
  expect(service.calls).toHaveLength(4);
  service.answer = "up";
  service.release[0]!();
  await world.settle();
  expect(await breaker()).toMatchObject({ state: "closed", failures: 0, probe: null });
  await world.advance(10_000);
  for (const run of waiting) expect(await run.result()).toBe("paid");
  expect(service.calls).toHaveLength(6);
});

it("a probe that fails opens it again, for as long", async () => {
  const { world, service, flow, engine, breaker, fail } = await openShop({ attempts: 2 });
  await fail(1);
  const third = await engine.start(flow);
  await world.settle();
  expect(await breaker()).toMatchObject({ state: "open", failures: 3 });
  await world.advance(62_500);
  expect(service.calls).toHaveLength(4);
  expect(await breaker()).toMatchObject({ state: "open", untilMs: world.nowMs() + 60_000, probe: null });
  expect(await third.outcome()).toMatchObject({ state: "failed" });
});

it("waiting costs no attempt, survives a crash, and is told in the history", async () => {
  const { world, service, flow, engine, crash, fail } = await openShop({ attempts: 2 });
  await fail(1);
  const run = await engine.start(flow, undefined, { id: "second" });
  await world.settle();
  const notes = (await run.history()).filter((event) => event.kind === "note");
  expect(notes).toMatchObject([{ note: "breaker", value: { name: "gateway", state: "open", failures: 3 } }]);
  await world.advance(1_000);
  const dueAtMs = world.nowMs() + 59_000 + 2_500;
  expect(await run.status()).toMatchObject({ state: "waiting", waitingFor: [{ kind: "breaker", dueAtMs }] });
  crash();
  const next = await world.open({ workflows: [flow] });
  service.answer = "up";
  await world.advance(61_500);
  expect(service.calls).toHaveLength(4);
  const again = await next.engine.get(flow, "second");
  expect(await again.result()).toBe("paid");
  const events = await again.history();
  expect(events.filter((event) => event.kind === "attempt_failed")).toHaveLength(1);
  expect(events.at(-3)).toMatchObject({ kind: "note", note: "breaker", value: { state: "closed" } });
});

it("the probe of a process that died is free again", async () => {
  const { world, service, flow, engine, crash, fail } = await openShop();
  await fail(3);
  await engine.start(flow, undefined, { id: "a" });
  await world.settle();
  service.answer = "hangs";
  await world.advance(62_500);
  expect(service.calls).toEqual([...service.calls.slice(0, 3), "a"]);
  crash();
  const next = await world.open({ workflows: [flow] });
  service.answer = "up";
  await world.advance(1_000);
  expect(await (await next.engine.get(flow, "a")).result()).toBe("paid");
  expect(await next.engine.breakers.list()).toMatchObject([{ state: "closed" }]);
});

it("what was under way when it opened neither closes nor opens it later", async () => {
  const { world, service, flow, engine, breaker, fail } = await openShop();
  service.answer = "hangs";
  const slow = await engine.start(flow);
  const slower = await engine.start(flow);
  await world.settle();
  service.answer = "down";
  await fail(3);
  service.answer = "up";
  service.release[0]!();
  expect(await slow.result()).toBe("paid");
  expect(await breaker()).toMatchObject({ state: "open", failures: 3 });
  await engine.breakers.reset("gateway");
  service.answer = "down";
  service.release[1]!();
  await slower.outcome();
  expect(await breaker()).toMatchObject({ state: "closed", failures: 0 });
});

it("is shared by all processes of a store, and by all workflows that name it", async () => {
  const { world, service, flow, engine, fail } = await openShop();
  const other = workflow("t/refund", { version: "1.0.0" }, (ctx) =>
    ctx
      .step("refund", service.call)
      .circuitBreaker({ ...GATEWAY, failures: 2 })
      .retry(1),
  );
  const second = await world.open({ workflows: [other] });
  await (await second.engine.start(other)).outcome();
  await fail(1);
  await (await second.engine.start(other)).outcome();
  expect(await engine.breakers.list()).toMatchObject([{ state: "open", failures: 3 }]);
  const held = [await engine.start(flow), await second.engine.start(other)];
  await world.settle();
  service.answer = "hangs";
  await world.advance(70_000);
  expect(service.calls).toHaveLength(4);
  service.answer = "up";
  service.release[0]!();
  await world.advance(10_000);
  for (const run of held) expect(await run.result()).toBe("paid");
});

it("open: fail fails the attempt, which its retries outlast or not", async () => {
  const { world, service, flow, engine, fail } = await openShop({ breaker: { ...GATEWAY, open: "fail" }, attempts: 3 });
  await fail(0);
  const first = await engine.start(flow);
  await world.advance(10_000);
  await first.outcome();
  expect(service.calls).toHaveLength(3);
  const second = await engine.start(flow, undefined, { id: "second" });
  await world.settle();
  const failed = (await second.history()).filter((event) => event.kind === "attempt_failed");
  expect(failed).toMatchObject([{ attempt: 1, error: { code: "BREAKER_OPEN", details: { breaker: "gateway" } } }]);
  expect((await second.status()).waitingFor).toMatchObject([{ kind: "retry" }]);
  service.answer = "up";
  await world.advance(62_500);
  expect(await second.result()).toBe("paid");
  expect(service.calls).toHaveLength(4);
});

it("a cancelled probe frees its place, and tells nothing", async () => {
  const { world, service, flow, engine, breaker, fail } = await openShop();
  await fail(3);
  const run = await engine.start(flow, undefined, { id: "a" });
  await world.settle();
  service.answer = "hangs";
  await world.advance(62_500);
  await run.cancel();
  service.answer = "down";
  service.release[0]!();
  expect(await run.outcome()).toMatchObject({ state: "cancelled" });
  expect(await breaker()).toMatchObject({ state: "half-open", probe: null });
  service.answer = "up";
  expect(await (await engine.start(flow)).result()).toBe("paid");
});

it("an attempt that takes too long has failed", async () => {
  const world = await openWorld();
  const slow = workflow("t/slow", { version: "1.0.0" }, (ctx) =>
    ctx
      .step("call", () => new Promise(() => {}))
      .timeout("5s")
      .retry(1)
      .circuitBreaker({ ...GATEWAY, failures: 1 }),
  );
  const { engine } = await world.open({ workflows: [slow] });
  const run = await engine.start(slow);
  await world.advance(4_999);
  expect(await engine.breakers.list()).toMatchObject([{ state: "closed", failures: 0 }]);
  await world.advance(1);
  expect(await run.outcome()).toMatchObject({ state: "failed", error: { code: "STEP_TIMEOUT" } });
  expect(await engine.breakers.list()).toMatchObject([{ state: "open", failures: 1 }]);
});

it("an attempt that never got its input has called nobody", async () => {
  const { world, engine, breaker, fail } = await openShop();
  await fail(3);
  await world.advance(70_000);
  const call = handler("call", { input: z.string(), circuitBreaker: GATEWAY }, (input) => input);
  const wrong = workflow("t/wrong", { version: "1.0.0" }, (ctx) => ctx.step(call, 7 as never));
  const second = await world.open({ workflows: [wrong] });
  expect(await (await second.engine.start(wrong)).outcome()).toMatchObject({ state: "failed" });
  expect(await breaker()).toMatchObject({ state: "half-open", probe: null });
  await engine.breakers.reset("gateway");
});

it("is tripped and reset by hand, with who and why", async () => {
  const { world, service, flow, engine, breaker } = await openShop();
  await expect(engine.breakers.reset("gateway")).rejects.toMatchObject({ code: "BREAKER_NOT_FOUND" });
  service.answer = "up";
  expect(await (await engine.start(flow)).result()).toBe("paid");
  await engine.breakers.trip("gateway", { for: "1h", actor: "kim", reason: "they migrate" });
  expect(await breaker()).toMatchObject({ state: "open", touched: { actor: "kim", reason: "they migrate" } });
  const run = await engine.start(flow);
  await world.advance(50_000);
  expect(service.calls).toHaveLength(1);
  await engine.breakers.reset("gateway", { actor: "kim", reason: "they are done" });
  await world.advance(13_000);
  expect(await run.result()).toBe("paid");
  expect(await breaker()).toMatchObject({ state: "closed", touched: { actor: "kim", reason: "they are done" } });
});

it("is an option of a handler and of ctx.with; a chain's own wins", async () => {
  const world = await openWorld();
  const call = handler(
    "call",
    { input: z.string(), circuitBreaker: { name: "handler", failures: 1, reset: "1m" } },
    (input) => input,
  );
  const flow = workflow("t/options", { version: "1.0.0" }, async (ctx) => {
    const scoped = ctx.with({ circuitBreaker: { name: "scope", failures: 1, reset: "1m" } });
    await ctx.step(call, "a");
    await scoped.step("plain", () => 1);
    const mapped = ctx.with({ circuitBreaker: { name: "map", failures: 1, reset: "1m" } });
    await mapped.map("items", ["a"], {}, (item) => item);
    await scoped.step("own", () => 1).circuitBreaker({ name: "chain", failures: 1, reset: "1m" });
    await ctx.step("none", () => 1);
  });
  const { engine } = await world.open({ workflows: [flow] });
  await engine.run(flow);
  expect((await engine.breakers.list()).map(({ name }) => name)).toEqual(["chain", "handler", "map", "scope"]);
});

it("P12: options that cannot be meant are refused", async () => {
  const world = await openWorld();
  const codes: string[] = [];
  const flow = workflow("t/refused", { version: "1.0.0" }, async (ctx) => {
    const wrong = [{ failures: 0 }, { failures: 1_001 }, { reset: 0 }, { name: "" }, { open: "maybe" }, { opens: 1 }];
    for (const [index, options] of wrong.entries()) {
      try {
        await ctx.step(["s", index], () => 1).circuitBreaker({ ...GATEWAY, ...options } as BreakerOptions);
      } catch (error) {
        codes.push((error as { code: string }).code);
      }
    }
  });
  const { engine } = await world.open({ workflows: [flow] });
  await engine.run(flow);
  expect(codes).toEqual([...Array.from({ length: 5 }, () => "OPTION_INVALID"), "OPTION_UNKNOWN"]);
});
