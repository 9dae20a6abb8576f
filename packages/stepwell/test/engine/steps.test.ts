/** Steps: what runs, how often, and what the body gets. */
import { expect, it } from "vitest";
import { z } from "zod";
import { handler, PermanentError, RetryableError, RunFailed, workflow } from "../../src/index.ts";
import { openWorld } from "./harness.ts";

it("runs each step once and returns the body's result", async () => {
  const world = await openWorld();
  const calls: string[] = [];
  const order = workflow("shop/order", { version: "1.0.0" }, async (ctx, item: string) => {
    const paid = await ctx.step("charge", () => {
      calls.push("charge");
      return `${item}:paid`;
    });
    return ctx.step("ship", async () => {
      calls.push("ship");
      return `${paid}:shipped`;
    });
  });
  const { engine } = await world.open({ workflows: [order] });
  const run = await engine.start(order, "book", { id: "o1" });
  expect(await run.result()).toBe("book:paid:shipped");
  expect(calls).toEqual(["charge", "ship"]);
  const history = await run.history();
  expect(history.map((event) => [event.seq, event.kind])).toEqual([
    [1, "started"],
    [2, "step"],
    [3, "step"],
    [4, "ended"],
  ]);
});

it("P2: gives the body decoded copies, not the live value", async () => {
  const world = await openWorld();
  const live = { when: new Date(5), tags: new Set(["a"]), nested: { n: 1 } };
  const w = workflow("t/copy", { version: "1.0.0" }, async (ctx) => {
    const value = await ctx.step("make", () => live);
    return { same: (value as unknown) === live, isDate: value.when instanceof Date, tag: value.tags.has("a") };
  });
  const { engine } = await world.open({ workflows: [w] });
  expect(await (await engine.start(w)).result()).toEqual({ same: false, isDate: true, tag: true });
});

it("P10: retries with growing delays, and the failures stand in the history", async () => {
  const world = await openWorld();
  let tries = 0;
  const w = workflow("t/retry", { version: "1.0.0" }, (ctx) =>
    ctx
      .step("flaky", (s) => {
        tries += 1;
        if (s.attempt < 3) throw new Error(`no ${s.attempt}`);
        return s.attempt;
      })
      .retry({ attempts: 3, base: "100ms", jitter: 0 }),
  );
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  await world.settle();
  expect(tries).toBe(1);
  await world.advance(99);
  expect(tries).toBe(1);
  await world.advance(1);
  expect(tries).toBe(2);
  await world.advance(200);
  expect(await run.result()).toBe(3);
  const failures = (await run.history()).filter((event) => event.kind === "attempt_failed");
  expect(failures.map((event) => event.error.message)).toEqual(["no 1", "no 2"]);
});

