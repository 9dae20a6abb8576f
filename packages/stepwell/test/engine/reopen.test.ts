/** Retry and resolve: an operator lets a run go on that failed, on a real store, with time in the test's hands. */
import { expect, it } from "vitest";
import { signal, StepwellError, workflow } from "../../src/index.ts";
import type { RunHandle } from "../../src/engine/handle.ts";
import { openWorld, type World } from "./harness.ts";
import { aPlant, KIM } from "./plant.ts";

const DAY = 86_400_000;

/** Of a run that may have ended before anybody waits for it. */
function hasFailed(world: World, run: RunHandle): Promise<void> {
  return world.until(async () => (await run.status()).state === "failed");
}

async function keysOf(run: RunHandle): Promise<string[]> {
  const told = await run.history();
  return told.flatMap((event) => (event.kind === "step" ? [`${event.key} ${event.outcome}`] : []));
}

it("goes on from the failed step; what was recorded stays", async () => {
  const world = await openWorld();
  const { log, step, cure } = aPlant(["b"]);
  const w = workflow("t/line", { version: "1.0.0" }, async (ctx) => [
    await ctx.step("a", step("a")),
    await ctx.step("b", step("b")),
    await ctx.step("c", step("c")),
  ]);
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "x" });
  await expect(run.result()).rejects.toThrow("b is broken");
  cure("b");
  await run.retry(KIM);
  expect(await run.result()).toEqual(["a", "b", "c"]);
  expect(log).toEqual(["a", "b", "b", "c"]);
  const history = await run.history();
  expect(history.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(history.map(({ kind }) => kind)).toEqual([
    ...["started", "step", "step", "ended", "note", "step", "step", "ended"],
  ]);
  expect(history[3]).toMatchObject({ state: "failed", value: { message: "b is broken" } });
  expect(history[4]).toMatchObject({ note: "retried", value: { ...KIM, generation: 2, again: ["b"] } });
  expect(await run.status()).toMatchObject({ state: "completed", error: null, endedAtMs: world.nowMs() });
});

it("fails again, and is tried again", async () => {
  const world = await openWorld();
  const { log, step, cure } = aPlant(["b"]);
  const w = workflow("t/line", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("a", step("a"));
    return ctx.step("b", step("b")).retry(1);
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "x" });
  for (let times = 1; times <= 3; times += 1) {
    expect((await run.outcome()).state).toBe("failed");
    if (times === 3) cure("b");
    await run.retry(KIM);
  }
  expect(await run.result()).toBe("b");
  expect(log).toEqual(["a", "b", "b", "b", "b"]);
});

it("a run whose process dies after the retry goes on elsewhere", async () => {
  const world = await openWorld();
  const { log, step, cure } = aPlant(["b"]);
  const go = signal("go");
  const w = workflow("t/line", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("a", step("a"));
    await ctx.step("b", step("b"));
    await ctx.waitFor(go);
    return ctx.step("c", step("c"));
  });
  const first = await world.open({ workflows: [w] });
  const run = await first.engine.start(w, undefined, { id: "x" });
  await run.outcome();
  cure("b");
  await run.retry(KIM);
  await world.until(async () => (await run.status()).state === "waiting");
  first.crash();
  const { engine } = await world.open({ workflows: [w] });
  const again = await engine.get(w, "x");
  await again.signal(go);
  expect(await again.result()).toBe("c");
  expect(log).toEqual(["a", "b", "b", "c"]);
});

it("R1: a failure that the body went on from stays; the one that ended the run is found behind another error", async () => {
  const world = await openWorld();
  const { log, step, cure } = aPlant(["first", "second"]);
  const w = workflow("t/caught", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("first", step("first")).settle();
    try {
      return await ctx.step("second", step("second"));
    } catch (cause) {
      throw new Error("the order is stuck", { cause });
    }
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "x" });
  await run.outcome();
  cure("first");
  cure("second");
  await run.retry(KIM);
  expect(await run.result()).toBe("second");
  expect(log).toEqual(["first", "second", "second"]);
});

