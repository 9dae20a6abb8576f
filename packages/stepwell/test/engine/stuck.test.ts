/** P12: what does not move beyond its expectation is reported, once per episode. Time is in the test's hands. */
import { expect, it } from "vitest";
import { z } from "zod";
import { workflow } from "../../src/index.ts";
import { openWorld, type Process } from "./harness.ts";

const never = (): Promise<never> => new Promise(() => {});
const MINUTE = 60_000;

const warnings = ({ logged }: Process) =>
  logged.filter((entry) => entry.level === "warn").map((entry) => entry.message);

/** Past the limit in steps that no jump of the clock hides. */
async function pass(world: Awaited<ReturnType<typeof openWorld>>, minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute += 1) await world.advance(MINUTE);
}

it("P12: a step that goes on without a sign is reported once, in the log and in the history", async () => {
  const world = await openWorld();
  const w = workflow("t/still", { version: "1.0.0" }, (ctx) => ctx.step("hang", never));
  const process = await world.open({ workflows: [w] });
  const run = await process.engine.start(w, undefined, { id: "s" });
  await pass(world, 4);
  expect(warnings(process)).toEqual([]);
  await pass(world, 20);
  const [entry, ...more] = process.logged.filter((one) => one.level === "warn");
  expect(more).toEqual([]);
  expect(entry?.run).toBe("t/still s");
  expect(entry?.message).toMatch(/^has not moved for 5 m.*, since 1970-.*Z: it executes "hang" \(attempt 1\)\.$/);
  const stuck = (await run.history()).filter((event) => event.kind === "note" && event.note === "stuck");
  expect(stuck).toMatchObject([{ value: { doing: 'it executes "hang" (attempt 1)' } }]);
});

it("P12: a body that awaits something raw is told apart, and a second episode is told again", async () => {
  const world = await openWorld();
  let go: (() => void)[] = [];
  const w = workflow("t/raw", { version: "1.0.0" }, async (ctx) => {
    await new Promise<void>((resolve) => go.push(resolve));
    await ctx.step("between", () => 1);
    await new Promise<void>((resolve) => go.push(resolve));
  });
  const process = await world.open({ workflows: [w], stuckAfter: "2m" });
  const run = await process.engine.start(w);
  await pass(world, 10);
  expect(warnings(process)).toEqual([expect.stringContaining("its body awaits something that is no ctx call")]);
  go.splice(0).forEach((resolve) => resolve());
  await pass(world, 10);
  expect(warnings(process)).toHaveLength(2);
  go.splice(0).forEach((resolve) => resolve());
  await run.result();
  go = [];
});

it("P12: heartbeats, a longer timeout of the step, and waits are no standstill", async () => {
  const world = await openWorld();
  const w = workflow("t/alive", { version: "1.0.0" }, async (ctx, how: string) => {
    if (how === "waits") return ctx.sleep("nap", "30m");
    if (how === "timeout") {
      return ctx
        .step("long", never)
        .timeout("1h")
        .retry(1)
        .fallback(() => undefined);
    }
    return ctx.step("beats", (step) => {
      beat = () => step.heartbeat(1);
      return never();
    });
  });
  let beat = (): void => {};
  const process = await world.open({ workflows: [w], stuckAfter: "2m", hotWait: "1h" });
  for (const how of ["waits", "timeout", "beats"]) await process.engine.start(w, how);
  for (let minute = 0; minute < 20; minute += 1) {
    beat();
    await world.advance(MINUTE);
  }
  expect(warnings(process)).toEqual([]);
  await pass(world, 4);
  expect(warnings(process)).toEqual([expect.stringContaining('"beats"')]);
});

