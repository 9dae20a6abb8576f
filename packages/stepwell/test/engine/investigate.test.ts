/** Investigations: failed and quarantined runs as cases, on a real store, with time in the test's hands. */
import { expect, it } from "vitest";
import { workflow } from "../../src/index.ts";
import { openWorld } from "./harness.ts";
import { aPlant, KIM } from "./plant.ts";

/** A workflow whose runs fail until it is cured. */
async function aWard() {
  const world = await openWorld();
  const plant = aPlant(["work"]);
  const w = workflow("t/work", { version: "1.0.0" }, (ctx) => ctx.step("work", plant.step("work")));
  const { engine } = await world.open({ workflows: [w] });
  for (const id of ["x", "y"]) await (await engine.start(w, undefined, { id })).outcome();
  const ids = async (filter?: Parameters<typeof engine.investigations.list>[0]): Promise<readonly string[]> =>
    (await engine.investigations.list(filter)).cases.map(({ run }) => run.id);
  return { ...plant, world, engine, w, ids, cases: engine.investigations };
}

it("lists what failed with its reason, newest first, and what was noted", async () => {
  const { world, cases, w } = await aWard();
  await cases.note(w, "x", "called the bank", { actor: "kim" });
  await world.advance(1_000);
  await cases.note(w, "x", "they will look", { actor: "lee" });
  const { cases: found, cursor } = await cases.list({ workflow: w });
  expect(cursor).toBe(null);
  expect(found).toMatchObject([
    {
      run: { id: "y", state: "failed" },
      generation: 1,
      reason: { message: "work is broken" },
      notes: [],
      resolution: null,
    },
    {
      run: { id: "x" },
      notes: [
        { actor: "kim", text: "called the bank", atMs: 1_000_000 },
        { actor: "lee", text: "they will look", atMs: 1_001_000 },
      ],
    },
  ]);
});

it("a case is closed when it is dismissed; its file tells by whom and why", async () => {
  const { cases, w, ids } = await aWard();
  await cases.dismiss(w, "x", { actor: "kim", reason: "a test order" });
  expect(await ids()).toEqual(["y"]);
  expect(await ids({ cases: "all" })).toEqual(["y", "x"]);
  const file = await cases.get(w, "x");
  expect(file.resolution).toEqual({ kind: "dismissed", actor: "kim", text: "a test order", atMs: 1_000_000 });
  expect(file.history.map(({ kind }) => kind)).toEqual(["started", "step", "ended"]);
});

it("a run that goes on leaves the list; when it fails again, it is another case, and the first is in its file", async () => {
  const { world, cases, w, ids, engine, cure, log } = await aWard();
  await cases.note(w, "x", "first look");
  await cases.redrive(w, "x", KIM);
  await world.until(async () => log.length === 3 && (await engine.list({ state: "failed" })).runs.length === 2);
  const again = await cases.get(w, "x");
  expect(again).toMatchObject({ generation: 2, notes: [], resolution: null });
  expect(again.earlier).toMatchObject([
    {
      generation: 1,
      reason: { message: "work is broken" },
      notes: [{ text: "first look" }],
      resolution: { kind: "retried", actor: "kim", text: "cured" },
    },
  ]);
  cure("work");
  await cases.redrive("t/work", "x", KIM);
  await world.until(async () => (await engine.list({ state: "completed" })).runs.length === 1);
  expect(await ids()).toEqual(["y"]);
  const done = await cases.get(w, "x");
  expect(done.earlier.map(({ generation, resolution }) => `${generation} ${resolution?.kind}`)).toEqual([
    ...["1 retried", "2 retried"],
  ]);
});

it("written twice under one id, a note stands once", async () => {
  const { cases, w } = await aWard();
  await Promise.all([cases.note(w, "x", "once", { id: "n" }), cases.note(w, "x", "once", { id: "n" })]);
  expect((await cases.get(w, "x")).notes).toHaveLength(1);
});

it("bad input is refused by name", async () => {
  const { cases, w, engine, cure, world } = await aWard();
  cure("work");
  await engine.start(w, undefined, { id: "fine" });
  await world.until(async () => (await engine.list({ state: "completed" })).runs.length === 1);
  await expect(cases.get(w, "nobody")).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
  await expect(cases.get(w, "fine")).rejects.toMatchObject({ code: "RUN_NOT_FAILED" });
  await expect(cases.note(w, "fine", "hm")).rejects.toMatchObject({ code: "RUN_NOT_FAILED" });
  await expect(cases.note(w, "x", 5 as never)).rejects.toMatchObject({ code: "OPTION_INVALID" });
  await expect(cases.dismiss(w, "x", { why: "no" } as never)).rejects.toMatchObject({ code: "OPTION_UNKNOWN" });
  await expect(cases.list({ cases: "closed" as never })).rejects.toMatchObject({ code: "OPTION_INVALID" });
  await expect(cases.list({ state: "failed" } as never)).rejects.toMatchObject({ code: "OPTION_UNKNOWN" });
  await expect(cases.redrive(w, "fine")).rejects.toMatchObject({ code: "RUN_NOT_FAILED" });
});