it("R1: an error of the body's own making: its last step is tried again, if that failed", async () => {
  const world = await openWorld();
  const { log, step, cure } = aPlant(["a"]);
  let careful = true;
  const w = workflow("t/own", { version: "1.0.0" }, async (ctx) => {
    const tried = await ctx.step("a", step("a")).settle();
    if (!tried.ok) throw new Error("gave up");
    if (careful) throw new Error("not today");
    return tried.value;
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "x" });
  await run.outcome();
  cure("a");
  await run.retry(KIM);
  await expect(run.result()).rejects.toThrow("not today");
  careful = false;
  await run.retry(KIM);
  expect(await run.result()).toBe("a");
  expect(log).toEqual(["a", "a"]);
});

it("R2: a sibling that was interrupted is performed again, a loser of a race is not", async () => {
  const world = await openWorld();
  const { log, step, cure } = aPlant(["b"]);
  const endless = (name: string) => (): Promise<never> => {
    log.push(name);
    return new Promise(() => {});
  };
  let slow = true;
  const w = workflow("t/siblings", { version: "1.0.0" }, async (ctx) => {
    const race = await ctx.race("race", {
      quick: ctx.step("quick", step("quick")),
      lost: ctx.step("lost", endless("lost")),
    });
    const long = ctx.step("long", async ({ signal: stop }) => {
      log.push("long");
      if (slow) await new Promise((_, reject) => stop.addEventListener("abort", () => reject(new Error("stopped"))));
      return "long";
    });
    return [race.winner, ...(await Promise.all([long, ctx.step("b", step("b"))]))];
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "x" });
  await run.outcome();
  slow = false;
  cure("b");
  await run.retry(KIM);
  expect(await run.result()).toEqual(["quick", "long", "b"]);
  expect(log.toSorted()).toEqual(["b", "b", "long", "long", "lost", "quick"]);
});

it("R3: what was undone is done again, under another idempotency key, and undone again", async () => {
  const world = await openWorld();
  const { step, cure } = aPlant(["ship", "bill"]);
  const keys: string[] = [];
  const w = workflow("t/saga", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("look", step("look"));
    await ctx
      .step("charge", ({ idempotencyKey }) => void keys.push(idempotencyKey))
      .compensate((_, { idempotencyKey }) => void keys.push(idempotencyKey));
    await ctx.step("ship", step("ship"));
    return ctx.step("bill", step("bill"));
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "x" });
  await run.outcome();
  cure("ship");
  await run.retry(KIM);
  expect((await run.outcome()).state).toBe("failed");
  cure("bill");
  await run.retry(KIM);
  expect(await run.result()).toBe("bill");
  expect(keys).toEqual([
    ...["t/saga:x:charge", "t/saga:x:@compensate/charge"],
    ...["t/saga:x:charge:@2", "t/saga:x:@compensate/charge:@2", "t/saga:x:charge:@3"],
  ]);
  expect((await keysOf(run)).filter((key) => key.startsWith("look"))).toHaveLength(1);
});

it("R4: a run whose undoing failed goes on undoing, and ends as it was to", async () => {
  const world = await openWorld();
  const { log, step, cure } = aPlant(["ship", "refund"]);
  const w = workflow("t/saga", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("reserve", step("reserve")).compensate(step("release"));
    await ctx.step("charge", step("charge")).compensate(step("refund"), { attempts: 1 });
    await ctx.step("ship", step("ship"));
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "x" });
  expect(await run.outcome()).toMatchObject({ state: "failed", error: { code: "COMPENSATION_FAILED" } });
  cure("refund");
  await run.retry(KIM);
  expect(await run.outcome()).toMatchObject({ state: "failed", error: { message: "ship is broken" } });
  expect(log).toEqual(["reserve", "charge", "ship", "refund", "release", "refund"]);
  cure("ship");
  await run.retry(KIM);
  expect((await run.outcome()).state).toBe("completed");
  expect(log.slice(6)).toEqual(["reserve", "charge", "ship"]);
});