it("P12: what a run waits for is named: a few of many steps, calls that have begun, the store", async () => {
  const world = await openWorld();
  let storing = true;
  const many = workflow("t/many", { version: "1.0.0" }, (ctx) =>
    ctx.map(
      "item",
      Array.from({ length: 12 }, (_, index) => index),
      {},
      never,
    ),
  );
  const slow = z.string().refine(() => new Promise<boolean>(() => {}));
  const child = workflow("t/child", { version: "1.0.0", input: slow }, async () => 1);
  const parent = workflow("t/parent", { version: "1.0.0" }, (ctx) => ctx.run("child", child, "x"));
  const saving = workflow("t/saving", { version: "1.0.0" }, (ctx) => ctx.step("save", () => void (storing = false)));
  const process = await world.open({ workflows: [many, child, parent, saving], stuckAfter: "2m" }, (store) => ({
    ...store,
    flush: (...args) => (storing ? store.flush(...args) : new Promise<never>(() => {})),
  }));
  for (const name of ["t/many", "t/parent", "t/saving"]) await process.engine.start(name, undefined, { id: "x" });
  await pass(world, 4);
  const told = process.logged.filter(({ level }) => level === "warn");
  const doing = Object.fromEntries(told.map(({ run, fields }) => [run, fields?.["doing"]]));
  expect(doing).toEqual({
    "t/many x": expect.stringMatching(/^it executes "item\/0" \(attempt 1\), .* and \d+ more$/) as unknown,
    "t/parent x": 'it has begun and not ended "child"',
    "t/saving x": "it waits for the store to answer",
  });
});

it("P12: a store that cannot say what is overdue is asked again", async () => {
  const world = await openWorld();
  const known = workflow("t/known", { version: "1.0.0" }, (ctx) => ctx.step("a", () => 1));
  const foreign = workflow("t/foreign", { version: "2.0.0" }, (ctx) => ctx.step("a", () => 1));
  const outside = await world.open({ workflows: [foreign], work: false });
  await outside.engine.start(foreign);
  let asked = 0;
  const process = await world.open({ workflows: [known] }, (store) => ({
    ...store,
    listOldestDue: (nowMs) => (++asked < 3 ? Promise.reject(new Error("busy")) : store.listOldestDue(nowMs)),
  }));
  await pass(world, 30);
  const [first, second, third, ...more] = warnings(process);
  expect([first, second]).toEqual(Array(2).fill("overdue runs could not be looked for: Error: busy"));
  expect([third, more]).toEqual([expect.stringContaining("t/foreign@2.0.0 are due and not executed"), []]);
});

it("P12: a workflow has a limit of its own, and says when it wants none", async () => {
  const world = await openWorld();
  const quick = workflow("t/quick", { version: "1.0.0", stuckAfter: "1m" }, (ctx) => ctx.step("hang", never));
  const exempt = workflow("t/exempt", { version: "1.0.0", stuckAfter: false }, (ctx) => ctx.step("hang", never));
  const usual = workflow("t/usual", { version: "1.0.0" }, (ctx) => ctx.step("hang", never));
  const process = await world.open({ workflows: [quick, exempt, usual], stuckAfter: false });
  for (const w of [quick, exempt, usual]) await process.engine.start(w);
  await pass(world, 30);
  expect(process.logged.filter((one) => one.level === "warn").map((one) => one.run?.split(" ")[0])).toEqual([
    "t/quick",
  ]);
});

it("P12: due runs that nobody takes are told by version, once until that is over", async () => {
  const world = await openWorld();
  const known = workflow("t/known", { version: "1.0.0" }, (ctx) => ctx.step("a", () => 1));
  const foreign = workflow("t/foreign", { version: "2.0.0" }, (ctx) => ctx.step("a", () => 1));
  const outside = await world.open({ workflows: [foreign], work: false });
  await outside.engine.start(foreign);
  await outside.engine.start(foreign);
  const process = await world.open({ workflows: [known] });
  await pass(world, 30);
  expect(warnings(process)).toEqual([
    expect.stringMatching(/^runs of t\/foreign@2\.0\.0 are due and not executed, the oldest for 5 m.*: no worker here/),
  ]);
  const able = await world.open({ workflows: [foreign] });
  await pass(world, 2);
  expect((await able.engine.list({ state: "completed" })).runs).toHaveLength(2);
  expect(warnings(able)).toEqual([]);
});

it.each([
  [{ stuckAfter: "1ms" }, "OPTION_INVALID", "stuckAfter must be 100 ms at least, or false"],
  [{ stuckAfter: "soon" }, "DURATION_INVALID", "stuckAfter"],
])("P12: refuses %j", async (options, code, part) => {
  const world = await openWorld();
  const message = expect.stringContaining(part) as unknown;
  await expect(world.open(options)).rejects.toMatchObject({ code, message });
  const define = () => workflow("t/w", { version: "1.0.0", ...options }, async () => {});
  expect(define).toThrow(expect.objectContaining({ code }));
});
