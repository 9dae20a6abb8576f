/** The frame of a transaction: what its code may not do, and the runs that it may start. */
import { expect, it } from "vitest";
import { killAfterEveryStep } from "../../src/testing/index.ts";
import { type TxStep, workflow } from "../../src/index.ts";
import { ON_POSTGRES } from "./harness.ts";
import { alone, define, gapless, INSERT, openShop, order } from "./shop.ts";

const sub = workflow<number, number>("shop/sub", { version: "1.0.0" }, async (_ctx, input) => input + 1);

/** The code of the error that code in a transaction meets. */
async function codeOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
    return "none";
  } catch (error) {
    return (error as { readonly code?: unknown }).code;
  }
}

it("TX_NESTED, CTX_IN_STEP: calls of the engine and of ctx are refused inside, and possible again afterwards", async () => {
  const world = await openShop();
  const buy = define(async (ctx) => {
    const codes = await ctx.tx("order", async () => [
      await codeOf(() => engine.start(sub, 1)),
      await codeOf(() => engine.get(sub, "none")),
      await codeOf(() => engine.cancel(sub, "none")),
      await codeOf(() => engine.list()),
      await codeOf(() => engine.workers()),
      await codeOf(() => engine.tx(() => 1)),
      await codeOf(() => ctx.step("inner", () => 1)),
      await codeOf(() => ctx.tx("inner", () => 1)),
    ]);
    return [codes, await ctx.step("outside", async () => (await engine.start(sub, 1)).result())];
  });
  const { engine } = await world.open({ workflows: [buy, sub] });
  const run = await engine.start(buy);
  await world.advance(3_000);
  expect(await run.result()).toEqual([
    [...Array.from({ length: 6 }, () => "TX_NESTED"), "CTX_IN_STEP", "CTX_IN_STEP"],
    2,
  ]);
});

const FRAMES = ["BEGIN", "commit", "/* x */ ROLLBACK", "-- x\n END", "Pragma journal_mode = DELETE", "ATTACH 'x' AS y"];

it.each(FRAMES)("TX_STATEMENT: %j is refused", async (sql) => {
  const world = await openShop();
  const buy = define((ctx) =>
    ctx.tx("order", async (tx) => [await codeOf(() => tx.execute(sql)), await order("o1")(tx)]),
  );
  const { engine } = await world.open({ workflows: [buy] });
  const run = await engine.start(buy);
  expect(await run.result()).toEqual(["TX_STATEMENT", "o1"]);
  expect(await world.orders()).toEqual(["o1"]);
});

it("savepoints are fine", async () => {
  const world = await openShop();
  const buy = define((ctx) =>
    ctx.tx("order", async (tx) => {
      await order("o1")(tx);
      await tx.execute("SAVEPOINT perhaps");
      await order("o2")(tx);
      await order("o1")(tx).catch(() => tx.execute("ROLLBACK TO perhaps"));
      await tx.execute("RELEASE perhaps");
      return order("o3")(tx);
    }),
  );
  const { engine } = await world.open({ workflows: [buy] });
  expect(await (await engine.start(buy)).result()).toBe("o3");
  expect(await world.orders()).toEqual(["o1", "o3"]);
});

it("several statements in one text are refused", async () => {
  const world = await openShop();
  const codes: unknown[] = [];
  const buy = define((ctx) =>
    ctx
      .tx("order", async (tx) => {
        if (!ON_POSTGRES) codes.push(await codeOf(() => tx.query("SELECT 1; -- one is fine\n")));
        codes.push(await codeOf(() => tx.execute("DELETE FROM orders; DELETE FROM orders")));
      })
      .retry(1)
      .settle(),
  );
  const { engine } = await world.open({ workflows: [buy] });
  await (await engine.start(buy)).result();
  // The server's own word for it is a syntax error.
  expect(codes).toEqual(ON_POSTGRES ? ["42601"] : ["none", "TX_STATEMENT"]);
});

it("TX_BROKEN: what a statement has ended or aborted is not committed, and has no checkpoint", async () => {
  const world = await openShop();
  await alone(world.store, (door) => door.execute(INSERT, ["o1"]));
  const breaking = ON_POSTGRES ? INSERT : INSERT.replace("INSERT", "INSERT OR ROLLBACK");
  const buy = define((ctx) =>
    ctx
      .tx("order", async (tx) => {
        await order("o0")(tx);
        const codes = [typeof (await codeOf(() => tx.execute(breaking, ["o1"])))];
        codes.push(typeof (await codeOf(() => order("o2")(tx))));
        return codes.join();
      })
      .retry(1)
      .onError({ TX_BROKEN: () => "broken" }),
  );
  const { engine } = await world.open({ workflows: [buy] });
  const run = await engine.start(buy);
  expect(await run.result()).toBe("broken");
  expect(await world.orders()).toEqual(["o1"]);
});

