/** Approvals and time: deadlines, escalations, and what ends an approval that nobody has answered. */
import { expect, it } from "vitest";
import { type Engine, signal, workflow } from "../../src/index.ts";
import type { Store } from "../../src/store/store.ts";
import { openWorld, type World } from "./harness.ts";

const HOUR = 3_600_000;
const REF = { workflow: "t/refund", runId: "r", name: "sign" };
const go = signal("go");

function refund(options: Record<string, unknown> = {}) {
  return workflow("t/refund", { version: "1.0.0" }, async (ctx) =>
    ctx.approve("sign", { title: "Refund 120 €", to: "managers", ...options }),
  );
}

async function waiting(world: World, engine: Engine): Promise<void> {
  await world.until(async () => (await engine.approvals.list()).approvals.length === 1, "an open approval");
  await world.settle();
}

const LINGER = [
  ["lingering bodies", 1_000],
  ["every body evicted at its park", 0],
] as const;

it.each(LINGER)("P7: an approval times out after a crash, and never early (%s)", async (_name, lingerMax) => {
  const world = await openWorld();
  const w = refund({ timeout: "2d", quorum: 2 });
  const first = await world.open({ workflows: [w], lingerMax });
  await first.engine.start(w, undefined, { id: "r" });
  await waiting(world, first.engine);
  await first.engine.approvals.approve(REF, { actor: "kim" });
  await world.advance(24 * HOUR);
  first.crash();
  const { engine } = await world.open({ workflows: [w], lingerMax });
  const run = await engine.get(w, "r");
  await world.advance(24 * HOUR - 1);
  expect((await engine.approvals.get(REF)).state).toBe("open");
  await world.advance(1);
  expect(await run.result()).toMatchObject({ state: "timed_out", decisions: [{ actor: "kim" }] });
  expect(await engine.approvals.get(REF)).toMatchObject({ state: "timed_out" });
  await expect(engine.approvals.approve(REF, { actor: "lee" })).rejects.toMatchObject({
    code: "APPROVAL_CLOSED",
    details: { state: "timed_out" },
  });
});

it.each([
  ["just before its time is up", -1, "approved"],
  ["at the moment its time is up", 0, "timed_out"],
])("A2: a decision stored %s, while no worker is alive", async (_name, offsetMs, outcome) => {
  const world = await openWorld();
  const w = refund({ timeout: "2h" });
  const worker = await world.open({ workflows: [w] });
  await worker.engine.start(w, undefined, { id: "r" });
  await waiting(world, worker.engine);
  worker.crash();
  const { engine } = await world.open({ workflows: [w], work: false });
  await world.advance(2 * HOUR + offsetMs);
  const sent = engine.approvals.approve(REF, { actor: "kim", wait: 0 });
  await world.settle();
  expect(await sent).toEqual({ state: "recorded" });
  await world.advance(HOUR);
  const next = await world.open({ workflows: [w] });
  expect(await (await next.engine.get(w, "r")).result()).toMatchObject({ state: outcome });
  const verdict = outcome === "approved" ? "accepted" : "too_late";
  expect((await engine.approvals.get(REF)).decisions).toMatchObject([{ verdict }]);
});

it("A2: a decision of another process that was stored in time comes before the timeout, however late it is read", async () => {
  const world = await openWorld();
  const w = refund({ timeout: "500ms" });
  const worker = await world.open({ workflows: [w] }, unwatched);
  const run = await worker.engine.start(w, undefined, { id: "r" });
  const { engine } = await world.open({ workflows: [w], work: false });
  await waiting(world, engine);
  const sent = engine.approvals.approve(REF, { actor: "kim" });
  await world.settle();
  expect((await run.status()).state).toBe("running");
  await world.advance(500);
  expect(await run.result()).toMatchObject({ state: "approved" });
  await world.advance(500);
  expect(await sent).toMatchObject({ state: "accepted" });
});

/** Hears nothing of what others store. */
function unwatched(store: Store): Store {
  return { ...store, watch: () => () => {} };
}

it.each(LINGER)("A3: escalations add whom it is for, once each and never early (%s)", async (_name, lingerMax) => {
  const world = await openWorld();
  const escalate = [
    { after: "10h", to: ["board", "managers"] },
    { after: "4h", to: "heads" },
  ];
  const w = refund({ timeout: "1d", escalate });
  let process = await world.open({ workflows: [w], lingerMax });
  await process.engine.start(w, undefined, { id: "r" });
  await waiting(world, process.engine);
  const to = async (): Promise<readonly string[]> => (await process.engine.approvals.get(REF)).to;
  await world.advance(4 * HOUR - 1);
  expect(await to()).toEqual(["managers"]);
  expect((await process.engine.approvals.list({ to: "heads" })).approvals).toEqual([]);
  await world.advance(1);
  expect(await to()).toEqual(["managers", "heads"]);
  expect((await process.engine.approvals.list({ to: "heads" })).approvals).toHaveLength(1);
  process.crash();
  process = await world.open({ workflows: [w], lingerMax });
  await world.settle();
  expect(await to()).toEqual(["managers", "heads"]);
  await world.advance(7 * HOUR);
  expect(await to()).toEqual(["managers", "heads", "board"]);
  process.crash();
  process = await world.open({ workflows: [w], lingerMax });
  await world.settle();
  await process.engine.approvals.approve(REF, { actor: "kim" });
  const run = await process.engine.get(w, "r");
  expect(await run.result()).toMatchObject({ state: "approved" });
  const events = await run.history();
  const escalations = events.filter((event) => event.kind === "step" && event.step === "escalation");
  expect(escalations).toMatchObject([{ value: { to: ["heads"] } }, { value: { to: ["board", "managers"] } }]);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, index) => index + 1));
});

