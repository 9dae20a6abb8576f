/** The engine's calls: starting, identity, conflicts, leases, takeover, drain, bad input. */
import { expect, it } from "vitest";
import { z } from "zod";
import { openEngine, workflow } from "../../src/index.ts";
import { openWorld } from "./harness.ts";

const echo = workflow("t/echo", { version: "1.0.0", input: z.object({ n: z.coerce.number() }) }, (ctx, input) =>
  ctx.step("echo", () => input.n),
);

it("F16: the same id and input is the same run; another input is a conflict", async () => {
  const world = await openWorld();
  const { engine } = await world.open({ workflows: [echo] });
  const first = await engine.start(echo, { n: 1 }, { id: "e" });
  const again = await engine.start(echo, { n: 1 }, { id: "e" });
  expect(await first.result()).toBe(1);
  expect(await again.result()).toBe(1);
  await expect(engine.start(echo, { n: 2 }, { id: "e" })).rejects.toMatchObject({ code: "RUN_ID_CONFLICT" });
  expect((await engine.list({ workflow: "t/echo" })).runs).toHaveLength(1);
});

it("run starts and waits: by value or by name, and throws what ended the run", async () => {
  const world = await openWorld();
  const broken = workflow("t/broken", { version: "1.0.0" }, async () => {
    throw new Error("no");
  });
  const { engine } = await world.open({ workflows: [echo, broken] });
  expect(await engine.run(echo, { n: "7" })).toBe(7);
  expect(await engine.run("t/echo", { n: 8 }, { id: "named" })).toBe(8);
  await expect(engine.run(broken)).rejects.toMatchObject({ code: "RUN_FAILED", state: "failed" });
});

it("refuses bad input with all issues, unknown workflows, unknown options, and ids that are none", async () => {
  const world = await openWorld();
  const { engine } = await world.open({ workflows: [echo] });
  await expect(engine.start(echo, { n: "x" })).rejects.toMatchObject({
    code: "INPUT_INVALID",
    details: { issues: [{ path: "$.n" }] },
  });
  await expect(engine.start("t/nobody", {})).rejects.toMatchObject({ code: "WORKFLOW_NOT_REGISTERED" });
  await expect(engine.start(echo, { n: 1 }, { idd: "x" } as never)).rejects.toMatchObject({ code: "OPTION_UNKNOWN" });
  await expect(engine.start(echo, { n: 1 }, { id: "" })).rejects.toMatchObject({ code: "RUN_ID_INVALID" });
  await expect(engine.get(echo, "nobody")).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
  await expect(world.open({ workflows: [echo, echo] })).rejects.toMatchObject({ code: "WORKFLOW_DUPLICATE" });
});

it("F28: a run whose workflow or version nobody has waits, and goes on when somebody does", async () => {
  const world = await openWorld();
  const other = await world.open({ workflows: [workflow("t/other", { version: "1.0.0" }, async () => 1)] });
  const run = await other.engine.start(echo, { n: 3 }, { id: "w" });
  await world.advance(5_000);
  expect((await run.status()).state).toBe("pending");
  const older = workflow("t/echo", { version: "0.9.0" }, async () => 0);
  await world.open({ workflows: [older] });
  await world.advance(5_000);
  expect((await run.status()).state).toBe("pending");
  const newer = await world.open({ workflows: [{ ...echo, version: "1.2.0" }] });
  await world.advance(5_000);
  expect(await (await newer.engine.get(echo, "w")).result()).toBe(3);
});

it("F28: a worker that cannot execute what it starts leaves the run to others, also when it has slots to spare", async () => {
  const world = await openWorld();
  const other = await world.open({ workflows: [workflow("t/other", { version: "1.0.0" }, async () => 1)] });
  await world.settle();
  const run = await other.engine.start(echo, { n: 3 }, { id: "w" });
  await world.advance(5_000);
  expect((await run.status()).state).toBe("pending");
  await world.open({ workflows: [echo] });
  await world.settle();
  expect(await run.outcome()).toMatchObject({ output: 3 });
});

