/** Steps that run for long: seen while they run, heartbeats, silence. */
import { expect, it } from "vitest";
import { z } from "zod";
import { type Ctx, handler, type StepContext, workflow, type Workflow } from "../../src/index.ts";
import { openWorld } from "./harness.ts";

const LIVE = { lease: "10s" } as const;

function define<O>(body: (ctx: Ctx<void>) => Promise<O>): Workflow<void, O> {
  return workflow("t/beat", { version: "1.0.0" }, body);
}

/** Step code that ends when told. */
function gate(): { readonly work: () => Promise<string>; readonly open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { work: () => opened.then(() => "done"), open: () => open() };
}

it("a step that is still running after a second can be seen, a quick one never was", async () => {
  const world = await openWorld();
  const long = gate();
  const w = define(async (ctx) => {
    await ctx.step("quick", () => 1);
    return ctx.step("long", long.work);
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  const startedMs = world.nowMs();
  await world.advance(900);
  expect((await run.status()).longSteps).toEqual([]);
  await world.advance(400);
  expect((await run.status()).longSteps).toEqual([
    { key: "long", kind: "step", attempt: 1, beganAtMs: startedMs, heartbeat: undefined, heartbeatAtMs: null },
  ]);
  long.open();
  expect(await run.result()).toBe("done");
  expect((await run.status()).longSteps).toEqual([]);
  const began = (await run.history()).filter((event) => event.kind === "attempt_began");
  expect(began).toMatchObject([{ key: "long", attempt: 1, atMs: startedMs }]);
});

it("an attempt that a crash cut off is made again under its number, and hears what it told last", async () => {
  const world = await openWorld();
  const seen: unknown[] = [];
  const hang = gate();
  const w = define((ctx) =>
    ctx.step("copy", async (s) => {
      seen.push([s.attempt, s.lastHeartbeat]);
      if (seen.length > 1) return "copied";
      s.heartbeat({ row: 1 });
      s.heartbeat({ row: 2 });
      return hang.work();
    }),
  );
  const first = await world.open({ workflows: [w] });
  await first.engine.start(w, undefined, { id: "x" });
  await world.advance(2_500);
  const before = await first.engine.get(w, "x");
  expect((await before.status()).longSteps).toMatchObject([{ heartbeat: { row: 2 } }]);
  first.crash();
  const second = await world.open({ workflows: [w] });
  const run = await second.engine.get(w, "x");
  expect(await run.result()).toBe("copied");
  expect(seen).toEqual([
    [1, undefined],
    [1, { row: 2 }],
  ]);
  const history = await run.history();
  expect(history.map((event) => event.seq)).toEqual(history.map((_, index) => index + 1));
});

it("the next attempt hears what a failed one told last, also in another process", async () => {
  const world = await openWorld();
  const seen: unknown[] = [];
  const w = define((ctx) =>
    ctx
      .step("copy", (s) => {
        seen.push(s.lastHeartbeat);
        if (s.attempt === 4) return "copied";
        if (s.attempt !== 2) s.heartbeat(s.attempt * 10);
        throw new Error("again");
      })
      .retry({ attempts: 4, base: "1h", backoff: "fixed", jitter: 0 }),
  );
  const first = await world.open({ workflows: [w] });
  await first.engine.start(w, undefined, { id: "x" });
  await world.advance(3_600_000);
  first.crash();
  const second = await world.open({ workflows: [w] });
  await world.advance(3_600_000);
  await world.advance(3_600_000);
  expect(await (await second.engine.get(w, "x")).result()).toBe("copied");
  expect(seen).toEqual([undefined, 10, 10, 30]);
});

it("heartbeats are stored at most once a second, the newest one", async () => {
  const world = await openWorld();
  const told: unknown[] = [];
  const hang = gate();
  let context: StepContext | null = null;
  const w = define((ctx) =>
    ctx.step("busy", (s) => {
      context = s;
      return hang.work();
    }),
  );
  const { engine } = await world.open({ workflows: [w] }, (store) => ({
    ...store,
    flush: (writes, nowMs) => {
      for (const write of writes) if (write.kind === "beat") told.push(write.value);
      return store.flush(writes, nowMs);
    },
  }));
  const run = await engine.start(w);
  await world.settle();
  for (let index = 0; index < 30; index += 1) {
    context!.heartbeat(index);
    await world.advance(100);
  }
  hang.open();
  await run.result();
  expect(told.length).toBeGreaterThan(1);
  expect(told.length).toBeLessThan(5);
  expect(Number(told.at(-1))).toBeGreaterThan(15);
});

it("a silent attempt fails with STEP_HEARTBEAT_MISSED and is tried again; one that beats may take its time", async () => {
  const world = await openWorld();
  const log: string[] = [];
  const slow = handler("slow", { input: z.void(), heartbeat: "2s", attempts: 1 }, () => new Promise(() => {}));
  const w = define(async (ctx) => {
    const beating = ctx
      .step("beats", async (s) => {
        for (let index = 0; index < 5; index += 1) {
          await new Promise<void>((resolve) => void waits.push(resolve));
          s.heartbeat();
        }
        return "alive";
      })
      .heartbeat("2s");
    const silent = ctx
      .step("silent", (s) => {
        log.push(`attempt ${s.attempt}`);
        s.signal.addEventListener("abort", () => log.push((s.signal.reason as { readonly code: string }).code));
        return new Promise(() => {});
      })
      .retry({ attempts: 2, base: 1 })
      .heartbeat("2s")
      .settle();
    const settled = [await silent, await ctx.step(slow, undefined).settle()];
    return [await beating, ...settled.map((one) => (one.ok ? "ended" : one.error.code))];
  });
  const waits: (() => void)[] = [];
  const { engine } = await world.open({ workflows: [w], ...LIVE });
  const run = await engine.start(w);
  for (let index = 0; index < 8; index += 1) {
    await world.advance(1_500);
    waits.shift()?.();
  }
  const missed = "STEP_HEARTBEAT_MISSED";
  expect(await run.result()).toEqual(["alive", missed, missed]);
  expect(log).toEqual(["attempt 1", missed, "attempt 2", missed]);
});

it("F23: details that cannot be stored fail the attempt where it tells them", async () => {
  const world = await openWorld();
  const w = define((ctx) => ctx.step("x", (s) => s.heartbeat(() => 1)).retry(1));
  const { engine } = await world.open({ workflows: [w] });
  expect(await (await engine.start(w)).outcome()).toMatchObject({ error: { code: "NOT_SERIALISABLE" } });
});

it("code that turns a failure into a value is part of its attempt, and tells of none of its own", async () => {
  const world = await openWorld();
  const slow = gate();
  const w = define((ctx) =>
    ctx
      .step("x", () => Promise.reject(new Error("no")))
      .retry(1)
      .fallback(slow.work),
  );
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  await world.advance(3_000);
  slow.open();
  expect(await run.result()).toBe("done");
  expect((await run.history()).map((event) => event.kind)).toEqual(["started", "step", "ended"]);
});
