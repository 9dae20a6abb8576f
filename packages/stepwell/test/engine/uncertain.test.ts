/** Attempts of which nobody knows how they ended, on a real store, with time in the test's hands. */
import { describe, expect, it } from "vitest";
import { handler, signal, workflow } from "../../src/index.ts";
import type { UncertainPolicy } from "../../src/model/uncertain.ts";
import { z } from "zod";
import { openWorld } from "./harness.ts";
import { KIM } from "./plant.ts";

/** A call that never answers, until it is told to; it counts how often it was made. */
function aCall() {
  const calls: number[] = [];
  let slow = true;
  return {
    calls,
    call: ({ attempt }: { readonly attempt: number }): unknown => {
      calls.push(attempt);
      return slow ? new Promise(() => {}) : "paid";
    },
    heal: () => void (slow = false),
  };
}

/** A run whose process dies while the call is under way, and another process that takes it up. */
async function crashed(policy: UncertainPolicy, shape: "plain" | "caught" = "plain") {
  const world = await openWorld();
  const service = aCall();
  const w = workflow("t/pay", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("before", () => "done");
    const paid = ctx.step("charge", service.call).onUncertain(policy);
    return shape === "plain" ? paid : paid.onError({ STEP_UNCERTAIN: () => "asked the bank" });
  });
  const first = await world.open({ workflows: [w] });
  await first.engine.start(w, undefined, { id: "x" });
  await world.until(() => service.calls.length === 1);
  first.crash();
  service.heal();
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.get(w, "x");
  const state = (wanted: string): Promise<void> =>
    world.until(async () => (await run.status()).state === wanted, `it is ${wanted}`);
  return { world, engine, run, state, w, ...service };
}

describe("an attempt that a crash cut off", () => {
  it("is made again by default", async () => {
    const { calls, run, state } = await crashed("retry");
    await state("completed");
    expect(calls).toEqual([1, 1]);
    expect((await run.status()).output).toBe("paid");
  });

  it("U2: fails its step, and is not made again", async () => {
    const { calls, run, state } = await crashed("fail");
    await state("failed");
    expect((await run.status()).error).toMatchObject({
      code: "STEP_UNCERTAIN",
      details: { step: "charge", attempt: 1 },
    });
    expect(calls).toEqual([1]);
  });

  it("is a failure that the step may handle", async () => {
    const { calls, run, state } = await crashed("fail", "caught");
    await state("completed");
    expect((await run.status()).output).toBe("asked the bank");
    expect(calls).toEqual([1]);
  });

  it("U2: asks an operator, who has it made again", async () => {
    const { calls, run, state, world } = await crashed("ask");
    await state("paused");
    expect((await run.status()).error).toMatchObject({ code: "STEP_UNCERTAIN" });
    expect((await run.status()).onHold).toBe(false);
    await world.settle();
    expect(calls).toEqual([1]);
    await run.retry(KIM);
    await state("completed");
    expect(calls).toEqual([1, 1]);
    const history = await run.history();
    expect(history.map(({ seq }) => seq)).toEqual(history.map((_, index) => index + 1));
    expect(history.flatMap((event) => (event.kind === "note" ? [event.note] : []))).toEqual([
      ...["takeover", "paused", "retried"],
    ]);
  });

  it("U2: asks an operator, who knows that it took effect", async () => {
    const { calls, run, state } = await crashed("ask");
    await state("paused");
    await expect(run.resolve("before", 1)).rejects.toMatchObject({ code: "STEP_NOT_FAILED" });
    await expect(run.retry({ from: "before" })).rejects.toMatchObject({ code: "OPTION_INVALID" });
    await run.resolve("charge", "paid by phone", KIM);
    await state("completed");
    expect((await run.status()).output).toBe("paid by phone");
    expect(calls).toEqual([1]);
  });

  it("U2: asks an operator, who cancels the run", async () => {
    const { calls, run, state } = await crashed("ask");
    await state("paused");
    await run.cancel(KIM);
    await state("cancelled");
    expect(calls).toEqual([1]);
  });

  it("asks again after a deploy, and makes nothing again", async () => {
    const { calls, run, state, world, w, engine } = await crashed("ask");
    await state("paused");
    await engine.close();
    const { engine: next } = await world.open({ workflows: [w] });
    await world.settle();
    const again = await next.get(w, "x");
    await world.until(async () => (await again.status()).state === "paused");
    expect(calls).toEqual([1]);
    expect(run.id).toBe("x");
  });
});

