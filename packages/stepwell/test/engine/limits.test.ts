/** P11: every limit is refused before anything is written; and search attributes, which are limits mostly. */
import { expect, it } from "vitest";
import { type Ctx, openEngine, signal, workflow, type Workflow } from "../../src/index.ts";
import { changeAttributes } from "../../src/model/attributes.ts";
import type { Write } from "../../src/store/write.ts";
import { openWorld } from "./harness.ts";

const ping = signal<string>("ping");

function define<O>(body: (ctx: Ctx<void>) => Promise<O>): Workflow<void, O> {
  return workflow("t/limits", { version: "1.0.0" }, body);
}

/** A process whose writes are kept. */
async function openWatched(workflows: readonly Workflow<never>[], limits: object) {
  const world = await openWorld();
  const writes: Write[] = [];
  const process = await world.open({ workflows, limits }, (store) => ({
    ...store,
    flush: (batch, nowMs) => {
      writes.push(...batch);
      return store.flush(batch, nowMs);
    },
  }));
  return { world, writes, ...process };
}

it("P11: a payload beyond its limit is refused before it is written, wherever it comes from", async () => {
  const long = "x".repeat(300);
  const w = workflow<unknown>("t/payload", { version: "1.0.0" }, async (ctx) => {
    const codes: unknown[] = [];
    const attempt = async (work: () => unknown): Promise<void> => {
      await Promise.resolve()
        .then(work)
        .catch((error: { readonly code?: string }) => codes.push(error.code));
    };
    await attempt(() => ctx.step("step", () => long).retry(1));
    await attempt(() => ctx.progress(long));
    await attempt(() => ctx.log(long));
    await attempt(() => ctx.race("race", { raw: Promise.resolve(long) }));
    await attempt(() => ctx.step("beat", (s) => s.heartbeat(long)).retry(1));
    await ctx.waitFor(ping);
    return codes;
  });
  const { writes, engine } = await openWatched([w], { bytesMax: 200 });
  await expect(engine.start(w, long)).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
  expect(writes).toEqual([]);
  const run = await engine.start(w, "short");
  await expect(run.signal(ping, long)).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
  await run.signal(ping, "go");
  expect(await run.result()).toEqual(Array.from({ length: 5 }, () => "PAYLOAD_TOO_LARGE"));
  expect(JSON.stringify(writes)).not.toContain(long);
});

it("P11: a history at its limit refuses the next call and the next line, with advice", async () => {
  const w = define(async (ctx) => {
    for (let index = 0; ; index += 1) await ctx.step(["count", index], () => index);
  });
  const chatty = workflow("t/chatty", { version: "1.0.0" }, async (ctx) => {
    for (;;) ctx.log("still here");
  });
  const { engine } = await openWatched([w, chatty], { eventsMax: 20 });
  for (const workflow of [w, chatty]) {
    const run = await engine.start(workflow);
    expect(await run.outcome()).toMatchObject({
      error: { code: "HISTORY_LIMIT", message: expect.stringContaining("child workflows") as string },
    });
    expect(await run.history()).toHaveLength(21);
  }
});

it("P12: limits outside of their range, and unknown ones, are refused at the door", async () => {
  const open = (limits: object) => openEngine({ store: "sqlite::memory:", limits });
  await expect(open({ eventsMax: 0 })).rejects.toMatchObject({ code: "OPTION_INVALID" });
  await expect(open({ events: 5 })).rejects.toMatchObject({ code: "OPTION_UNKNOWN" });
});

it("attributes are laid over one another, null removes, and a run is shown with them", async () => {
  const w = define(async (ctx) => {
    ctx.set({ customerId: "c1", amount: 3, vip: true, old: "x" });
    await ctx.step("work", () => 1);
    ctx.set({ amount: 4.5, old: null });
    return ctx.sleep("nap", "1d");
  });
  const { world, engine, writes } = await openWatched([w], {});
  const run = await engine.start(w);
  await world.settle();
  expect((await run.status()).attributes).toEqual({ customerId: "c1", amount: 4.5, vip: true });
  expect(writes.filter((write) => write.kind === "attributes")).toHaveLength(2);
});

it("a replay does not set attributes again, and one that was lost with its process is set after all", async () => {
  const world = await openWorld();
  const stored: string[] = [];
  const w = define(async (ctx) => {
    ctx.set({ stage: "one" });
    await ctx.step("work", () => 1);
    ctx.set({ stage: "two" });
    await ctx.sleep("nap", "1d");
    return "done";
  });
  const watch = (lossy: boolean) => (store: typeof world.store) => ({
    ...store,
    flush: (writes: readonly Write[], nowMs: number | null) => {
      const kept = writes.filter((write) => !(lossy && write.kind === "attributes" && write.values.includes("two")));
      for (const write of kept) if (write.kind === "attributes") stored.push(write.values);
      // What is lost goes with all that came after it.
      return kept.length === writes.length ? store.flush(kept, nowMs) : new Promise<never>(() => {});
    },
  });
  const first = await world.open({ workflows: [w] }, watch(true));
  await first.engine.start(w, undefined, { id: "x" });
  await world.settle();
  first.crash();
  const second = await world.open({ workflows: [w] }, watch(false));
  await world.settle();
  expect((await (await second.engine.get(w, "x")).status()).attributes).toEqual({ stage: "two" });
  second.crash();
  const third = await world.open({ workflows: [w] }, watch(false));
  await world.advance(86_400_000);
  expect(await (await third.engine.get(w, "x")).result()).toBe("done");
  expect(stored).toEqual(['{"stage":"one"}', '{"stage":"two"}']);
});

const many = Object.fromEntries(Array.from({ length: 32 }, (_, index) => [`name${index}`, index]));

it.each([
  ["text within its length", {}, { a: "x".repeat(256) }, { a: "x".repeat(256) }],
  ["a removal of what is not there", { a: 1 }, { b: null }, { a: 1 }],
  ["as many as there may be", {}, many, many],
  ["one in place of another", many, { name0: null, other: 1 }, { ...many, name0: undefined, other: 1 }],
])("attributes: takes %s", (_what, before, changes, after) => {
  expect(changeAttributes(before, changes as never)).toEqual(after);
});

it.each([
  ["too long a text", { a: "x".repeat(257) }],
  ["one name too many", { ...many, other: 1 }],
  ["an empty name", { "": 1 }],
  ["a name with a space", { "a b": 1 }],
  ["too long a name", { ["a".repeat(65)]: 1 }],
  ["a nested value", { a: { b: 1 } }],
  ["undefined", { a: undefined }],
  ["a number that is none", { a: Number.NaN }],
  ["half a character", { a: "\uD800" }],
  ["an array", [1]],
  ["null", null],
])("P12: attributes refuse %s", async (_what, changes) => {
  expect(() => changeAttributes({}, changes as never)).toThrow(
    expect.objectContaining({ code: "ATTRIBUTE_INVALID" }) as Error,
  );
});
