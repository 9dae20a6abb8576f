/** Pausing and resuming by an operator, on a real store, with time in the test's hands. */
import { expect, it } from "vitest";
import { signal, workflow } from "../../src/index.ts";
import type { DecodedEvent, RunHandle } from "../../src/engine/handle.ts";
import { openWorld } from "./harness.ts";

const HOUR = 3_600_000;
const go = signal<number>("go");

/** What the history says, in short. */
async function told(run: RunHandle): Promise<string[]> {
  const short = (event: DecodedEvent): string => {
    if (event.kind === "note") return event.note;
    if (event.kind === "received") return `${event.item} by ${event.actor}: ${String(event.value)}`;
    return event.kind === "step" ? `${event.outcome} ${event.key}` : event.kind;
  };
  return (await run.history()).map((event) => `${event.seq} ${short(event)}`);
}

/** Steps whose code says when it begins, and ends when it is told. */
function aStage() {
  const log: string[] = [];
  const ends = new Map<string, () => void>();
  const step = (name: string) => (): Promise<string> => {
    log.push(name);
    return new Promise((resolve) => ends.set(name, () => resolve(name)));
  };
  return { log, step, end: (name: string) => ends.get(name)?.() };
}

it("a running step ends and is recorded, no other begins until the run is resumed", async () => {
  const world = await openWorld();
  const stage = aStage();
  const w = workflow("t/work", { version: "1.0.0" }, async (ctx) => [
    await ctx.step("a", stage.step("a")),
    await ctx.step("b", stage.step("b")),
  ]);
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "x" });
  await world.until(() => stage.log.length === 1);
  await run.pause({ actor: "kim", reason: "look" });
  await world.settle();
  expect((await run.status()).state).toBe("running");
  stage.end("a");
  await world.until(async () => (await run.status()).state === "paused", "it stands still");
  expect(await run.status()).toMatchObject({ onHold: true, error: null });
  await world.advance(2 * HOUR);
  expect(stage.log).toEqual(["a"]);
  await run.resume({ actor: "lee", reason: "fine" });
  await world.until(() => stage.log.length === 2, "it goes on");
  stage.end("b");
  expect(await run.result()).toEqual(["a", "b"]);
  expect(await told(run)).toEqual([
    "1 started",
    "2 completed a",
    "3 pause by kim: look",
    "4 held",
    "5 resume by lee: fine",
    "6 resumed",
    "7 completed b",
    "8 ended",
  ]);
});

it("a run that waits is paused at once; timers and signals wait with it, and nothing is lost", async () => {
  const world = await openWorld();
  const w = workflow("t/waits", { version: "1.0.0" }, async (ctx) => {
    const [answer] = await Promise.all([ctx.waitFor(go), ctx.sleep("nap", "1h")]);
    return answer.value;
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "x" });
  await world.settle();
  await run.pause();
  expect(await run.status()).toMatchObject({ state: "paused", onHold: true });
  await run.signal(go, 7);
  await world.advance(2 * HOUR);
  expect(await run.status()).toMatchObject({ state: "paused", onHold: true });
  await run.resume();
  await world.settle();
  expect(await run.result()).toBe(7);
});

it("a failed attempt waits for its retry until the run is resumed", async () => {
  const world = await openWorld();
  let tries = 0;
  const w = workflow("t/retries", { version: "1.0.0" }, (ctx) =>
    ctx
      .step("flaky", () => {
        tries += 1;
        if (tries < 3) throw new Error("not yet");
        return tries;
      })
      .retry({ attempts: 5, base: "100ms" }),
  );
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  await world.until(() => tries === 1);
  await run.pause();
  await world.advance(HOUR);
  expect(tries).toBe(1);
  await run.resume();
  await world.advance(HOUR);
  expect(await run.result()).toBe(3);
});

it("a pause survives the death of the worker, and the next one does not begin the body", async () => {
  const world = await openWorld();
  const stage = aStage();
  const w = workflow("t/work", { version: "1.0.0" }, (ctx) => {
    stage.log.push("body");
    return ctx.step("a", stage.step("a"));
  });
  const first = await world.open({ workflows: [w] });
  await first.engine.start(w, undefined, { id: "x" });
  await world.until(() => stage.log.length === 2);
  const outsider = await world.open({ workflows: [] });
  await outsider.engine.pause(w, "x");
  first.crash();
  const second = await world.open({ workflows: [w] });
  await world.until(
    async () => (await (await second.engine.get(w, "x")).status()).state === "paused",
    "it stands still",
  );
  expect(stage.log).toEqual(["body", "a"]);
  await second.engine.resume("t/work", "x");
  await world.until(() => stage.log.length === 4, "it goes on");
});

it("a pause that is withdrawn before it took effect leaves the run as it is", async () => {
  const world = await openWorld();
  const stage = aStage();
  const w = workflow("t/work", { version: "1.0.0" }, async (ctx) => [
    await ctx.step("a", stage.step("a")),
    await ctx.step("b", () => "b"),
  ]);
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "x" });
  await world.until(() => stage.log.length === 1);
  await run.pause();
  await run.resume();
  stage.end("a");
  expect(await run.result()).toEqual(["a", "b"]);
  expect((await told(run)).map((line) => line.split(" ")[1])).toEqual([
    "started",
    "pause",
    "held",
    "resume",
    "resumed",
    "completed",
    "completed",
    "ended",
  ]);
});