it("P10: a PermanentError ends the retries at once, retryAfter overrides the backoff", async () => {
  const world = await openWorld();
  let permanent = 0;
  let limited = 0;
  const w = workflow("t/obey", { version: "1.0.0" }, async (ctx) => {
    const first = await ctx
      .step("permanent", () => {
        permanent += 1;
        throw new PermanentError("card declined", { code: "CARD_DECLINED" });
      })
      .settle();
    await ctx.step("limited", (s) => {
      limited += 1;
      if (s.attempt === 1) throw new RetryableError("slow down", { retryAfter: "700ms" });
    });
    return first.ok ? "?" : [first.error.code, first.error instanceof PermanentError];
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  await world.advance(699);
  expect([permanent, limited]).toEqual([1, 1]);
  await world.advance(1);
  expect(await run.result()).toEqual(["CARD_DECLINED", true]);
});

it("P2: a final failure is a checkpoint: a replay takes the same branch without running the step again", async () => {
  const world = await openWorld();
  let tries = 0;
  const w = workflow("t/memo", { version: "1.0.0" }, async (ctx) => {
    let branch = "none";
    try {
      await ctx.step("doomed", () => {
        tries += 1;
        throw new PermanentError("no");
      });
    } catch (error) {
      branch = (error as Error).message;
    }
    await ctx.sleep("pause", "1h");
    return branch;
  });
  const first = await world.open({ workflows: [w] });
  await first.engine.start(w, undefined, { id: "r" });
  await world.settle();
  first.crash();
  const second = await world.open({ workflows: [w] });
  await world.advance(3_600_000);
  expect(await (await second.engine.get(w, "r")).result()).toBe("no");
  expect(tries).toBe(1);
});

it("shapes outcomes: onError by code or name, fallback for the rest, settle for both", async () => {
  const world = await openWorld();
  class CardDeclined extends Error {
    override readonly name = "CardDeclined";
  }
  let tries = 0;
  const w = workflow("t/shape", { version: "1.0.0" }, async (ctx) => {
    const named = await ctx
      .step("named", () => {
        tries += 1;
        throw new CardDeclined("no");
      })
      .onError({ CardDeclined: (error) => ({ status: "declined" as const, why: error.message }) });
    const fallen = await ctx
      .step("fallen", (): number => {
        throw new PermanentError("down");
      })
      .fallback(() => "cached" as const);
    const settled = await ctx.step("fine", () => 7).settle();
    return { named, fallen, settled };
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  expect(await run.result()).toEqual({
    named: { status: "declined", why: "no" },
    fallen: "cached",
    settled: { ok: true, value: 7 },
  });
  expect(tries).toBe(1);
  const handled = (await run.history()).filter((event) => event.kind === "step" && event.outcome === "handled");
  expect(handled.map((event) => "key" in event && event.key)).toEqual(["named", "fallen"]);
});

it("times an attempt out, fires its signal, and tries again", async () => {
  const world = await openWorld();
  const aborted: unknown[] = [];
  const w = workflow("t/timeout", { version: "1.0.0" }, (ctx) =>
    ctx
      .step("slow", (s) => {
        if (s.attempt === 2) return "in time";
        s.signal.addEventListener("abort", () => aborted.push((s.signal.reason as { code: string }).code));
        return new Promise<string>(() => {});
      })
      .timeout("2s")
      .retry({ attempts: 2, base: "10ms" }),
  );
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  await world.advance(1_999);
  expect(aborted).toEqual([]);
  await world.advance(100);
  expect(await run.result()).toBe("in time");
  expect(aborted).toEqual(["STEP_TIMEOUT"]);
});

it("validates a handler's input and output, and keeps its policy", async () => {
  const world = await openWorld();
  const double = handler(
    "double",
    { input: z.object({ n: z.coerce.number() }), output: z.number(), attempts: 1 },
    ({ n }) => n * 2,
  );
  const wrong = handler("wrong", { input: z.any(), output: z.number() }, () => "text");
  const w = workflow("t/handler", { version: "1.0.0" }, async (ctx) => {
    const good = await ctx.step(double, { n: "21" });
    const bad = await ctx.step("bad", double, { n: "x" }).settle();
    const out = await ctx.step(wrong, {}).settle();
    return [good, bad.ok ? "" : bad.error.code, out.ok ? "" : out.error.code];
  });
  const { engine } = await world.open({ workflows: [w] });
  expect(await (await engine.start(w)).result()).toEqual([42, "INPUT_INVALID", "OUTPUT_INVALID"]);
});

it("P12: duplicate names, ctx in steps, late configuration and calls after the end are refused with codes", async () => {
  const world = await openWorld();
  const codeOf = (error: unknown): string => (error as { code: string }).code;
  let late: unknown;
  const w = workflow("t/rules", { version: "1.0.0" }, async (ctx) => {
    const codes: string[] = [];
    await ctx.step("a", () => 1);
    try {
      await ctx.step("a", () => 2);
    } catch (error) {
      codes.push(codeOf(error));
    }
    const inside = await ctx.step("outer", () => ctx.step("inner", () => 1)).settle();
    if (!inside.ok) codes.push(codeOf(inside.error));
    const chain = ctx.step("begun", () => 1);
    await chain;
    try {
      void chain.retry(3);
    } catch (error) {
      codes.push(codeOf(error));
    }
    setImmediate(() => {
      setImmediate(() => {
        try {
          void ctx.step("late", () => 1);
        } catch (error) {
          late = codeOf(error);
        }
      });
    });
    return codes;
  });
  const { engine } = await world.open({ workflows: [w] });
  expect(await (await engine.start(w)).result()).toEqual(["STEP_NAME_REUSED", "CTX_IN_STEP", "CHAIN_STARTED"]);
  await world.settle();
  expect(late).toBe("CTX_AFTER_END");
});

it("F25: a step that throws null, a string, a frozen error or an error with hostile getters fails, and the worker lives", async () => {
  const world = await openWorld();
  const hostile = Object.defineProperty(new Error("x"), "message", {
    get: () => {
      throw new Error("gotcha");
    },
  });
  const thrown: unknown[] = [null, undefined, "text", 7, Object.freeze(new Error("frozen")), hostile, Symbol("s")];
  const w = workflow("t/odd", { version: "1.0.0" }, (ctx, index: number) =>
    ctx
      .step("odd", () => {
        throw thrown[index];
      })
      .retry(1),
  );
  const { engine } = await world.open({ workflows: [w] });
  for (let index = 0; index < thrown.length; index += 1) {
    const outcome = await (await engine.start(w, index)).outcome();
    expect(outcome.state, String(index)).toBe("failed");
  }
});

it("F23: an unserialisable result fails the step with its JSON path and is not tried again", async () => {
  const world = await openWorld();
  let tries = 0;
  const w = workflow("t/bad", { version: "1.0.0" }, (ctx) =>
    ctx.step("bad", () => {
      tries += 1;
      return { items: [1, { when: () => 1 }] };
    }),
  );
  const { engine } = await world.open({ workflows: [w] });
  const error = await (await engine.start(w)).result().catch((e: unknown) => e as RunFailed);
  expect(error).toBeInstanceOf(RunFailed);
  expect((error as RunFailed).cause).toMatchObject({ code: "NOT_SERIALISABLE" });
  expect(String((error as { cause: Error }).cause.message)).toContain("$.items[1].when");
  expect(tries).toBe(1);
});

it("maps items by key, some at a time, and lets all end before it throws", async () => {
  const world = await openWorld();
  let active = 0;
  let most = 0;
  const done: string[] = [];
  const w = workflow("t/map", { version: "1.0.0" }, async (ctx, fail: boolean) => {
    const items = ["a", "b", "c", "d", "e"].map((sku) => ({ sku }));
    return ctx
      .map("ship", items, { key: (i) => i.sku, concurrency: 2 }, async (item, s) => {
        active += 1;
        most = Math.max(most, active);
        await new Promise((resolve) => setImmediate(resolve));
        active -= 1;
        if (fail && item.sku === "b") throw new PermanentError("no b");
        done.push(item.sku);
        return s.step;
      })
      .retry(1);
  });
  const { engine } = await world.open({ workflows: [w] });
  expect(await (await engine.start(w, false)).result()).toEqual(["ship/a", "ship/b", "ship/c", "ship/d", "ship/e"]);
  expect(most).toBe(2);
  done.length = 0;
  expect((await (await engine.start(w, true)).outcome()).state).toBe("failed");
  expect(done).toEqual(["a", "c", "d", "e"]);
});

it("ctx.all, now, uuid, random, progress and log: durable or derived, equal on replay", async () => {
  const world = await openWorld();
  const seen: unknown[] = [];
  const w = workflow("t/misc", { version: "1.0.0" }, async (ctx) => {
    const both = await ctx.all({ a: ctx.step("a", () => 1), b: ctx.step("b", () => "x") });
    const at = await ctx.now("at");
    ctx.progress({ percent: 50 });
    ctx.log("half way", { both });
    seen.push({ both, at: at.getTime(), uuid: ctx.uuid("u"), random: ctx.random("r") });
    await ctx.sleep("night", "8h");
    return both;
  });
  const first = await world.open({ workflows: [w] });
  const run = await first.engine.start(w, undefined, { id: "m" });
  await world.settle();
  expect((await run.status()).progress).toEqual({ percent: 50 });
  first.crash();
  const second = await world.open({ workflows: [w] });
  await world.advance(8 * 3_600_000);
  const resumed = await second.engine.get(w, "m");
  expect(await resumed.result()).toEqual({ a: 1, b: "x" });
  expect(seen).toHaveLength(2);
  expect(seen[1]).toEqual(seen[0]);
  const logs = (await resumed.history()).filter((event) => event.kind === "note");
  expect(logs).toHaveLength(1);
});

it("P5: the idempotency key is the same over attempts and a crash, and another for each step and run", async () => {
  const world = await openWorld();
  const keys: string[] = [];
  const w = workflow("t/key", { version: "1.0.0" }, async (ctx) => {
    await ctx
      .step("pay", (s) => {
        keys.push(s.idempotencyKey);
        if (s.attempt < 3) throw new Error("again");
      })
      .retry({ attempts: 3, base: "1h", jitter: 0 });
    await ctx.step("other", (s) => void keys.push(s.idempotencyKey));
  });
  const first = await world.open({ workflows: [w] });
  await first.engine.start(w, undefined, { id: "k" });
  await world.advance(3_600_000);
  first.crash();
  const second = await world.open({ workflows: [w] });
  await world.advance(2 * 3_600_000);
  await (await second.engine.get(w, "k")).result();
  expect(keys.slice(0, 3)).toEqual(["t/key:k:pay", "t/key:k:pay", "t/key:k:pay"]);
  expect(keys[3]).toBe("t/key:k:other");
});
