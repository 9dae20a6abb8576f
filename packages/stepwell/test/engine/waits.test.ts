/** Sleeps and signals: parking, hot waits, buffering, timeouts, restarts. */
import { expect, it } from "vitest";
import { z } from "zod";
import { signal, workflow } from "../../src/index.ts";
import { openWorld } from "./harness.ts";

const DAY = 86_400_000;
const approval = signal("approval", z.object({ by: z.string() }));
const ping = signal<string | null>("ping");

it("P7: a long sleep parks the run, survives a crash, and never ends early", async () => {
  const world = await openWorld();
  const steps: string[] = [];
  const w = workflow("t/sleep", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("before", () => void steps.push("before"));
    await ctx.sleep("month", "30d");
    await ctx.step("after", () => void steps.push("after"));
    return world.nowMs();
  });
  const first = await world.open({ workflows: [w] });
  const startedMs = world.nowMs();
  const run = await first.engine.start(w, undefined, { id: "s" });
  await world.settle();
  expect(await run.status()).toMatchObject({ state: "waiting", waitingFor: [{ kind: "timer", key: "month" }] });
  await world.advance(10 * DAY);
  first.crash();
  const second = await world.open({ workflows: [w] });
  await world.advance(20 * DAY - 1);
  expect(steps).toEqual(["before"]);
  await world.advance(1);
  expect(await (await second.engine.get(w, "s")).result()).toBe(startedMs + 30 * DAY);
  expect(steps).toEqual(["before", "after"]);
});

it("a short wait stays hot: the run keeps its claim", async () => {
  const world = await openWorld();
  const w = workflow("t/short", { version: "1.0.0" }, async (ctx) => {
    await ctx.sleep("blink", "500ms");
    return "done";
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  await world.settle();
  expect((await run.status()).state).toBe("running");
  await world.advance(500);
  expect(await run.result()).toBe("done");
});

it.each([
  ["lingering bodies", 1_000],
  ["every body evicted at its park", 0],
])("P6: signals are buffered, consumed once and in order; null is not a timeout (%s)", async (_name, lingerMax) => {
  const world = await openWorld();
  const w = workflow("t/signals", { version: "1.0.0" }, async (ctx) => {
    const got: unknown[] = [];
    for (let index = 0; index < 3; index += 1) {
      const answer = await ctx.waitFor(ping, { timeout: "1h" });
      got.push(answer.ok ? answer.value : answer.reason);
      if (index === 1) await ctx.sleep("pause", "10s");
    }
    return got;
  });
  const { engine } = await world.open({ workflows: [w], lingerMax });
  const run = await engine.start(w);
  await run.signal(ping, "early");
  await world.settle();
  await world.advance(60_000);
  await run.signal(ping, null);
  await world.settle();
  await world.advance(10_000);
  expect((await run.status()).waitingFor).toMatchObject([{ kind: "signal", name: "ping" }]);
  await world.advance(3_599_999);
  expect((await run.status()).state).not.toBe("completed");
  await world.advance(1);
  expect(await run.result()).toEqual(["early", null, "timeout"]);
});

it("validates a signal at the door, and refuses it for unknown and ended runs", async () => {
  const world = await openWorld();
  const w = workflow("t/door", { version: "1.0.0" }, async (ctx) => (await ctx.waitFor(approval)).value.by);
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "d" });
  await expect(run.signal(approval, { by: 7 } as never)).rejects.toMatchObject({ code: "SIGNAL_INVALID" });
  await expect(engine.signal(w, "nobody", approval, { by: "x" })).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
  await engine.signal(w, "d", approval, { by: "kim" });
  expect(await run.result()).toBe("kim");
  await expect(run.signal(approval, { by: "late" })).rejects.toMatchObject({ code: "RUN_ENDED" });
});

