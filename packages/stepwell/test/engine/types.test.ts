/**
 * Types: what must be inferred, and what must not compile. `npm run typecheck` is the
 * judge: each `@ts-expect-error` fails it when the line below compiles. The functions
 * are never called.
 */
import { expectTypeOf, it } from "vitest";
import { z } from "zod";
import { type Ctx, type Engine, handler, signal, workflow } from "../../src/index.ts";

const Order = z.object({ id: z.string(), total: z.coerce.number() });
const approval = signal("approval", z.object({ by: z.string() }));
const nudge = signal("nudge");
const charge = handler("charge", { input: Order }, (order) => ({ paid: order.total }));
const billing = workflow("t/billing", { version: "1.0.0", input: Order }, async (_ctx, order) =>
  order.total.toFixed(2),
);
const plain = workflow("t/plain", { version: "1.0.0" }, async () => 1);

/** Never called: its body is only compiled. */
async function inference(ctx: Ctx, engine: Engine): Promise<void> {
  expectTypeOf(await ctx.step("a", () => 1)).toEqualTypeOf<number>();
  expectTypeOf(await ctx.step("a", async () => "x" as const)).toEqualTypeOf<"x">();
  expectTypeOf(await ctx.step(charge, { id: "1", total: "5" })).toEqualTypeOf<{ paid: number }>();
  const shaped = await ctx
    .step("pay", () => ({ status: "paid" as const, id: 7 }))
    .compensate((paid) => void paid.id.toFixed())
    .onError({ Declined: () => ({ status: "declined" as const }) });
  if (shaped.status === "paid") expectTypeOf(shaped.id).toEqualTypeOf<number>();
  expectTypeOf(await ctx.step("f", () => 1).fallback(() => null)).toEqualTypeOf<number | null>();
  const settled = await ctx.step("s", () => 1).settle();
  if (settled.ok) expectTypeOf(settled.value).toEqualTypeOf<number>();
  const map = ctx.map("m", [{ sku: "a" }], { key: (item) => item.sku }, (item) => item.sku.length);
  expectTypeOf(await map.compensate((length, item) => [length.toFixed(), item.sku])).toEqualTypeOf<number[]>();
  expectTypeOf(await ctx.run("child", billing, { id: "1", total: 2 })).toEqualTypeOf<string>();
  expectTypeOf(await ctx.all({ a: ctx.step("x", () => 1), b: ctx.now("n") })).toEqualTypeOf<{ a: number; b: Date }>();
  expectTypeOf((await ctx.waitFor(approval)).value.by).toEqualTypeOf<string>();
  const timed = await ctx.waitFor(approval, { timeout: "1d" });
  expectTypeOf(timed.ok ? timed.value.by : timed.reason).toEqualTypeOf<string>();
  const forEver = await ctx.approve("sign", { title: "Sign", to: "kim", form: Order });
  expectTypeOf(forEver.state).toEqualTypeOf<"approved" | "refused">();
  if (forEver.state === "approved") expectTypeOf(forEver.form.total).toEqualTypeOf<number>();
  const inTime = await ctx.approve("in-time", { title: "Sign", to: ["kim"], timeout: "1d" });
  expectTypeOf(inTime.state).toEqualTypeOf<"approved" | "refused" | "timed_out">();
  if (inTime.state === "approved") expectTypeOf(inTime.form).toEqualTypeOf<undefined>();
  const rows = await ctx.tx("t", (tx) => tx.query<{ id: string }>("SELECT id FROM orders"));
  expectTypeOf(rows).toEqualTypeOf<readonly { id: string }[]>();
  const counted = await ctx
    .tx("u", (tx) => tx.execute("DELETE FROM orders"))
    .onError({ TX_TIMEOUT: () => "late" as const });
  if (counted !== "late") expectTypeOf(counted.changes).toEqualTypeOf<number>();
  expectTypeOf(
    await engine.tx(async (tx) => (await tx.start(billing, { id: "1", total: 2 })).id),
  ).toEqualTypeOf<string>();
  const run = await engine.start(billing, { id: "1", total: "2" });
  expectTypeOf(await run.result()).toEqualTypeOf<string>();
  await engine.start(plain);
  expectTypeOf(await engine.run(plain)).toEqualTypeOf<number>();
  await run.signal(nudge);
}