it("what parks here is looked for at its moment, however rarely others are looked for", async () => {
  const world = await openWorld();
  const nap = workflow("t/nap", { version: "1.0.0" }, async (ctx, by: string) => {
    await ctx.sleep("nap", by);
    return world.nowMs();
  });
  const { engine } = await world.open({ workflows: [nap], poll: "1h", lease: "1h" });
  await world.settle();
  const startMs = world.nowMs();
  const runs = [];
  for (const by of ["40s", "20s", "30s"]) runs.push(await engine.start(nap, by));
  await world.advance(60_000);
  expect(await Promise.all(runs.map((run) => run.result()))).toEqual(
    [40_000, 20_000, 30_000].map((ms) => startMs + ms),
  );
});

it("what parks while the worker is just looking is not overlooked", async () => {
  const world = await openWorld();
  const naps = workflow("t/naps", { version: "1.0.0" }, async (ctx) => {
    await ctx.sleep("first", "20s");
    await ctx.sleep("second", "20s");
  });
  let release = (): void => {};
  let held: Promise<void> | null = null;
  const { engine } = await world.open({ workflows: [naps], poll: "1h", lease: "1h" }, (store) => ({
    ...store,
    nextDue: async (...args) => {
      const answer = await store.nextDue(...args);
      await held;
      return answer;
    },
  }));
  await world.settle();
  const run = await engine.start(naps);
  await world.settle();
  held = new Promise((resolve) => (release = resolve));
  await world.advance(20_000);
  expect((await run.status()).waitingFor).toMatchObject([{ key: "second" }]);
  release();
  held = null;
  await world.advance(20_000);
  expect((await run.status()).state).toBe("completed");
});

it("P9: a crashed process on the same machine is taken over at once, another within its lease", async () => {
  const world = await openWorld();
  let tries = 0;
  const w = workflow("t/takeover", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("done", () => void (tries += 1));
    return ctx.step("stuck", (s) => (tries < 2 ? new Promise<string>(() => {}) : `attempt ${s.attempt}`));
  });
  const first = await world.open({ workflows: [w], lease: "10s" });
  await first.engine.start(w, undefined, { id: "a" });
  await world.settle();
  expect(tries).toBe(1);
  first.crash();
  tries = 2;
  const second = await world.open({ workflows: [w], lease: "10s" });
  const run = await second.engine.get(w, "a");
  expect(await run.result()).toBe("attempt 1");
  expect((await run.history()).filter((event) => event.kind === "note" && event.note === "takeover")).toHaveLength(1);
  expect((await run.status()).crashes, "it got on since").toBe(0);
});

it("P3: a zombie whose run was taken over cannot write, and its step is told to stop", async () => {
  const world = await openWorld();
  const aborted: string[] = [];
  let release: (() => void)[] = [];
  const w = workflow("t/zombie", { version: "1.0.0" }, (ctx) =>
    ctx.step("slow", async (s) => {
      s.signal.addEventListener("abort", () => aborted.push(String((s.signal.reason as { code: string }).code)));
      await new Promise<void>((resolve) => release.push(resolve));
      return s.attempt;
    }),
  );
  let cut = false;
  const first = await world.open({ workflows: [w], lease: "9s" }, (store) => ({
    ...store,
    renewWorker: (...args) => (cut ? new Promise(() => {}) : store.renewWorker(...args)),
  }));
  await first.engine.start(w, undefined, { id: "z" });
  await world.settle();
  cut = true;
  const second = await world.open({ workflows: [w], lease: "9s" });
  await world.advance(30_000);
  expect(aborted).toEqual(["LEASE_LOST"]);
  expect(release).toHaveLength(2);
  for (const go of release) go();
  release = [];
  const run = await second.engine.get(w, "z");
  expect(await run.result()).toBe(1);
  expect((await run.history()).filter((event) => event.kind === "step")).toHaveLength(1);
});

