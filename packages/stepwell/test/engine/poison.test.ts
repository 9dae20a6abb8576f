/** F18: a run that kills its workers is found out and set aside, and nobody else is. Time is in the test's hands. */
import { expect, it } from "vitest";
import { CLEARING_MS_MIN, PATIENCE_MS } from "../../src/engine/probation.ts";
import { workflow } from "../../src/index.ts";
import { ON_POSTGRES, openWorld, type Process, type World } from "./harness.ts";

const never = (): Promise<never> => new Promise(() => {});

/** `deadly` never ends where it kills: the test then crashes the process, as the step would have. */
function aStage() {
  const running = new Set<string>();
  const ends = new Map<string, () => void>();
  const stage = { kills: true, log: [] as string[], running, end: (id: string) => ends.get(id)?.() };
  const enter = (id: string): void => {
    stage.log.push(id);
    running.add(id);
  };
  const deadly = workflow("t/deadly", { version: "1.0.0" }, async (ctx, id: string) => {
    await ctx.step("kill", () => {
      enter(id);
      if (stage.kills) return never();
      running.delete(id);
      return undefined;
    });
    return ctx.step("after", () => {
      stage.log.push(`${id} after`);
      return new Promise<string>((resolve) => ends.set(id, () => resolve(id)));
    });
  });
  const slow = workflow("t/slow", { version: "1.0.0" }, (ctx, id: string) =>
    ctx.step("work", () => {
      enter(id);
      return new Promise<string>((resolve) =>
        ends.set(id, () => {
          running.delete(id);
          resolve(id);
        }),
      );
    }),
  );
  return { stage, deadly, slow, workflows: [deadly, slow] };
}

type Cast = ReturnType<typeof aStage>;

/** A process that dies as soon as the run executes its step. */
async function dieOnce(world: World, { stage, workflows }: Cast, id: string = "p"): Promise<void> {
  const process = await world.open({ workflows });
  await world.until(() => stage.running.has(id), `"${id}" is executed`);
  process.crash();
  stage.running.clear();
}

/** A run that has crashed twice without progress. */
async function aSuspect(world: World, set: Cast, id: string = "p"): Promise<void> {
  const { engine } = await world.open({ workflows: [] });
  const starter = await world.open({ workflows: set.workflows, work: false });
  await starter.engine.start(set.deadly, id, { id });
  await engine.close();
  await dieOnce(world, set, id);
  await dieOnce(world, set, id);
}

const statusOf = async ({ engine }: Process, workflow: string, id: string) => (await engine.get(workflow, id)).status();

const notesOf = async ({ engine }: Process, workflow: string, id: string) =>
  (await (await engine.get(workflow, id)).history()).flatMap((event) => (event.kind === "note" ? [event.note] : []));

it("F18: after two crashes without progress a run is executed alone, and nothing is taken beside it", async () => {
  const world = await openWorld();
  const set = aStage();
  await aSuspect(world, set);
  const next = await world.open({ workflows: set.workflows });
  await world.until(() => set.stage.running.has("p"), "the suspect is executed");
  await next.engine.start(set.slow, "s", { id: "s" });
  await world.advance(60_000);
  expect([...set.stage.running]).toEqual(["p"]);
  expect(next.logged.find((entry) => entry.run === "t/deadly p")).toMatchObject({
    level: "warn",
    message: "executed alone: 2 workers in a row died while they executed it.",
  });
});

it("F18: its first checkpoint clears it and opens the room to others while it goes on", async () => {
  const world = await openWorld();
  const set = aStage();
  await aSuspect(world, set);
  set.stage.kills = false;
  const next = await world.open({ workflows: set.workflows });
  // Whoever is executed before it would keep it out for as long as he runs.
  await world.until(() => set.stage.log.filter((id) => id === "p").length === 3, "the suspect is executed");
  const run = await next.engine.start(set.slow, "s", { id: "s" });
  await world.until(() => set.stage.running.has("s") && set.stage.log.includes("p after"), "both are executed");
  expect((await statusOf(next, "t/deadly", "p")).crashes).toBe(0);
  set.stage.end("p");
  set.stage.end("s");
  expect(await run.result()).toBe("s");
  expect(await (await next.engine.get(set.deadly, "p")).result()).toBe("p");
});

