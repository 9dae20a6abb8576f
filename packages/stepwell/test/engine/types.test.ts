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
  const run = await engine.start(billing, { id: "1", total: "2" });
  expectTypeOf(await run.result()).toEqualTypeOf<string>();
  await engine.start(plain);
  expectTypeOf(await engine.run(plain)).toEqualTypeOf<number>();
  await run.signal(nudge);
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
});