/** Never called: its body is only compiled. */
async function more(ctx: Ctx): Promise<void> {
  const first = await ctx.race("r", {
    card: ctx.step("c", () => 1),
    late: ctx.sleep("l", "1m"),
    raw: ctx.now("n").then(String),
  });
  expectTypeOf(first.winner).toEqualTypeOf<"card" | "late" | "raw">();
  if (first.winner === "card") expectTypeOf(first.value).toEqualTypeOf<number>();
  if (first.winner === "late") expectTypeOf(first.value).toEqualTypeOf<void>();
  if (first.winner === "raw") expectTypeOf(first.value).toEqualTypeOf<string>();
  const each = ctx.each("e", [{ id: 1 }], { key: (item) => item.id }, async (item, { id }, index) => {
    await item.step("s", () => id);
    return index;
  });
  expectTypeOf(await each).toEqualTypeOf<number[]>();
  expectTypeOf(
    await ctx
      .step("a", () => 1)
      .was("b")
      .retry(2)
      .heartbeat("1s")
      .was("c"),
  ).toEqualTypeOf<number>();
  expectTypeOf(await ctx.run("child", billing, { id: "1", total: 2 }).was("kid")).toEqualTypeOf<string>();
  expectTypeOf(await ctx.sleepUntil("m", new Date()).was("n")).toEqualTypeOf<void>();
  expectTypeOf((await ctx.waitFor(approval, { name: "x" }).was("y")).value.by).toEqualTypeOf<string>();
  expectTypeOf(ctx.with({ attempts: 2, timeout: "1m" }).with({})).toEqualTypeOf<Ctx>();
  ctx.set({ customerId: "c1", amount: 3, vip: true, old: null });
  workflow("t/input", { version: "1.0.0", input: Order, timeout: "1d" }, async (c, order) => {
    expectTypeOf(c.input).toEqualTypeOf<typeof order>();
    expectTypeOf(c.with({ attempts: 1 }).input.total).toEqualTypeOf<number>();
    await c.each("e", [1], {}, (item) => expectTypeOf(item.input.id).toEqualTypeOf<string>());
  });
  workflow("t/typed", { version: "1.0.0" }, async (c, input: { a: 1 }) => {
    expectTypeOf(c.input).toEqualTypeOf<{ a: 1 }>();
    return input.a;
  });
}

/** Never called: every marked line must not compile. */
function moreRefusals(ctx: Ctx, engine: Engine): void {
  // @ts-expect-error an approval is for somebody
  void ctx.approve("a", { title: "Sign" });
  // @ts-expect-error a typo in an option
  void ctx.approve("a", { title: "Sign", to: "kim", timout: "1d" });
  // @ts-expect-error a race needs promises
  void ctx.race("r", { a: 1 });
  // @ts-expect-error contenders have names
  void ctx.race("r", [ctx.now("a")]);
  // @ts-expect-error a sleep has nothing to retry
  void ctx.sleep("s", "1m").retry(2);
  // @ts-expect-error a race has no compensation
  void ctx.race("r", { a: ctx.now("a") }).compensate(() => 1);
  const settled = ctx.step("a", () => 1).settle();
  // @ts-expect-error the name comes before the shape of the outcome
  void settled.was("b");
  // @ts-expect-error a child has no heartbeat of its own
  void ctx.run("c", billing, { id: "1", total: 2 }).heartbeat("1s");
  // @ts-expect-error an item that is neither a text nor a number needs a key; this one gives no text
  void ctx.each("e", [{ id: 1 }], { key: (item) => item }, () => 1);
  // @ts-expect-error a misspelt option
  void ctx.each("e", ["a"], { concurency: 2 }, () => 1);
  // @ts-expect-error a moment is no text
  void ctx.sleepUntil("m", "tomorrow");
  // @ts-expect-error attributes are not nested
  ctx.set({ a: { b: 1 } });
  // @ts-expect-error with has no such default
  void ctx.with({ retries: 2 });
  // @ts-expect-error a transaction has no heartbeat: it takes a second at most
  void ctx.tx("t", () => 1).heartbeat("1s");
  // @ts-expect-error a transaction starts runs by their workflow, with an input that fits
  void ctx.tx("t", (tx) => tx.start(billing, { id: "1" }));
  // @ts-expect-error outside of a run there is no attempt
  void engine.tx((tx) => tx.attempt);
  // @ts-expect-error the input cannot be put in place of another
  ctx.input = 1;
  // @ts-expect-error a timeout is a length of time
  void engine.start(plain, undefined, { timeout: new Date() });
}

/** Never called: every marked line must not compile. */
async function refusals(ctx: Ctx, engine: Engine): Promise<void> {
  // @ts-expect-error the input lacks a total
  await engine.start(billing, { id: "1" });
  // @ts-expect-error this workflow needs an input
  await engine.start(billing);
  // @ts-expect-error the payload is of another type
  await (await engine.start(plain)).signal(approval, { by: 7 });
  // @ts-expect-error without a timeout there is no timed-out outcome to ask for
  (await ctx.waitFor(approval)).reason;
  // @ts-expect-error a timed wait must be asked whether it was answered
  (await ctx.waitFor(approval, { timeout: "1d" })).value;
  const shaped = ctx.step("a", () => 1).fallback(() => 2);
  // @ts-expect-error configuration comes before shaping
  void shaped.retry(3);
  // @ts-expect-error a child run has its own retries
  ctx.run("child", billing, { id: "1", total: 2 }).retry(3);
  // @ts-expect-error a misspelt option
  void ctx.map("m", ["a"], { concurency: 2 }, (item) => item);
  // @ts-expect-error the handler needs an order
  await ctx.step(charge, { id: 1 });
  // @ts-expect-error a compensation gets the step's value
  void ctx.step("a", () => 1).compensate((value: string) => value);
  // @ts-expect-error a workflow needs a version
  workflow("t/none", {}, async () => 1);
}

it("inference and refusals are judged by the compiler", () => {
  expectTypeOf(inference).toBeFunction();
  expectTypeOf(refusals).toBeFunction();
  expectTypeOf(more).toBeFunction();
  expectTypeOf(moreRefusals).toBeFunction();
});
