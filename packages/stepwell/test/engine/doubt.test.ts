/** Commits in doubt, and moments between two answers of the store: what may not be lost, run twice or be freed twice. */
import { expect, it } from "vitest";
import { type Ctx, signal, StepwellError, workflow, type Workflow } from "../../src/index.ts";
import type { Store } from "../../src/store/store.ts";
import type { Write } from "../../src/store/write.ts";
import { ON_POSTGRES, openWorld, type World } from "./harness.ts";

const ping = signal<string>("ping");
const HOUR = 3_600_000;

function define<O>(body: (ctx: Ctx<void>) => Promise<O>): Workflow<void, O> {
  return workflow("t/doubt", { version: "1.0.0" }, body);
}

/** A store that applies the first flush with such a write, lets something happen, and does not say that it did. */
function doubting(fits: (write: Write) => boolean, meanwhile: () => Promise<unknown>) {
  let done = false;
  return (store: Store): Store => ({
    ...store,
    flush: async (writes, nowMs) => {
      const results = await store.flush(writes, nowMs);
      if (done || !writes.some(fits)) return results;
      done = true;
      await meanwhile();
      throw new StepwellError("STORE_OUTCOME_UNKNOWN", "COMMIT failed.");
    },
  });
}

async function post(world: World, id: string, kind: "signal" | "cancel", name: string): Promise<void> {
  const payload = JSON.stringify("early");
  const item = { kind, name, payload, actor: "kim", operationId: `${kind} ${id}` } as const;
  await world.store.flush([{ kind: "post", to: { namespace: "t", name: "doubt", id }, item }], world.nowMs());
}

it("P1, P6: a signal that comes while the commit of a start is in doubt is there when the body asks for it", async () => {
  const world = await openWorld();
  const w = define((ctx) => ctx.waitFor(ping));
  const early = doubting(
    (write) => write.kind === "insert_run",
    () => post(world, "x", "signal", "ping"),
  );
  const { engine } = await world.open({ workflows: [w] }, early);
  await world.settle();
  const starting = engine.start(w, undefined, { id: "x" });
  await world.advance(1_000);
  expect(await (await starting).result()).toMatchObject({ value: "early" });
});

it("P6: a signal that comes while the commit of a park is in doubt wakes the run, and its step runs once", async () => {
  const world = await openWorld();
  const ran: string[] = [];
  const w = define(async (ctx) => {
    await ctx.step("before", () => ran.push("before"));
    const { value } = await ctx.waitFor(ping);
    await ctx.step("after", () => ran.push(`after ${value}`));
    return "done";
  });
  const early = doubting(
    (write) => write.kind === "transition" && write.transition.kind === "park",
    () => post(world, "x", "signal", "ping"),
  );
  const process = await world.open({ workflows: [w] }, early);
  const run = await process.engine.start(w, undefined, { id: "x" });
  await world.advance(60_000);
  expect(await run.result()).toBe("done");
  expect(ran).toEqual(["before", "after early"]);
});

it("a call that the body makes while its run parks begins as soon as the claim is held again", async () => {
  const world = await openWorld();
  let answer = (): void => {};
  let parked = false;
  const w = define(async (ctx) => {
    const nap = ctx.sleep("nap", "1h");
    await new Promise<void>((resolve) => (answer = resolve));
    const value = await ctx.step("late", () => "made while parking");
    await nap;
    return value;
  });
  const { engine } = await world.open({ workflows: [w] }, (store) => ({
    ...store,
    flush: async (writes, nowMs) => {
      const results = await store.flush(writes, nowMs);
      if (parked || !writes.some((write) => write.kind === "transition" && write.transition.kind === "park")) {
        return results;
      }
      parked = true;
      answer();
      for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      return results;
    },
  }));
  const run = await engine.start(w);
  await world.advance(5_000);
  const steps = async () => (await run.history()).flatMap((event) => (event.kind === "step" ? [event.key] : []));
  expect(await steps()).toEqual(["late"]);
  await world.advance(HOUR);
  expect(await run.result()).toBe("made while parking");
});

it("F22: a run that is cancelled before its replayed body has asked for a step undoes that step all the same", async () => {
  const world = await openWorld();
  const log: string[] = [];
  let answers = true;
  const w = define(async (ctx) => {
    if (!answers) {
      answers = true;
      await new Promise(() => {});
    }
    await ctx.step("pay", () => log.push("pay")).compensate(() => void log.push("refund"));
    await ctx.step("long", (s) => new Promise((_, reject) => s.signal.addEventListener("abort", reject)));
  });
  const first = await world.open({ workflows: [w] });
  await first.engine.start(w, undefined, { id: "x" });
  await world.settle();
  first.crash();
  answers = false;
  const second = await world.open({ workflows: [w] });
  const run = await second.engine.get(w, "x");
  await world.until(() => answers, "the second body");
  await run.cancel();
  expect((await run.outcome()).state).toBe("cancelled");
  expect(log).toEqual(["pay", "refund"]);
});

it("more than one flush may hold goes into the next, in order", async (context) => {
  context.skip(ON_POSTGRES, "it takes two flushes at a time");
  const world = await openWorld();
  const sizes: number[] = [];
  const w = define((ctx) => ctx.sleep("nap", "1h"));
  const { engine } = await world.open({ workflows: [w], work: false }, (store) => ({
    ...store,
    flush: (writes, nowMs) => {
      sizes.push(writes.length);
      return store.flush(writes, nowMs);
    },
  }));
  const ids = Array.from({ length: 1_030 }, (_, index) => `${index}`);
  await Promise.all(ids.map((id) => engine.start(w, undefined, { id })));
  expect(sizes).toEqual([1_024, 6]);
  const { runs } = await engine.list({ limit: 1_000 });
  expect(runs.map((run) => run.id)).toEqual(ids.toReversed().slice(0, 1_000));
});

it("P12: what a store throws that has no code is told to the caller as STORE_FAILED, with its cause", async () => {
  const world = await openWorld();
  const w = define(async () => 1);
  let broken = true;
  const { engine, logged } = await world.open({ workflows: [w] }, (store) => ({
    ...store,
    flush: (...args) => (broken ? Promise.reject(new TypeError("no such file")) : store.flush(...args)),
  }));
  const cause = expect.objectContaining({ message: "no such file" }) as unknown;
  await expect(engine.start(w)).rejects.toMatchObject({ code: "STORE_FAILED", cause });
  expect(logged).toMatchObject([{ level: "warn", message: expect.stringContaining("STORE_FAILED") as unknown }]);
  broken = false;
  expect(await world.advance(1_000).then(() => engine.run(w))).toBe(1);
});