it("U1: what has begun and ended is certain: errors are retried, and a value is a value", async () => {
  const world = await openWorld();
  const attempts: number[] = [];
  const go = signal("go");
  const w = workflow("t/pay", { version: "1.0.0" }, async (ctx) => {
    const paid = await ctx
      .step("charge", ({ attempt }) => {
        attempts.push(attempt);
        if (attempt < 3) throw new Error("busy");
        return "paid";
      })
      .retry({ attempts: 3, base: "1s", jitter: 0 })
      .onUncertain("fail");
    await ctx.waitFor(go);
    return paid;
  });
  const first = await world.open({ workflows: [w] });
  await first.engine.start(w, undefined, { id: "x" });
  await world.until(() => attempts.length === 1);
  await world.settle();
  first.crash();
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.get(w, "x");
  await world.until(
    async () => (await world.advance(500), (await run.status()).state === "waiting" && attempts.length === 3),
  );
  await run.signal(go);
  await world.until(async () => (await run.status()).state === "completed");
  expect(attempts).toEqual([1, 2, 3]);
});

it.each(["fail", "ask"] as const)("U3: a timeout is no outcome, says a handler with %j", async (policy) => {
  const world = await openWorld();
  const { calls, call, heal } = aCall();
  const charge = handler("charge", { input: z.null(), timeout: "1s", attempts: 3, onUncertain: policy }, (_, step) =>
    call(step),
  );
  const w = workflow("t/pay", { version: "1.0.0" }, (ctx) => ctx.step(charge, null));
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "x" });
  await world.until(() => calls.length === 1);
  await world.advance(1_000);
  const wanted = policy === "fail" ? "failed" : "paused";
  await world.until(async () => (await run.status()).state === wanted);
  const { error } = await run.status();
  expect(error).toMatchObject({ code: "STEP_UNCERTAIN", cause: { code: "STEP_TIMEOUT" } });
  heal();
  await run.retry(KIM);
  await world.until(async () => (await run.status()).state === "completed");
  expect(calls).toEqual([1, 1]);
});

it("attempts that others have failed are counted on while one asks", async () => {
  const world = await openWorld();
  const { call, heal, calls } = aCall();
  const others: number[] = [];
  const w = workflow("t/two", { version: "1.0.0" }, (ctx) =>
    Promise.all([
      ctx.step("charge", call).onUncertain("ask").timeout("1s"),
      ctx
        .step("other", ({ attempt }) => {
          others.push(attempt);
          if (attempt < 3) throw new Error("busy");
        })
        .retry({ attempts: 3, base: "1h", jitter: 0 }),
    ]),
  );
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "x" });
  await world.until(() => calls.length === 1 && others.length === 1);
  await world.settle();
  await world.advance(1_000);
  await world.until(async () => (await run.status()).state === "paused");
  heal();
  await run.retry(KIM);
  await world.until(async () => (await world.advance(1_800_000), (await run.status()).state === "completed"));
  expect(others).toEqual([1, 2, 3]);
  expect(calls).toEqual([1, 1]);
});

it("bad input is refused by name", async () => {
  const world = await openWorld();
  const w = workflow("t/pay", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("charge", () => 1).onUncertain("never" as never);
  });
  const { engine } = await world.open({ workflows: [w] });
  await expect(engine.run(w)).rejects.toMatchObject({ cause: { code: "OPTION_INVALID" } });
});