it("F8: drain lets running steps end, begins no new one, and gives every run back", async () => {
  const world = await openWorld();
  let release = (): void => {};
  const ran: string[] = [];
  const w = workflow("t/drain", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("a", async () => {
      await new Promise<void>((resolve) => (release = resolve));
      ran.push("a");
    });
    await ctx.step("b", () => void ran.push("b"));
  });
  const first = await world.open({ workflows: [w] });
  await first.engine.start(w, undefined, { id: "d" });
  await world.settle();
  const drained = first.engine.drain();
  await world.settle();
  release();
  await drained;
  expect(ran).toEqual(["a"]);
  const second = await world.open({ workflows: [w] });
  const run = await second.engine.get(w, "d");
  expect((await run.outcome()).state).toBe("completed");
  expect(ran).toEqual(["a", "b"]);
  await first.engine.close();
  await expect(first.engine.start(w)).rejects.toMatchObject({ code: "ENGINE_CLOSED" });
});

it("a full slot table leaves runs pending, and they go on when a slot is free", async () => {
  const world = await openWorld();
  const release: (() => void)[] = [];
  const w = workflow("t/slots", { version: "1.0.0" }, (ctx, n: number) =>
    ctx.step("hold", async () => {
      await new Promise<void>((resolve) => release.push(resolve));
      return n;
    }),
  );
  const { engine } = await world.open({ workflows: [w], work: { concurrency: 2 } });
  const runs = [];
  for (let n = 0; n < 5; n += 1) runs.push(await engine.start(w, n));
  await world.settle();
  expect(release).toHaveLength(2);
  for (let turn = 0; turn < 5; turn += 1) {
    release.splice(0).forEach((go) => go());
    await world.settle();
  }
  expect(await Promise.all(runs.map((run) => run.result()))).toEqual([0, 1, 2, 3, 4]);
});

it.each([
  [{ leas: "10s" }, "OPTION_UNKNOWN", 'did you mean "lease"?'],
  [{ lease: "10 bananas" }, "DURATION_INVALID", "lease"],
  [{ lease: 5 }, "OPTION_INVALID", "lease must be a whole number from 100 up, got 5"],
  [{ work: { concurrency: 0 } }, "OPTION_INVALID", "concurrency must be a whole number from 1 up, got 0"],
  [{ work: { concurency: 5 } }, "OPTION_UNKNOWN", 'did you mean "concurrency"?'],
  [{ lingerMax: Number.NaN }, "OPTION_INVALID", "lingerMax"],
  [{ limits: { depthMax: 5_000 } }, "OPTION_INVALID", "limits.depthMax must be a whole number from 1 to 1000"],
  [{ limits: { bytes: 1 } }, "OPTION_UNKNOWN", "bytesMax"],
])("refuses %j, naming the place and the cure", async (options, code, part) => {
  const world = await openWorld();
  const message = expect.stringContaining(part) as unknown;
  await expect(world.open(options as never)).rejects.toMatchObject({ code, message });
});

it("a store URL that names no store is refused with an example of one that does", async () => {
  await expect(openEngine({ store: "mysql://x" })).rejects.toMatchObject({
    code: "STORE_URL_INVALID",
    message: expect.stringContaining("sqlite:./app.db") as unknown,
  });
});

it("a drain waits for running steps as long as it is told; the run goes on elsewhere", async () => {
  const world = await openWorld();
  let ends = false;
  const w = workflow("t/drained", { version: "1.0.0" }, (ctx) =>
    ctx.step("work", () => (ends ? "done" : new Promise<string>(() => {}))),
  );
  const first = await world.open({ workflows: [w] });
  await first.engine.start(w, undefined, { id: "x" });
  await world.settle();
  let drained = false;
  const draining = first.engine.drain({ grace: "3s" }).then(() => (drained = true));
  await world.advance(2_900);
  expect(drained).toBe(false);
  await world.advance(200);
  await draining;
  await expect(first.engine.drain({ grace: "soon" as "3s" })).rejects.toMatchObject({ code: "DURATION_INVALID" });
  ends = true;
  const second = await world.open({ workflows: [w] });
  expect(await (await second.engine.get(w, "x")).result()).toBe("done");
});

it("an engine works once; one that does not work can be drained and closed all the same", async () => {
  const world = await openWorld();
  const { engine } = await world.open({ workflows: [echo], work: false });
  await engine.drain();
  await engine.work();
  await expect(engine.work()).rejects.toMatchObject({ code: "OPTION_INVALID" });
  expect(await engine.run(echo, { n: 5 })).toBe(5);
  await engine.close();
});
