/** Process: what a dead one still does, which is nothing. And the clock it goes by. */
import { expect, it } from "vitest";
import { workflow } from "../../src/index.ts";
import { openClock } from "../../src/testing/kit/clock.ts";
import type { Process } from "../../src/testing/kit/process.ts";
import { openKillable } from "../../src/testing/kit/test-engine.ts";
import { openWorld } from "../../src/testing/kit/world.ts";

const ORDINARY = { startMs: 0, random: () => 0, patience: { codeMs: 1_000, callMs: 1_000 } };

it("killed right after a checkpoint, its body does not go on", async () => {
  const ran: string[] = [];
  let victim: Process | null = null;
  const world = await openWorld({
    ...ORDINARY,
    reach: (point, crash) => {
      if (point.kind !== "flush" || point.when !== "after") return;
      if (point.writes.some((write) => write.kind === "checkpoint")) crash();
    },
  });
  const w = workflow("p/after", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("a", () => void ran.push("a"));
    await ctx.step("b", () => void ran.push("b"));
  });
  victim = await world.open({ engine: { workflows: [w] } });
  await victim.engine.start(w);
  await victim.crashed;
  await world.idle();
  expect(ran).toEqual(["a"]);
  await world.close();
});

it("killed while a body is replayed, it hears of no further recorded step", async () => {
  const seen: string[] = [];
  const world = await openWorld(ORDINARY);
  let victim: Process | null = null;
  const w = workflow("p/replay", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("a", () => 1);
    victim?.crash();
    await ctx.step("b", () => 2);
    seen.push(victim === null ? "first" : "zombie");
    await ctx.sleep("nap", "1h");
  });
  const first = await world.open({ engine: { workflows: [w] } });
  await first.engine.start(w);
  await world.idle();
  first.crash();
  const opening = world.open({ engine: { workflows: [w], lingerMax: 0 } });
  victim = await opening;
  await world.advanceTo(7_200_000);
  await victim.crashed;
  await world.idle();
  expect(seen).toEqual(["first"]);
  await world.close();
});

it("calls of a dead process do not reach the store, and never answer", async () => {
  const world = await openWorld(ORDINARY);
  let calls = 0;
  const process = await world.open({
    engine: {},
    wrap: (store) => ({
      ...store,
      listRuns: (filter) => {
        calls += 1;
        return store.listRuns(filter);
      },
    }),
  });
  await process.engine.list();
  process.crash();
  let answered = false;
  void process.engine.list().then(() => (answered = true));
  await world.idle();
  expect([calls, answered]).toEqual([1, false]);
  await world.close();
});

it("a start that was killed before it was answered is repeated as the same run, also without an id of its own", async () => {
  const w = workflow("p/start", { version: "1.0.0" }, async (ctx) => ctx.step("a", () => 1));
  for (const killAt of [1, 2]) {
    let reached = 0;
    const t = await openKillable({ workflows: [w] }, () => (reached += 1) === killAt);
    expect(await t.run(w)).toBe(1);
    expect((await t.engine.list()).runs).toHaveLength(1);
    await t.close();
  }
});

it("a closed engine leaves no timer behind, also when runs were parked by its closing", async () => {
  const world = await openWorld(ORDINARY);
  const w = workflow("p/close", { version: "1.0.0" }, async (ctx) => ctx.sleep("nap", "900ms"));
  const { engine } = await world.open({ engine: { workflows: [w] } });
  const run = await engine.start(w);
  await world.idle();
  expect((await run.status()).state).toBe("running");
  await engine.close();
  await world.idle();
  expect(world.clock.nextAtMs()).toBe(null);
  await world.close();
});

it("timers of one moment fire in the order they were set; a cancelled one does not, nor does it move the clock", () => {
  const clock = openClock(100);
  const fired: string[] = [];
  for (const name of ["a", "b", "c"]) clock.timer(10, () => fired.push(`${name} ${clock.nowMs()}`));
  clock.timer(5, () => fired.push("early"));
  clock.timer(7, () => fired.push("never"))();
  expect(clock.nextAtMs()).toBe(105);
  while (clock.nextAtMs() !== null) clock.fireNext();
  expect(fired).toEqual(["early", "a 110", "b 110", "c 110"]);
});

it("a jump fires once, at its end, what fell due on the way, even if that asks for more", () => {
  const clock = openClock(0);
  const fired: number[] = [];
  const tick = (): void => {
    fired.push(clock.nowMs());
    clock.timer(1, tick);
  };
  clock.timer(1, tick);
  clock.jumpTo(1_000);
  expect(fired).toEqual([1_000]);
  expect(clock.nextAtMs()).toBe(1_001);
});