it("a signal sent twice under one id arrives once", async () => {
  const world = await openWorld();
  const w = workflow("t/twice", { version: "1.0.0" }, async (ctx) => {
    const first = await ctx.waitFor(ping);
    const second = await ctx.waitFor(ping, { timeout: "1m" });
    return [first.value, second.ok];
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  await run.signal(ping, "x", { id: "web-hook-1" });
  await run.signal(ping, "x", { id: "web-hook-1" });
  await world.advance(60_000);
  expect(await run.result()).toEqual(["x", false]);
});

it("two waits of one signal at once go by name, in the order they were asked for", async () => {
  const world = await openWorld();
  const w = workflow("t/named", { version: "1.0.0" }, async (ctx) => {
    const [first, second] = await Promise.all([
      ctx.waitFor(ping, { name: "first" }),
      ctx.waitFor(ping, { name: "second" }),
    ]);
    return [first.value, second.value];
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  await world.settle();
  await run.signal(ping, "a");
  await run.signal(ping, "b");
  expect(await run.result()).toEqual(["a", "b"]);
});

it("Promise.race has the same winner on every replay", async () => {
  const world = await openWorld();
  const winners: string[] = [];
  const w = workflow("t/race", { version: "1.0.0" }, async (ctx) => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const slow = ctx.step("slow", async () => {
      await held;
      return "slow";
    });
    const fast = ctx.step("fast", () => {
      setImmediate(() => setImmediate(release));
      return "fast";
    });
    winners.push(await Promise.race([slow, fast]));
    await slow;
    await ctx.sleep("later", "1d");
    return winners.length;
  });
  const first = await world.open({ workflows: [w] });
  await first.engine.start(w, undefined, { id: "r" });
  await world.settle();
  first.crash();
  const second = await world.open({ workflows: [w] });
  await world.advance(DAY);
  expect(await (await second.engine.get(w, "r")).result()).toBe(2);
  expect(winners).toEqual(["fast", "fast"]);
});

it("a raw await that comes back after the park takes the run back", async () => {
  const world = await openWorld();
  let release = (): void => {};
  const raw = new Promise<void>((resolve) => (release = resolve));
  const w = workflow("t/raw", { version: "1.0.0" }, async (ctx) => {
    const background = raw.then(() => ctx.step("woken", () => "woken"));
    await ctx.sleep("long", "1d");
    return background;
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  await world.settle();
  expect((await run.status()).state).toBe("waiting");
  release();
  await world.settle();
  expect((await run.history()).some((event) => event.kind === "step" && event.key === "woken")).toBe(true);
  await world.advance(DAY);
  expect(await run.result()).toBe("woken");
});

it("a recorded call of another kind sets the run aside, says what it expected and got, and code that fits goes on", async () => {
  const world = await openWorld();
  const before = workflow("t/changed", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("x", () => 1);
    await ctx.sleep("y", "1d");
  });
  const after = workflow("t/changed", { version: "1.1.0" }, async (ctx) => {
    await ctx.sleep("x", "1s");
  });
  const first = await world.open({ workflows: [before] });
  await first.engine.start(before, undefined, { id: "c" });
  await world.settle();
  first.crash();
  const second = await world.open({ workflows: [after] });
  await world.advance(DAY);
  const status = await (await second.engine.get(after, "c")).status();
  expect(status.state).toBe("paused");
  expect(status.error).toMatchObject({
    code: "REPLAY_DIVERGED",
    details: { key: "x", expected: "step", got: "sleep" },
  });
  second.crash();
  const third = await world.open({ workflows: [{ ...before, version: "1.2.0" }] });
  await world.settle();
  expect((await (await third.engine.get(before, "c")).outcome()).state).toBe("completed");
});

it("a paused run can be cancelled", async () => {
  const world = await openWorld();
  const undone: string[] = [];
  const make = (version: string, first: "step" | "sleep") =>
    workflow("t/aside", { version }, async (ctx) => {
      await ctx.step("paid", () => 1).compensate(() => void undone.push("paid"));
      if (first === "step") await ctx.step("x", () => 1);
      else await ctx.sleep("x", "1s");
      await ctx.sleep("y", "1d");
    });
  const first = await world.open({ workflows: [make("1.0.0", "step")] });
  await first.engine.start(make("1.0.0", "step"), undefined, { id: "c" });
  await world.settle();
  first.crash();
  const { engine } = await world.open({ workflows: [make("1.1.0", "sleep")] });
  await world.advance(86_400_000);
  const run = await engine.get("t/aside", "c");
  expect((await run.status()).state).toBe("paused");
  await run.cancel();
  expect((await run.outcome()).state).toBe("cancelled");
  expect(undone).toEqual(["paid"]);
});

it("a lingering body that another worker has overtaken is replayed, not continued", async () => {
  const world = await openWorld();
  const ran: string[] = [];
  const w = workflow("t/overtaken", { version: "1.0.0" }, async (ctx) => {
    await ctx.sleep("first", "1h");
    await ctx.step("between", () => void ran.push("between"));
    await ctx.sleep("second", "1h");
    return ctx.step("last", () => ran.push("last"));
  });
  let blocked = false;
  const first = await world.open({ workflows: [w] }, (store) => ({
    ...store,
    claimRuns: (by) => (blocked ? Promise.resolve([]) : store.claimRuns(by)),
  }));
  const run = await first.engine.start(w, undefined, { id: "o" });
  await world.settle();
  blocked = true;
  const second = await world.open({ workflows: [w] });
  await world.advance(3_600_000);
  expect(ran).toEqual(["between"]);
  await second.engine.close();
  blocked = false;
  await world.advance(3_600_000);
  expect(await run.result()).toBe(2);
  expect(ran).toEqual(["between", "last"]);
});
