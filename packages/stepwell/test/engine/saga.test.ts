/** Compensation, cancel, children, floating steps. */
import { expect, it } from "vitest";
import { PermanentError, workflow } from "../../src/index.ts";
import { openWorld } from "./harness.ts";

const stepKeys = (events: readonly { kind: string }[]): string[] =>
  events.flatMap((event) => (event.kind === "step" ? [(event as unknown as { key: string }).key] : []));

it("compensates completed steps in reverse order, after a durable beginning, and then fails with the first error", async () => {
  const world = await openWorld();
  const log: string[] = [];
  const w = workflow("t/saga", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("pay", () => "p1").compensate((id) => void log.push(`refund ${id}`));
    await ctx.step("reserve", () => "r1").compensate((id) => void log.push(`release ${id}`));
    await ctx
      .step("handled", () => Promise.reject(new PermanentError("x")))
      .compensate(() => void log.push("never"))
      .fallback(() => 0);
    await ctx.step("ship", () => {
      throw new PermanentError("no courier", { code: "NO_COURIER" });
    });
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  const outcome = await run.outcome();
  expect(outcome).toMatchObject({ state: "failed", error: { code: "NO_COURIER" } });
  expect(log).toEqual(["release r1", "refund p1"]);
  const history = await run.history();
  expect(stepKeys(history)).toEqual(["pay", "reserve", "handled", "ship", "@compensate/reserve", "@compensate/pay"]);
  const begin = history.findIndex((event) => event.kind === "note" && event.note === "compensating");
  expect(begin).toBe(history.findIndex((event) => event.kind === "step" && event.key === "@compensate/reserve") - 1);
});

it("F22: after a crash the body is replayed only for its closures; what is undone is not undone again", async () => {
  const world = await openWorld();
  const log: string[] = [];
  const ran: string[] = [];
  const w = workflow("t/resume", { version: "1.0.0" }, async (ctx) => {
    const first = await ctx
      .step("a", () => void ran.push("a"))
      .compensate(
        async (_v, s) => {
          log.push(`undo a ${s.attempt}`);
          if (log.length < 3) throw new Error("not yet");
        },
        { base: "1h", jitter: 0 },
      );
    await ctx.step("b", () => void ran.push("b")).compensate(() => void log.push("undo b"));
    ran.push("body");
    await ctx.step("c", () => Promise.reject(new PermanentError("c failed")));
    return first;
  });
  const first = await world.open({ workflows: [w] });
  await first.engine.start(w, undefined, { id: "x" });
  await world.settle();
  expect(log).toEqual(["undo b", "undo a 1"]);
  first.crash();
  const second = await world.open({ workflows: [w] });
  await world.advance(3_600_000);
  const run = await second.engine.get(w, "x");
  expect((await run.outcome()).state).toBe("failed");
  expect(log).toEqual(["undo b", "undo a 1", "undo a 2"]);
  expect(ran.filter((name) => name !== "body")).toEqual(["a", "b"]);
});

it("an exhausted compensation fails the run with COMPENSATION_FAILED, after the others were undone", async () => {
  const world = await openWorld();
  const undone: string[] = [];
  const w = workflow("t/exhausted", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("pay", () => 1).compensate(() => void undone.push("pay"));
    await ctx
      .step("reserve", () => 1)
      .compensate(() => Promise.reject(new Error("bank closed")), { attempts: 2, base: "10ms" });
    throw new PermanentError("no stock");
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  await world.advance(1_000);
  expect(await run.outcome()).toMatchObject({
    state: "failed",
    error: { code: "COMPENSATION_FAILED", details: { steps: ["reserve"], original: { message: "no stock" } } },
  });
  expect(undone).toEqual(["pay"]);
});

it("a closure that the code no longer has sets the run aside, until code that has it is deployed", async () => {
  const world = await openWorld();
  let bank = "down";
  const make = (version: string, withUndo: boolean) =>
    workflow("t/missing", { version }, async (ctx) => {
      const pay = ctx.step("pay", () => 1);
      if (withUndo) {
        void pay.compensate(() => (bank === "down" ? Promise.reject(new Error(bank)) : bank), {
          base: "1h",
          jitter: 0,
        });
      }
      await pay;
      throw new PermanentError("no stock");
    });
  const first = await world.open({ workflows: [make("1.0.0", true)] });
  await first.engine.start(make("1.0.0", true), undefined, { id: "m" });
  await world.settle();
  first.crash();
  const second = await world.open({ workflows: [make("1.0.1", false)] });
  await world.advance(2 * 3_600_000);
  const paused = await (await second.engine.get("t/missing", "m")).status();
  expect(paused).toMatchObject({ state: "paused", error: { code: "COMPENSATION_MISSING" } });
  second.crash();
  bank = "open";
  const third = await world.open({ workflows: [make("1.0.2", true)] });
  await world.advance(2 * 3_600_000);
  const outcome = await (await third.engine.get("t/missing", "m")).outcome();
  expect(outcome).toMatchObject({ state: "failed", error: { message: "no stock" } });
});

it("cancel stops a running step by its signal, undoes what was done, and tells who and why", async () => {
  const world = await openWorld();
  const log: string[] = [];
  const w = workflow("t/cancel", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("pay", () => 1).compensate(() => void log.push("refund"));
    await ctx.step(
      "long",
      (s) => new Promise((_resolve, reject) => s.signal.addEventListener("abort", () => reject(s.signal.reason))),
    );
    log.push("went on");
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  await world.settle();
  await run.cancel({ actor: "kim", reason: "changed my mind" });
  const outcome = await run.outcome();
  expect(outcome).toMatchObject({
    state: "cancelled",
    error: { code: "RUN_CANCELLED", details: { actor: "kim", reason: "changed my mind" } },
  });
  expect(log).toEqual(["refund"]);
  const received = (await run.history()).find((event) => event.kind === "received");
  expect(received).toMatchObject({ item: "cancel", actor: "kim", value: "changed my mind" });
  await run.cancel();
  expect((await run.outcome()).state).toBe("cancelled");
});

it("cancel ends a parked run at once, and a pending one before its body runs", async () => {
  const world = await openWorld();
  let bodies = 0;
  const w = workflow("t/parked", { version: "1.0.0" }, async (ctx) => {
    bodies += 1;
    await ctx.sleep("long", "30d");
  });
  const idle = await world.open({ workflows: [w], work: false });
  const pending = await idle.engine.start(w);
  await pending.cancel();
  await idle.engine.work();
  expect((await pending.outcome()).state).toBe("cancelled");
  expect(bodies).toBe(0);
  const parked = await idle.engine.start(w);
  await world.settle();
  await parked.cancel();
  expect((await parked.outcome()).state).toBe("cancelled");
  expect(bodies).toBe(1);
});

it("awaits children, hands their outcome to the parent exactly once, also across a crash", async () => {
  const world = await openWorld();
  let bills = 0;
  const bill = workflow("t/bill", { version: "1.0.0" }, async (ctx, amount: number) => {
    await ctx.sleep("post", "2h");
    return ctx.step("print", () => {
      bills += 1;
      return `bill over ${amount}`;
    });
  });
  const order = workflow("t/order", { version: "1.0.0" }, async (ctx) => {
    const text = await ctx.run("invoice", bill, 42);
    const ref = await ctx.start("detached", bill, 7, { id: "loose" });
    return [text, ref];
  });
  const first = await world.open({ workflows: [order, bill] });
  await first.engine.start(order, undefined, { id: "o" });
  await world.settle();
  first.crash();
  const second = await world.open({ workflows: [order, bill] });
  await world.advance(7_200_000);
  const run = await second.engine.get(order, "o");
  expect(await run.result()).toEqual(["bill over 42", { workflow: "t/bill", id: "loose" }]);
  expect(bills).toBe(1);
  await world.advance(7_200_000);
  expect(await (await second.engine.get(bill, "loose")).result()).toBe("bill over 7");
});

it("a failed child throws in the parent; a cancelled parent cancels its children", async () => {
  const world = await openWorld();
  const child = workflow("t/child", { version: "1.0.0" }, async (ctx, fail: boolean) => {
    if (fail) throw new PermanentError("child broke", { code: "BROKE" });
    await ctx.sleep("long", "30d");
  });
  const parent = workflow("t/parent", { version: "1.0.0" }, async (ctx, fail: boolean) => {
    const settled = await ctx.run("child", child, fail).settle();
    return settled.ok ? "ok" : [settled.error.code, (settled.error.cause as { code: string }).code];
  });
  const { engine } = await world.open({ workflows: [parent, child] });
  expect(await (await engine.start(parent, true)).result()).toEqual(["RUN_FAILED", "BROKE"]);
  const run = await engine.start(parent, false, { id: "p" });
  await world.settle();
  await run.cancel();
  expect((await run.outcome()).state).toBe("cancelled");
  await world.settle();
  expect((await engine.list({ workflow: "t/child" })).runs.map((r) => r.state).sort()).toEqual(["cancelled", "failed"]);
});

it("P12: a step that nobody awaits is stopped, recorded and reported", async () => {
  const world = await openWorld();
  const w = workflow("t/floating", { version: "1.0.0" }, async (ctx) => {
    void ctx.step(
      "floating",
      (s) => new Promise((resolve) => s.signal.addEventListener("abort", () => resolve("stopped"))),
    );
    return ctx.step("awaited", () => "done");
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  expect(await run.result()).toBe("done");
  const history = await run.history();
  expect(stepKeys(history).sort()).toEqual(["awaited", "floating"]);
  expect(history.some((event) => event.kind === "note" && event.note === "floating")).toBe(true);
});

it("P12: a wait that was being stored when the body ended is dropped like the others", async () => {
  const world = await openWorld();
  const undone: number[] = [];
  let release = (): void => {};
  const undo = (_paid: unknown, { attempt }: { readonly attempt: number }): void => {
    undone.push(attempt);
    if (attempt === 1) throw new Error("not yet");
  };
  const w = workflow("t/forgotten", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("first", () => 1);
    void ctx
      .step("charge", () => new Promise<void>((resolve) => (release = resolve)))
      .compensate(undo, { base: "1h", jitter: 0 });
    void ctx.sleep("forgotten", "1d");
    await new Promise<void>((resolve) => queueMicrotask(resolve));
    throw new Error("gave up");
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  await world.settle();
  release();
  await world.settle();
  expect((await run.status()).waitingFor).toMatchObject([{ kind: "retry", key: "@compensate/charge" }]);
  await world.advance(3_600_000);
  expect(undone).toEqual([1, 2]);
  expect(await run.status()).toMatchObject({ state: "failed" });
});

it("P12: a body that ends while its child is being started ends the run, and the child is cancelled", async () => {
  const world = await openWorld();
  const child = workflow("t/late", { version: "1.0.0" }, (ctx) => ctx.sleep("long", "30d"));
  const parent = workflow("t/hasty", { version: "1.0.0" }, async (ctx) => {
    void ctx.run("child", child, undefined);
    return "left";
  });
  const { engine } = await world.open({ workflows: [parent, child] });
  await engine.start(parent);
  await world.settle();
  const { runs } = await engine.list();
  expect(runs.map(({ workflow, state }) => `${workflow} ${state}`).sort()).toEqual([
    "t/hasty completed",
    "t/late cancelled",
  ]);
});

it("a drain gives the parent back and leaves its children alone", async () => {
  const world = await openWorld();
  let release = (): void => {};
  const child = workflow("t/kept", { version: "1.0.0" }, async (ctx) => {
    await ctx.sleep("long", "1d");
    return "kept";
  });
  const parent = workflow("t/keeper", { version: "1.0.0" }, async (ctx) => {
    const kept = ctx.run("child", child, undefined);
    await ctx.step("busy", () => new Promise<void>((resolve) => (release = resolve)));
    await ctx.step("next", () => 1);
    return kept;
  });
  const first = await world.open({ workflows: [parent, child] });
  await first.engine.start(parent, undefined, { id: "p" });
  await world.settle();
  const closed = first.engine.close();
  await world.settle();
  release();
  await closed;
  const second = await world.open({ workflows: [parent, child] });
  await world.advance(2 * 86_400_000);
  expect(await (await second.engine.get(parent, "p")).outcome()).toEqual({ state: "completed", output: "kept" });
});

it("a run that is set aside keeps no outcome of the steps it interrupted", async () => {
  const world = await openWorld();
  const make = (version: string, fits: boolean) =>
    workflow("t/interrupted", { version }, async (ctx) => {
      const side = ctx.step("side", (s) => (fits ? "done" : stopped(s.signal)));
      if (fits) await ctx.step("x", () => 1);
      else await ctx.sleep("x", "1s");
      await ctx.sleep("pause", "1d");
      return side;
    });
  const stopped = (signal: AbortSignal): Promise<string> =>
    new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("stopped"))));
  const before = workflow("t/interrupted", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("x", () => 1);
    await ctx.sleep("pause", "1d");
  });
  const first = await world.open({ workflows: [before] });
  await first.engine.start(before, undefined, { id: "i" });
  await world.settle();
  first.crash();
  const second = await world.open({ workflows: [make("1.1.0", false)] });
  await world.advance(86_400_000);
  expect((await (await second.engine.get("t/interrupted", "i")).status()).state).toBe("paused");
  second.crash();
  const third = await world.open({ workflows: [make("1.2.0", true)] });
  await world.advance(86_400_000);
  const outcome = await (await third.engine.get("t/interrupted", "i")).outcome();
  expect(outcome).toEqual({ state: "completed", output: "done" });
});