it.each(LINGER)("A4: a cancelled run leaves no open approval (%s)", async (_name, lingerMax) => {
  const world = await openWorld();
  const w = refund();
  const { engine } = await world.open({ workflows: [w], lingerMax });
  const run = await engine.start(w, undefined, { id: "r" });
  await waiting(world, engine);
  await run.cancel();
  expect(await run.outcome()).toMatchObject({ state: "cancelled" });
  expect((await engine.approvals.list()).approvals).toEqual([]);
  expect(await engine.approvals.get(REF)).toMatchObject({ state: "cancelled" });
  await expect(engine.approvals.approve(REF, { actor: "kim" })).rejects.toMatchObject({ code: "APPROVAL_CLOSED" });
});

it.each([
  ["that fails", "threw"],
  ["that returns without it", "returned"],
])("A4: a run %s leaves no open approval, also when its code has changed since", async (_name, how) => {
  const world = await openWorld();
  const end = async (): Promise<string> => {
    if (how === "threw") throw new TypeError("gone");
    return "done";
  };
  const before = workflow("t/refund", { version: "1.0.0" }, async (ctx) => {
    void ctx.approve("sign", { title: "Refund", to: "managers" });
    await ctx.waitFor(go);
  });
  const after = workflow("t/refund", { version: "1.1.0" }, async (ctx) => {
    await ctx.waitFor(go);
    return end();
  });
  const first = await world.open({ workflows: [before] });
  await first.engine.start(before, undefined, { id: "r" });
  await waiting(world, first.engine);
  first.crash();
  const { engine } = await world.open({ workflows: [after] });
  const run = await engine.get(after, "r");
  await run.signal(go);
  await run.outcome();
  expect((await engine.approvals.list()).approvals).toEqual([]);
  expect((await engine.approvals.get(REF)).state).toBe("cancelled");
});

it("A4: an approval that loses a race is over", async () => {
  const world = await openWorld();
  const w = workflow("t/refund", { version: "1.0.0" }, async (ctx) => {
    const approval = ctx.approve("sign", { title: "Refund", to: "managers", timeout: "2d" });
    const { winner } = await ctx.race("first", { approval, quick: ctx.step("quick", () => 1) });
    await ctx.waitFor(go);
    return winner;
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "r" });
  await world.settle();
  expect((await engine.approvals.list()).approvals).toEqual([]);
  await run.signal(go);
  expect(await run.result()).toBe("quick");
});

it("a run that stands still keeps its approvals, and what is decided meanwhile counts", async () => {
  const world = await openWorld();
  const w = refund();
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "r" });
  await waiting(world, engine);
  await run.pause();
  await world.settle();
  const sent = engine.approvals.approve(REF, { actor: "kim", wait: 0 });
  await world.settle();
  expect(await sent).toEqual({ state: "recorded" });
  expect((await engine.approvals.get(REF)).state).toBe("open");
  await run.resume();
  expect(await run.result()).toMatchObject({ state: "approved" });
});

it("each item may ask for an approval of its own, found by whom it is for", async () => {
  const world = await openWorld();
  const w = workflow("t/many", { version: "1.0.0" }, async (ctx) => {
    const answers = await ctx.each("pay", ["a", "b"], {}, (item, name) =>
      item.with({ attempts: 2 }).approve("sign", { title: `Pay ${name}`, to: name }),
    );
    return answers.map(({ state }) => state);
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "m" });
  await world.until(async () => (await engine.approvals.list()).approvals.length === 2);
  await world.settle();
  const [a] = (await engine.approvals.list({ to: "a" })).approvals;
  const [b] = (await engine.approvals.list({ to: ["b", "nobody"], workflow: w })).approvals;
  expect([a?.name, b?.name]).toEqual(["pay/a/sign", "pay/b/sign"]);
  await engine.approvals.refuse(b!, { actor: "kim" });
  await engine.approvals.approve(a!, { actor: "kim" });
  expect(await run.result()).toEqual(["approved", "refused"]);
});

it("an approval that was renamed is still the one that people have decided on", async () => {
  const world = await openWorld();
  const ask = { title: "Refund", to: "managers", quorum: 2 };
  const before = workflow("t/refund", { version: "1.0.0" }, (ctx) => ctx.approve("sign", ask));
  const after = workflow("t/refund", { version: "1.1.0" }, (ctx) => ctx.approve("approval", ask).was("sign"));
  const first = await world.open({ workflows: [before] });
  await first.engine.start(before, undefined, { id: "r" });
  await waiting(world, first.engine);
  await first.engine.approvals.approve(REF, { actor: "kim" });
  first.crash();
  const { engine } = await world.open({ workflows: [after] });
  await world.settle();
  await engine.approvals.approve(REF, { actor: "lee" });
  expect(await (await engine.get(after, "r")).result()).toMatchObject({ state: "approved" });
});

it("pages lead from the newest to the oldest, and a cursor belongs to its filter", async () => {
  const world = await openWorld();
  const w = refund();
  const { engine } = await world.open({ workflows: [w] });
  for (let index = 0; index < 5; index += 1) {
    await engine.start(w, undefined, { id: `r${index}` });
    await world.settle();
  }
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const page = await engine.approvals.list({ to: "managers", limit: 2, cursor });
    seen.push(...page.approvals.map(({ runId }) => runId));
    cursor = page.cursor;
    if (cursor !== null) {
      await expect(engine.approvals.list({ cursor })).rejects.toMatchObject({ code: "OPTION_INVALID" });
    }
  } while (cursor !== null);
  expect(seen).toEqual(["r4", "r3", "r2", "r1", "r0"]);
});