it("F18: a crash on probation quarantines the run: told in the log, the status and the history", async () => {
  const world = await openWorld();
  const set = aStage();
  await aSuspect(world, set);
  await dieOnce(world, set);
  const next = await world.open({ workflows: set.workflows });
  await world.advance(120_000);
  expect(set.stage.running.size).toBe(0);
  const status = await statusOf(next, "t/deadly", "p");
  expect(status).toMatchObject({ state: "quarantined", crashes: 3, endedAtMs: null });
  expect(status.error).toMatchObject({ code: "RUN_QUARANTINED" });
  expect(await notesOf(next, "t/deadly", "p")).toEqual(["takeover", "takeover", "takeover", "quarantined"]);
  expect(next.logged.filter((entry) => entry.level === "error")).toEqual([
    { level: "error", run: "t/deadly p", message: expect.stringContaining("RUN_QUARANTINED") as unknown },
  ]);
});

it("F18: bystanders that died with it are executed alone once, go on, and are never quarantined", async () => {
  const world = await openWorld();
  const set = aStage();
  const starter = await world.open({ workflows: set.workflows, work: false });
  const ids = Array.from({ length: 8 }, (_, index) => `b${index}`);
  for (const id of ids) await starter.engine.start(set.slow, id, { id });
  await starter.engine.start(set.deadly, "p", { id: "p" });
  await dieOnce(world, set);
  await dieOnce(world, set);
  let deaths = 0;
  let process = await world.open({ workflows: set.workflows });
  for (let round = 0; round < 40 && set.stage.log.length < 100; round += 1) {
    await world.settle();
    const suspects = [...set.stage.running];
    if (suspects.length === 0) break;
    expect(suspects, "one at a time").toHaveLength(1);
    if (suspects[0] !== "p") {
      set.stage.end(suspects[0]!);
      continue;
    }
    deaths += 1;
    process.crash();
    set.stage.running.clear();
    process = await world.open({ workflows: set.workflows });
  }
  expect(deaths).toBe(1);
  expect((await statusOf(process, "t/deadly", "p")).state).toBe("quarantined");
  for (const id of ids) expect(await statusOf(process, "t/slow", id)).toMatchObject({ state: "completed" });
});

it("F18: a busy worker lets a suspect in as soon as it is empty for a moment", async () => {
  const world = await openWorld();
  const set = aStage();
  const busy = await world.open({ workflows: set.workflows, lease: "10m" });
  await busy.engine.start(set.slow, "s", { id: "s" });
  await world.settle();
  await aSuspectBeside(world, busy);
  await world.advance(1_000);
  expect([...set.stage.running]).toEqual(["s"]);
  set.stage.end("s");
  // Nobody tells this worker on PostgreSQL: it looks.
  await world.advance(ON_POSTGRES ? 2_000 : 0);
  expect([...set.stage.running]).toEqual(["p"]);
});

it("F18: step code that was given up and still runs counts: a suspect would be blamed for it", async () => {
  const world = await openWorld();
  const set = aStage();
  let end = (): void => {};
  const timed = workflow("t/timed", { version: "1.0.0" }, (ctx) =>
    ctx
      .step("hangs", () => new Promise<void>((resolve) => (end = resolve)))
      .timeout("1s")
      .retry(1)
      .fallback(() => 1),
  );
  const next = await world.open({ workflows: [...set.workflows, timed], lease: "10m" });
  const run = await next.engine.start(timed);
  await world.settle();
  await aSuspectBeside(world, next);
  await world.advance(2_000);
  expect(await run.result()).toBe(1);
  await world.advance(30_000);
  expect(set.stage.running.size).toBe(0);
  end();
  await world.advance(2_000);
  expect([...set.stage.running]).toEqual(["p"]);
});

it("F18: a worker that never is empty clears the room for a suspect, for a bounded time, and then goes on", async () => {
  const world = await openWorld();
  const set = aStage();
  const busy = await world.open({ workflows: set.workflows, lease: "10m" });
  await busy.engine.start(set.slow, "s1", { id: "s1" });
  await world.settle();
  await aSuspectBeside(world, busy);
  await busy.engine.start(set.slow, "s2", { id: "s2" });
  await world.settle();
  expect([...set.stage.running]).toEqual(["s1", "s2"]);
  // Patience is over: nothing new is taken.
  await world.advance(2 * PATIENCE_MS);
  await busy.engine.start(set.slow, "s3", { id: "s3" });
  await world.advance(CLEARING_MS_MIN / 4);
  expect([...set.stage.running]).toEqual(["s1", "s2"]);
  // The clearing has an end, although the room never was empty.
  await world.advance(CLEARING_MS_MIN);
  expect([...set.stage.running]).toEqual(["s1", "s2", "s3"]);
  // The next one comes after a pause, and then the suspect has its turn.
  await world.advance(4 * CLEARING_MS_MIN);
  await busy.engine.start(set.slow, "s4", { id: "s4" });
  await world.settle();
  expect(set.stage.running.has("s4")).toBe(false);
  for (const id of ["s1", "s2", "s3"]) set.stage.end(id);
  await world.settle();
  expect([...set.stage.running]).toEqual(["p"]);
});