it("R4: an operator who has undone it by hand says so", async () => {
  const world = await openWorld();
  const { log, step } = aPlant(["ship", "refund"]);
  const w = workflow("t/saga", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("charge", step("charge")).compensate(step("refund"), { attempts: 1 });
    await ctx.step("ship", step("ship"));
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "x" });
  await run.outcome();
  await run.resolve("@compensate/charge", "refunded at the counter", KIM);
  expect(await run.outcome()).toMatchObject({ state: "failed", error: { message: "ship is broken" } });
  expect(log).toEqual(["charge", "ship", "refund"]);
});

it("a cancelled run is retried: the request is spent, and a signal that nobody took is still there", async () => {
  const world = await openWorld();
  const go = signal<string>("go");
  const w = workflow("t/waits", { version: "1.0.0" }, async (ctx) => {
    await ctx.sleep("night", "1d");
    const gone = await ctx.waitFor(go);
    return gone.ok && gone.value;
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "x" });
  await run.signal(go, "early");
  await world.advance(DAY / 2);
  await run.cancel({ actor: "lee" });
  expect((await run.outcome()).state).toBe("cancelled");
  await run.retry(KIM);
  await world.settle();
  // The timer that had begun goes on.
  expect((await run.status()).waitingFor).toMatchObject([{ kind: "timer", dueAtMs: world.nowMs() + DAY / 2 }]);
  await world.advance(DAY / 2);
  expect(await run.result()).toBe("early");
});

it("has as much time as it had at first, each time", async () => {
  const world = await openWorld();
  const w = workflow("t/timed", { version: "1.0.0", timeout: "1d" }, (ctx) => ctx.sleep("long", "2d"));
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "x" });
  for (let generation = 1; generation <= 3; generation += 1) {
    expect((await run.status()).deadlineAtMs).toBe(world.nowMs() + DAY);
    await world.advance(DAY);
    if (generation === 3) break;
    expect(await run.outcome()).toMatchObject({ state: "failed", error: { code: "RUN_TIMEOUT" } });
    await world.advance(DAY / 4);
    await run.retry(KIM);
  }
  // The timer began two and a half days ago.
  expect((await run.outcome()).state).toBe("completed");
});

it("resolves a step by hand; the body gets the value, and nothing is performed in its place", async () => {
  const world = await openWorld();
  const { log, step } = aPlant(["b"]);
  const w = workflow("t/line", { version: "1.0.0" }, async (ctx) => [
    await ctx.step("a", step("a")),
    await ctx.step("b", step("b")).compensate(step("undo")),
  ]);
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "x" });
  await run.outcome();
  await engine.resolve(w, "x", "b", "by hand", KIM);
  expect(await run.result()).toEqual(["a", "by hand"]);
  expect(log).toEqual(["a", "b"]);
  expect(await keysOf(run)).toEqual(["a completed", "b failed", "b resolved"]);
  const notes = (await run.history()).filter((event) => event.kind === "note");
  expect(notes).toMatchObject([{ note: "resolved", value: { ...KIM, step: "b", again: [] } }]);
});

it("from: this step and all that came later are performed again", async () => {
  const world = await openWorld();
  const { log, step, cure } = aPlant(["c"]);
  const w = workflow("t/line", { version: "1.0.0" }, async (ctx) => {
    for (const name of ["a", "b", "c"]) await ctx.step(name, step(name));
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "x" });
  await run.outcome();
  cure("c");
  await engine.retry(w, "x", { from: "b" });
  await run.result();
  expect(log).toEqual(["a", "b", "c", "b", "c"]);
});

it("asked twice under one id, it happens once; at the same moment, too", async () => {
  const world = await openWorld();
  const { log, step } = aPlant(["a"]);
  const w = workflow("t/one", { version: "1.0.0" }, (ctx) => ctx.step("a", step("a")));
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "x" });
  await run.outcome();
  await Promise.all([run.retry({ id: "once" }), run.retry({ id: "once" })]);
  await hasFailed(world, run);
  await run.retry({ id: "once" });
  expect(log).toEqual(["a", "a"]);
});