it("a child that a held run awaits goes on, and its end is there when the run is resumed", async () => {
  const world = await openWorld();
  const stage = aStage();
  const child = workflow("t/child", { version: "1.0.0" }, (ctx) => ctx.step("c", stage.step("c")));
  const w = workflow("t/parent", { version: "1.0.0" }, (ctx) =>
    Promise.all([ctx.run("child", child, undefined), ctx.step("a", stage.step("a"))]),
  );
  const { engine } = await world.open({ workflows: [w, child] });
  const run = await engine.start(w);
  await world.until(() => stage.log.length === 2);
  await run.pause();
  stage.end("a");
  await world.until(async () => (await run.status()).state === "paused", "it stands still");
  stage.end("c");
  await world.settle();
  await run.resume();
  expect(await run.result()).toEqual(["c", "a"]);
});

it("a resume that comes while the run is being put on hold is not overtaken", async () => {
  const world = await openWorld();
  const stage = aStage();
  const w = workflow("t/work", { version: "1.0.0" }, async (ctx) => [
    await ctx.step("a", stage.step("a")),
    await ctx.step("b", () => "b"),
  ]);
  const resume = { kind: "resume", name: "", payload: '"now"', actor: "lee", operationId: "1" } as const;
  const to = { namespace: "t", name: "work", id: "x" };
  const { engine } = await world.open({ workflows: [w] }, (store) => ({
    ...store,
    flush: async (writes, nowMs) => {
      const holds = writes.some((write) => write.kind === "transition" && write.transition.kind === "hold");
      if (holds) await store.flush([{ kind: "post", to, item: resume }], nowMs);
      return store.flush(writes, nowMs);
    },
  }));
  const run = await engine.start(w, undefined, { id: "x" });
  await world.until(() => stage.log.length === 1);
  await run.pause({ actor: "kim" });
  stage.end("a");
  expect(await run.result()).toEqual(["a", "b"]);
  expect(await told(run)).toEqual([
    "1 started",
    "2 completed a",
    "3 released",
    "4 pause by kim: ",
    "5 held",
    "6 resume by lee: now",
    "7 resumed",
    "8 completed b",
    "9 ended",
  ]);
});

it("a compensation stands still, and goes on undoing", async () => {
  const world = await openWorld();
  const stage = aStage();
  const w = workflow("t/saga", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("a", () => 1).compensate(stage.step("undo a"));
    await ctx.step("b", () => 2).compensate(stage.step("undo b"));
    throw new Error("no");
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  await world.until(() => stage.log.length === 1);
  await run.pause();
  stage.end("undo b");
  await world.until(async () => (await run.status()).state === "paused", "it stands still");
  await world.advance(HOUR);
  expect(stage.log).toEqual(["undo b"]);
  await run.resume();
  await world.until(() => stage.log.length === 2, "it goes on");
  stage.end("undo a");
  expect((await run.outcome()).state).toBe("failed");
});

it("a cancel ends a run on hold, and what it undoes is not held", async () => {
  const world = await openWorld();
  const undone: string[] = [];
  const w = workflow("t/saga", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("a", () => 1).compensate(() => void undone.push("a"));
    await ctx.waitFor(go);
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  await world.settle();
  await run.pause();
  await run.cancel();
  expect((await run.outcome()).state).toBe("cancelled");
  expect(undone).toEqual(["a"]);
  const numbers = (await run.history()).map(({ seq }) => seq);
  expect(numbers, "no request is left over").toEqual(numbers.map((_, index) => index + 1));
});

it("a deploy does not resume what an operator has paused", async () => {
  const world = await openWorld();
  const w = workflow("t/waits", { version: "1.0.0" }, async (ctx) => (await ctx.waitFor(go)).value);
  const first = await world.open({ workflows: [w] });
  const run = await first.engine.start(w, undefined, { id: "x" });
  await world.settle();
  await run.pause();
  await first.engine.close();
  const second = await world.open({ workflows: [w] });
  await world.settle();
  expect((await (await second.engine.get(w, "x")).status()).state).toBe("paused");
});

it("asked again under one id, a request counts once and is no error", async () => {
  const world = await openWorld();
  const w = workflow("t/waits", { version: "1.0.0" }, async (ctx) => (await ctx.waitFor(go)).value);
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "x" });
  await world.settle();
  for (let time = 0; time < 2; time += 1) await run.pause({ id: "1" });
  for (let time = 0; time < 2; time += 1) await run.resume({ id: "2" });
  await world.settle();
  await run.pause({ id: "1" });
  await run.resume({ id: "2" });
  await run.signal(go, 7);
  expect(await run.result()).toBe(7);
  const requests = (await run.history()).flatMap((event) => (event.kind === "received" ? [event.item] : []));
  expect(requests).toEqual(["pause", "resume", "signal"]);
});

it("says what cannot be paused or resumed", async () => {
  const world = await openWorld();
  const w = workflow("t/waits", { version: "1.0.0" }, async (ctx) => (await ctx.waitFor(go)).value);
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "x" });
  await world.settle();
  await expect(run.resume()).rejects.toMatchObject({ code: "RUN_NOT_PAUSED" });
  await expect(engine.pause(w, "nobody")).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
  await run.signal(go, 1);
  await run.result();
  await expect(run.pause()).rejects.toMatchObject({ code: "RUN_ENDED" });
  await expect(run.resume()).rejects.toMatchObject({ code: "RUN_ENDED" });
});