it("a constraint that is looked at last fails the attempt", async () => {
  const world = await openShop();
  const reference = "order_id TEXT REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED";
  await alone(world.store, (door) => door.execute(`CREATE TABLE items (${reference})`, []));
  const item = INSERT.replace("orders (id)", "items (order_id)");
  const buy = define(async (ctx) => [
    await ctx
      .tx("item", (tx) => tx.execute(item, ["none"]))
      .retry(1)
      .settle()
      .then(({ ok }) => ok),
    await ctx.tx("both", async (tx) => {
      await tx.execute(item, ["o1"]);
      return order("o1")(tx);
    }),
  ]);
  const { engine } = await world.open({ workflows: [buy] });
  const run = await engine.start(buy);
  expect(await run.result()).toEqual([false, "o1"]);
  gapless(await run.history());
});

it("P4: tx.start starts a run if and only if the transaction commits", async () => {
  const world = await openShop();
  const buy = define((ctx) =>
    ctx
      .tx("order", async (tx: TxStep) => {
        await order("o1")(tx);
        const started = await tx.start(sub, tx.attempt, { id: `sub ${tx.attempt}` });
        if (tx.attempt === 1) throw new Error("not yet");
        return started;
      })
      .retry({ attempts: 2, base: 10 }),
  );
  const { engine } = await world.open({ workflows: [buy, sub] });
  const run = await engine.start(buy);
  await world.advance(2_000);
  expect(await run.result()).toEqual({ workflow: "shop/sub", id: "sub 2" });
  await expect(engine.get(sub, "sub 1")).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
  expect(await (await engine.get(sub, "sub 2")).result()).toBe(3);
});

it("engine.tx stores rows and starts runs together, and gives what its code gives", async () => {
  const world = await openShop();
  const { engine } = await world.open({ workflows: [sub] });
  const bought = engine.tx(async (tx) => {
    await tx.execute(INSERT, ["o1"]);
    return (await tx.start(sub, 4, { id: "s" })).id;
  });
  expect(await bought).toBe("s");
  // At once, and not at the next poll.
  await world.settle();
  expect(await (await engine.get(sub, "s")).result()).toBe(5);
  const again = engine.tx(async (tx) => {
    await tx.execute(INSERT, ["o2"]);
    return [await tx.start(sub, 4, { id: "s" }), await tx.start(sub, 5, { id: "s" })];
  });
  await expect(again).rejects.toMatchObject({ code: "RUN_ID_CONFLICT" });
  const thrown = engine.tx(async (tx) => {
    await tx.start(sub, 4, { id: "t" });
    throw new Error("no");
  });
  await expect(thrown).rejects.toThrow("no");
  await expect(engine.get(sub, "t")).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
  expect(await world.orders()).toEqual(["o1"]);
});

it("engine.tx ends after a second whatever its code does", async () => {
  const world = await openShop();
  const { engine } = await world.open({ workflows: [sub] });
  const hanging = engine.tx(async (tx) => {
    await tx.execute(INSERT, ["o1"]);
    return new Promise<never>(() => {});
  });
  const caught = codeOf(() => hanging);
  await world.advance(1_200);
  expect(await caught).toBe("TX_TIMEOUT");
  expect(await world.orders()).toEqual([]);
});

it("tx.start takes workflows that are registered", async () => {
  const world = await openShop();
  const { engine } = await world.open({ workflows: [define(async () => 1)] });
  expect(await codeOf(() => engine.tx((tx) => tx.start(sub, 1)))).toBe("WORKFLOW_NOT_REGISTERED");
});

it("P4: a process may be killed at every point around a transaction", async () => {
  const count = async (tx: TxStep): Promise<number> => (await tx.query("SELECT id FROM killed")).length;
  const fill = workflow("shop/fill", { version: "1.0.0" }, async (ctx) => {
    await ctx.tx("create", (tx) => tx.execute("CREATE TABLE killed (id TEXT)"));
    for (const id of ["a", "b", "c"]) await ctx.tx(id, (tx) => tx.execute("INSERT INTO killed (id) VALUES ('x')"));
    return ctx.tx("count", count);
  });
  const report = await killAfterEveryStep(() => ({ workflow: fill }));
  expect(report.points.filter((point) => point.includes("tx"))).toHaveLength(10);
  expect(report.killed).toEqual(report.points);
});