/** Two other processes died of "p" while this one was busy. */
async function aSuspectBeside(world: World, busy: Process): Promise<void> {
  const { versionId } = await world.store.ensureVersion({ namespace: "t", name: "deadly", version: "1.0.0" });
  const run = { versionId, id: "p", input: '"p"', inputHash: null, actor: "x", seed: 1, parent: null, timeoutMs: null };
  for (let death = 0; death < 2; death += 1) {
    const who = { name: "w", host: "h", bootId: "o", pid: 1, pidNamespace: "n", pidStartedAt: "0" };
    const workerId = await world.store.registerWorker(
      who,
      { concurrency: 1, workflows: [], leaseMs: 1_000 },
      world.nowMs(),
    );
    if (death === 0) {
      const insert = { kind: "insert_run", run, claimFor: workerId, owner: null } as const;
      await world.store.flush([insert], world.nowMs());
    } else {
      await world.store.claimRuns({
        workerId,
        suspects: false,
        versionIds: [versionId],
        limit: 1,
        nowMs: world.nowMs(),
      });
    }
    await world.store.buryWorker(workerId, true, world.nowMs());
    await world.store.releaseRuns(workerId, "died", world.nowMs());
    await world.store.retireWorker(workerId);
  }
  expect((await statusOf(busy, "t/deadly", "p")).crashes).toBe(2);
}

it("F8, F18: closing gives a run on probation back, and counts as no crash, even when its step does not stop", async () => {
  const world = await openWorld();
  const set = aStage();
  await aSuspect(world, set);
  for (let closing = 0; closing < 3; closing += 1) {
    const next = await world.open({ workflows: set.workflows, grace: "1s" });
    await world.until(() => set.stage.running.has("p"), "the suspect is executed");
    const closed = next.engine.close();
    await world.advance(2_000);
    await closed;
    set.stage.running.clear();
  }
  const reader = await world.open({ workflows: set.workflows, work: false });
  expect(await statusOf(reader, "t/deadly", "p")).toMatchObject({ state: "pending", crashes: 2 });
});

it("F18: a cancel ends a quarantined run", async () => {
  const world = await openWorld();
  const set = aStage();
  await aSuspect(world, set);
  await dieOnce(world, set);
  const next = await world.open({ workflows: set.workflows });
  const run = await next.engine.get(set.deadly, "p");
  expect((await run.status()).state).toBe("quarantined");
  await run.cancel({ reason: "enough" });
  expect((await run.outcome()).state).toBe("cancelled");
  expect(set.stage.log.filter((id) => id === "p")).toHaveLength(3);
});

it("F18: a compensation that kills its workers is quarantined, keeps its cause, and a cancel lets it go on", async () => {
  const world = await openWorld();
  let undoing = 0;
  let kills = true;
  const w = workflow("t/undo", { version: "1.0.0" }, async (ctx) => {
    await ctx
      .step("pay", () => 1)
      .compensate(() => {
        undoing += 1;
        return kills ? never() : undefined;
      });
    throw new RangeError("broke");
  });
  const starter = await world.open({ workflows: [w], work: false });
  const run = await starter.engine.start(w, undefined, { id: "u" });
  for (let death = 1; death <= 3; death += 1) {
    const process = await world.open({ workflows: [w] });
    await world.until(() => undoing === death, "it compensates");
    process.crash();
  }
  const next = await world.open({ workflows: [w] });
  await world.settle();
  const status = await run.status();
  expect(status).toMatchObject({ state: "quarantined", crashes: 3 });
  expect(status.error).toMatchObject({ code: "RUN_QUARANTINED", cause: { name: "RangeError", message: "broke" } });
  kills = false;
  await (await next.engine.get(w, "u")).cancel();
  expect((await (await next.engine.get(w, "u")).outcome()).state).toBe("failed");
  expect(undoing).toBe(4);
});
