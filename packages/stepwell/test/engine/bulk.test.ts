/** Bulk operations: many runs by a filter, on a real store, with time in the test's hands. */
import { expect, it } from "vitest";
import { signal, workflow } from "../../src/index.ts";
import { openWorld } from "./harness.ts";
import { aPlant, KIM } from "./plant.ts";

const go = signal("go");

/** Two workflows with three runs each: one that fails, one that waits, one that completes. */
async function aFloor() {
  const world = await openWorld();
  const plant = aPlant(["work"]);
  const body = (name: string) =>
    workflow(name, { version: "1.0.0" }, async (ctx, how: string) => {
      ctx.set({ how });
      if (how === "fails") await ctx.step("work", plant.step("work"));
      if (how === "waits") await ctx.waitFor(go);
    });
  const [one, other] = [body("t/one"), body("t/other")];
  const { engine } = await world.open({ workflows: [one, other] });
  for (const w of [one, other]) {
    for (const how of ["fails", "waits", "completes"]) await engine.start(w, how, { id: how });
  }
  const states = async (): Promise<readonly string[]> =>
    (await engine.list()).runs
      .map(({ workflow: name, id, state }) => `${name} ${id} ${state}`)
      .toSorted((a, b) => (a < b ? -1 : 1));
  await world.until(async () => (await states()).every((state) => !/ (pending|running)$/.test(state)));
  return { ...plant, world, engine, one, other, states };
}

it("retries what failed, and only where the filter says", async () => {
  const { cure, log, world, engine, states } = await aFloor();
  cure("work");
  const result = await engine.bulk.retry({ workflow: "t/one" }, KIM);
  expect(result).toEqual({ dryRun: false, runs: [{ workflow: "t/one", id: "fails", state: "failed" }], refused: [] });
  await world.until(async () => (await states()).includes("t/one fails completed"));
  expect(await states()).toContain("t/other fails failed");
  expect(log).toEqual(["work", "work", "work"]);
  const notes = (await engine.history("t/one", "fails")).filter((event) => event.kind === "note");
  expect(notes).toMatchObject([{ note: "retried", value: KIM }]);
});

it("a dry run tells which, and changes nothing", async () => {
  const { engine, states } = await aFloor();
  const before = await states();
  const { dryRun, runs } = await engine.bulk.cancel({ namespace: "t" }, { dryRun: true });
  expect(dryRun).toBe(true);
  expect(runs.map(({ workflow: name, id }) => `${name} ${id}`)).toEqual(["t/other waits", "t/one waits"]);
  expect(await states()).toEqual(before);
});

it("cancels, pauses and resumes, by attribute and state", async () => {
  const { world, engine, states } = await aFloor();
  await engine.bulk.pause({ attributes: { how: "waits" } }, KIM);
  expect((await states()).filter((state) => state.endsWith(" paused"))).toHaveLength(2);
  await engine.bulk.resume({ workflow: "t/one" }, KIM);
  await world.until(async () => (await states()).includes("t/one waits waiting"));
  expect(await states()).toContain("t/other waits paused");
  const { runs } = await engine.bulk.cancel({ namespace: "t", state: ["waiting", "completed"] }, KIM);
  expect(runs.map(({ workflow: name }) => name)).toEqual(["t/one"]);
  await world.until(async () => (await states()).includes("t/one waits cancelled"));
});

it("asked twice under one id, each run is asked once; what has moved on refuses", async () => {
  const { log, world, engine, states } = await aFloor();
  const again = { ...KIM, id: "bulk-1" };
  await engine.bulk.retry({ namespace: "t" }, again);
  await world.until(
    async () => log.length === 4 && (await states()).filter((one) => one.endsWith("failed")).length === 2,
  );
  const { runs, refused } = await engine.bulk.retry({ namespace: "t" }, again);
  expect({ asked: runs.length, refused, log }).toEqual({
    asked: 2,
    refused: [],
    log: ["work", "work", "work", "work"],
  });
});

it("cancelled runs are retried only when they are named; children go on with their parents", async () => {
  const world = await openWorld();
  const { log, step, cure } = aPlant(["work"]);
  const child = workflow("t/child", { version: "1.0.0" }, (ctx) => ctx.step("work", step("work")));
  const parent = workflow("t/parent", { version: "1.0.0" }, (ctx) => ctx.run("child", child, undefined));
  const waits = workflow("t/waits", { version: "1.0.0" }, (ctx) => ctx.waitFor(go));
  const { engine } = await world.open({ workflows: [child, parent, waits] });
  const idle = await engine.start(waits, undefined, { id: "w" });
  await idle.cancel();
  await (await engine.start(parent, undefined, { id: "p" })).outcome();
  cure("work");
  const { runs, refused } = await engine.bulk.retry({ namespace: "t" });
  expect({ runs, refused }).toEqual({ runs: [{ workflow: "t/parent", id: "p", state: "failed" }], refused: [] });
  await world.until(async () => (await (await engine.get(parent, "p")).status()).state === "completed");
  expect(log).toEqual(["work", "work"]);
  expect((await engine.bulk.retry({ state: "cancelled" })).runs).toHaveLength(1);
});

it("a filter that means all, none or too many is refused, and so are contradictions; nothing is changed", async () => {
  const { engine, states } = await aFloor();
  const before = await states();
  const refused = async (asked: Promise<unknown>, code: string): Promise<void> => {
    await expect(asked, code).rejects.toMatchObject({ code });
  };
  await refused(engine.bulk.cancel({}), "BULK_FILTER_EMPTY");
  await refused(engine.bulk.cancel({ workflow: undefined } as never), "BULK_FILTER_EMPTY");
  await refused(engine.bulk.cancel({ workflow: "t/nobody" }), "BULK_MATCHES_NOTHING");
  await refused(engine.bulk.cancel({ namespace: "t" }, { max: 1 }), "BULK_MATCHES_TOO_MANY");
  await refused(engine.bulk.retry({ state: "running" }), "OPTION_INVALID");
  await refused(engine.bulk.retry({ state: "filed" as never }), "OPTION_INVALID");
  await refused(engine.bulk.retry({ namespace: "t" }, { max: 0 }), "OPTION_INVALID");
  await refused(engine.bulk.retry({ namespce: "t" } as never), "OPTION_UNKNOWN");
  await refused(engine.bulk.retry({ limit: 5 } as never), "OPTION_UNKNOWN");
  await refused(engine.bulk.retry({ namespace: "t" }, { dryrun: true } as never), "OPTION_UNKNOWN");
  expect(await states()).toEqual(before);
});