it("a commit whose outcome nobody knows is found out", async () => {
  const world = await openWorld();
  const { log, step } = aPlant(["a"]);
  const w = workflow("t/one", { version: "1.0.0" }, (ctx) => ctx.step("a", step("a")));
  let doubtful = 1;
  const { engine } = await world.open({ workflows: [w] }, (store) => ({
    ...store,
    reopenRuns: async (...asked) => {
      const done = await store.reopenRuns(...asked);
      if (doubtful-- > 0) throw new StepwellError("STORE_OUTCOME_UNKNOWN", "the connection was lost");
      return done;
    },
  }));
  const run = await engine.start(w, undefined, { id: "x" });
  await run.outcome();
  const retried = run.retry();
  await world.until(async () => (await world.advance(100), log.length === 2));
  await retried;
  await hasFailed(world, run);
  expect(log).toEqual(["a", "a"]);
});

it("bad input is refused by name, and nothing is changed", async () => {
  const world = await openWorld();
  const { step } = aPlant(["b"]);
  const go = signal("go");
  const w = workflow("t/line", { version: "1.0.0" }, async (ctx, how: string) => {
    await ctx.step("a", step("a"));
    if (how === "waits") await ctx.waitFor(go);
    if (how === "fails") await ctx.step("b", step("b"));
  });
  const { engine } = await world.open({ workflows: [w] });
  const waits = await engine.start(w, "waits", { id: "waits" });
  const fails = await engine.start(w, "fails", { id: "fails" });
  const completes = await engine.start(w, "completes", { id: "completes" });
  await hasFailed(world, fails);
  await world.until(async () => (await completes.status()).state === "completed");
  const before = await fails.history();
  await expect(waits.retry()).rejects.toMatchObject({ code: "RUN_NOT_ENDED" });
  await expect(completes.retry()).rejects.toMatchObject({ code: "RUN_NOT_FAILED" });
  await expect(fails.retry({ from: "z" })).rejects.toMatchObject({
    code: "STEP_NOT_FOUND",
    details: { step: "z", steps: ["a", "b"] },
  });
  await expect(fails.resolve("a", 1)).rejects.toMatchObject({
    code: "STEP_NOT_FAILED",
    details: { step: "a", failed: ["b"] },
  });
  await expect(fails.resolve("b", () => 1)).rejects.toMatchObject({ code: "NOT_SERIALISABLE" });
  await expect(engine.retry(w, "nobody")).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
  expect(await fails.history()).toEqual(before);
});

it("an approval that was open is asked anew", async () => {
  const world = await openWorld();
  const w = workflow("t/sign", { version: "1.0.0" }, async (ctx) => {
    const { state, decisions } = await ctx.approve("sign", { title: "Refund", to: "managers", quorum: 2 });
    return [state, ...decisions.map(({ actor }) => actor)];
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "x", actor: "ann" });
  const ref = { workflow: w, runId: "x", name: "sign" };
  const open = (): Promise<void> =>
    world.until(async () => (await engine.approvals.list()).approvals.some(({ state }) => state === "open"));
  await open();
  void engine.approvals.approve(ref, { actor: "kim" });
  await world.until(async () => (await keysOf(run)).length === 1);
  await run.cancel();
  await world.until(async () => (await run.status()).state === "cancelled");
  expect((await engine.approvals.list()).approvals).toEqual([]);
  await world.advance(1_000);
  await run.retry(KIM);
  await open();
  void engine.approvals.approve(ref, { actor: "lee" });
  await world.until(async () => (await keysOf(run)).some((key) => key.startsWith("@decision/sign/3")));
  void engine.approvals.approve(ref, { actor: "kim" });
  await world.until(async () => (await run.status()).state === "completed");
  expect((await run.status()).output).toEqual(["approved", "lee", "kim"]);
});
