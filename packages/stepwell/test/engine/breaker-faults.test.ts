/** Circuit breakers where something goes wrong around them: a store that fails, a cancel, a lost race, a lost claim. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { openEngine, StepwellError, workflow } from "../../src/index.ts";
import type { BreakerOptions } from "../../src/model/breaker.ts";
import type { Store } from "../../src/store/store.ts";
import { openWorld } from "./harness.ts";

const SERVICE: BreakerOptions = { name: "service", failures: 1, reset: "1m" };

/** What a test holds up, or lets fail, of the calls about breakers. */
function openTrouble() {
  const trouble = {
    finds: 0,
    saves: 0,
    onFind: (): Promise<void> => Promise.resolve(),
    /** After it was stored. */
    onSaved: (): Promise<void> => Promise.resolve(),
  };
  const wrap = (store: Store): Store => ({
    ...store,
    findBreaker: async (...args) => {
      trouble.finds += 1;
      await trouble.onFind();
      return store.findBreaker(...args);
    },
    saveBreaker: async (...args) => {
      trouble.saves += 1;
      const saved = await store.saveBreaker(...args);
      await trouble.onSaved();
      return saved;
    },
  });
  return { trouble, wrap };
}

const down = workflow("t/down", { version: "1.0.0" }, (ctx) =>
  ctx
    .step("call", () => {
      throw new Error("down");
    })
    .retry(1)
    .circuitBreaker(SERVICE),
);

const up = workflow("t/up", { version: "1.0.0" }, (ctx) => ctx.step("call", () => "up").circuitBreaker(SERVICE));

it("a store that fails is asked again, and fails no run", async () => {
  const world = await openWorld();
  const { trouble, wrap } = openTrouble();
  const { engine } = await world.open({ workflows: [up] }, wrap);
  trouble.onFind = async () => {
    if (trouble.finds <= 3) throw new StepwellError("STORE_BUSY", "busy");
  };
  const run = await engine.start(up);
  await world.advance(1_000);
  expect(await run.result()).toBe("up");
  expect(trouble.finds).toBe(5);
});

it("R4: an outcome that is unknown is made known, and counts once", async () => {
  const world = await openWorld();
  const { trouble, wrap } = openTrouble();
  const thrice = workflow("t/thrice", { version: "1.0.0" }, (ctx) =>
    ctx
      .step("call", () => {
        throw new Error("down");
      })
      .retry(1)
      .circuitBreaker({ ...SERVICE, failures: 2 }),
  );
  const { engine } = await world.open({ workflows: [thrice] }, wrap);
  let doubts = 2;
  trouble.onSaved = async () => {
    doubts -= 1;
    if (doubts >= 0) throw new StepwellError("STORE_OUTCOME_UNKNOWN", "nobody knows");
  };
  const run = await engine.start(thrice);
  await world.advance(1_000);
  expect(await run.outcome()).toMatchObject({ state: "failed" });
  expect(doubts).toBe(0);
  expect(await engine.breakers.list()).toMatchObject([{ state: "closed", failures: 1 }]);
});

it("F21: a cancel that comes while the breaker is asked is carried out", async () => {
  const world = await openWorld();
  const { trouble, wrap } = openTrouble();
  const { engine } = await world.open({ workflows: [down, up] }, wrap);
  await (await engine.start(down)).outcome();
  let answer = (): void => {};
  trouble.onFind = () => new Promise((resolve) => (answer = resolve));
  const run = await engine.start(up);
  await world.until(() => trouble.finds === 3, "a question");
  await run.cancel();
  await world.settle();
  answer();
  expect(await run.outcome()).toMatchObject({ state: "cancelled" });
});

it("a probe that loses its race is free again as soon as its code has ended", async () => {
  const world = await openWorld();
  let called = 0;
  const racing = workflow("t/racing", { version: "1.0.0" }, async (ctx) => {
    const call = ctx
      .step("call", async (s) => {
        called += 1;
        await new Promise((_, reject) => s.signal.addEventListener("abort", () => reject(new Error("stopped"))));
      })
      .circuitBreaker(SERVICE);
    const { winner } = await ctx.race("race", { call, nap: ctx.sleep("nap", "61.5m") });
    await ctx.waitFor({ name: "end", kind: "signal", payload: undefined } as never);
    return winner;
  });
  const { engine } = await world.open({ workflows: [down, racing, up], hotWait: "2h" });
  await (await engine.start(down)).outcome();
  await engine.start(racing);
  await world.advance(70_000);
  expect(called).toBe(1);
  expect(await engine.breakers.list()).toMatchObject([{ state: "half-open", probe: { workflow: "t/racing" } }]);
  await world.advance(3_700_000);
  expect(await engine.breakers.list()).toMatchObject([{ state: "half-open", probe: null }]);
  expect(await (await engine.start(up)).result()).toBe("up");
});

it("P3: a zombie is not admitted", async () => {
  const world = await openWorld();
  const { trouble, wrap } = openTrouble();
  let called = 0;
  const counted = workflow("t/counted", { version: "1.0.0" }, (ctx) =>
    ctx.step("call", () => (called += 1)).circuitBreaker(SERVICE),
  );
  const zombie = await world.open({ workflows: [counted, up] }, wrap);
  await zombie.engine.run(up);
  let answer = (): void => {};
  trouble.onFind = () => new Promise((resolve) => (answer = resolve));
  const run = await zombie.engine.start(counted);
  await world.until(() => trouble.finds === 3, "a question");
  const [worker] = await world.store.listWorkers(world.nowMs());
  await world.store.buryWorker(worker!.workerId, true, world.nowMs());
  await world.store.releaseRuns(worker!.workerId, "died", world.nowMs());
  answer();
  await world.settle();
  expect(called).toBe(0);
  const heir = await world.open({ workflows: [counted] });
  await world.advance(1_000);
  expect(await (await heir.engine.get(counted, run.id)).result()).toBe(1);
});

it("two engines on one file share a breaker", async () => {
  const folder = mkdtempSync(join(tmpdir(), "stepwell-breaker-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const store = `sqlite:${join(folder, "shared.db")}`;
  const options: BreakerOptions = { name: "service", failures: 3, reset: "300ms" };
  let [works, calls] = [false, 0];
  const shared = workflow("t/shared", { version: "1.0.0" }, (ctx) =>
    ctx
      .step("call", () => {
        calls += 1;
        if (!works) throw new Error("down");
        return calls;
      })
      .retry(1)
      .circuitBreaker(options),
  );
  const engines = [await openEngine({ store, workflows: [shared] }), await openEngine({ store, workflows: [shared] })];
  onTestFinished(async () => void (await Promise.all(engines.map((engine) => engine.close()))));
  for (const index of [0, 1, 0]) await engines[index]!.run(shared).catch(() => {});
  works = true;
  const results = await Promise.all(engines.map((engine) => engine.run(shared)));
  expect(results.toSorted((a, b) => a - b)).toEqual([4, 5]);
  expect(await engines[1]!.breakers.list()).toMatchObject([{ state: "closed", failures: 0 }]);
});
