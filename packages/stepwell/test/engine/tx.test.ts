/** Transactions: the user's rows and the checkpoint are stored together, or neither (P4). */
import { expect, it } from "vitest";
import { alone, define, gapless, INSERT, openShop, order, unlucky } from "./shop.ts";

/** Takes time, by no clock. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

it("P4: rows and checkpoint are stored together, and a replay writes nothing", async () => {
  const world = await openShop();
  const buy = define(async (ctx) => {
    const id = await ctx.tx("order", order("o1"));
    const rows = await ctx.tx("look", (tx) => tx.query<{ id: string }>("SELECT id FROM orders"));
    await ctx.sleep("rest", "1d");
    return [id, rows.map((row) => row.id)];
  });
  const first = await world.open({ workflows: [buy], lingerMax: 0 });
  const run = await first.engine.start(buy);
  await world.settle();
  first.crash();
  const { engine } = await world.open({ workflows: [buy] });
  await world.advance(86_400_000);
  const again = await engine.get(buy, run.id);
  expect(await again.result()).toEqual(["o1", ["o1"]]);
  const steps = (await again.history()).flatMap((event) => (event.kind === "step" ? [[event.step, event.key]] : []));
  expect(steps.slice(0, 2)).toEqual([
    ["tx", "order"],
    ["tx", "look"],
  ]);
});

it("P4: what throws is taken back, and tried again as a step is", async () => {
  const world = await openShop();
  const attempts: number[] = [];
  const buy = define((ctx) =>
    ctx
      .tx("order", async (tx) => {
        attempts.push(tx.attempt);
        await tx.execute(INSERT, [`o${tx.attempt}`]);
        if (tx.attempt < 3) throw new Error("changed my mind");
        return tx.idempotencyKey;
      })
      .retry({ attempts: 3, base: 100 }),
  );
  const { engine } = await world.open({ workflows: [buy] });
  const run = await engine.start(buy, undefined, { id: "x" });
  await world.advance(5_000);
  expect(await run.result()).toBe("shop/buy:x:order");
  expect(attempts).toEqual([1, 2, 3]);
  expect(await world.orders()).toEqual(["o3"]);
  expect(gapless(await run.history())).toEqual([
    "started",
    "attempt_failed order",
    "attempt_failed order",
    "step order",
    "ended",
  ]);
});

it("P4: a commit of unknown outcome that took place is not made again", async () => {
  const world = await openShop();
  let ran = 0;
  const buy = define((ctx) =>
    ctx.tx("order", async (tx) => {
      ran += 1;
      await tx.execute(INSERT, [`o${ran}`]);
      return ran;
    }),
  );
  const { engine } = await world.open({ workflows: [buy] }, unlucky("committed, and nobody knows"));
  const run = await engine.start(buy);
  await world.advance(1_000);
  expect(await run.result()).toBe(1);
  expect(await world.orders()).toEqual(["o1"]);
  expect(gapless(await run.history())).toEqual(["started", "step order", "ended"]);
});

it.each(["taken back, and nobody knows", "not committed"] as const)(
  "P4: a commit that was %s is made again, and is no failed attempt",
  async (mishap) => {
    const world = await openShop();
    const attempts: number[] = [];
    const buy = define((ctx) =>
      ctx.tx("order", async (tx) => {
        attempts.push(tx.attempt);
        return order("o1")(tx);
      }),
    );
    const { engine } = await world.open({ workflows: [buy] }, unlucky(mishap));
    const run = await engine.start(buy);
    await world.advance(1_000);
    expect(await run.result()).toBe("o1");
    expect(attempts).toEqual([1, 1]);
    expect(await world.orders()).toEqual(["o1"]);
    expect(gapless(await run.history())).toEqual(["started", "step order", "ended"]);
  },
);

it("P3, P4: a zombie's transaction is not committed", async () => {
  const world = await openShop();
  const ran: string[] = [];
  const buyAs = (who: string) =>
    define((ctx) =>
      ctx.tx("order", async (tx) => {
        ran.push(who);
        return order(`of ${who}`)(tx);
      }),
    );
  const first = await world.open({ workflows: [buyAs("zombie")] }, (store) => ({
    ...store,
    transact: async (terms, work) => {
      const { workerId } = terms.owner!;
      expect(await world.store.buryWorker(workerId, true, world.nowMs())).toBe(true);
      expect(await world.store.releaseRuns(workerId, "died", world.nowMs())).toMatchObject({ freed: 1 });
      return store.transact(terms, work);
    },
  }));
  const run = await first.engine.start(buyAs("zombie"));
  await world.settle();
  expect([ran, await world.orders()]).toEqual([[], []]);
  first.crash();
  const { engine } = await world.open({ workflows: [buyAs("heir")] });
  await world.advance(5_000);
  expect(await (await engine.get("shop/buy", run.id)).result()).toBe("of heir");
  expect(await world.orders()).toEqual(["of heir"]);
});

it("P4: what a crash leaves uncommitted is taken back, and done by the next process", async () => {
  const world = await openShop();
  let begun = 0;
  const buy = define((ctx) =>
    ctx.tx("order", async (tx) => {
      begun += 1;
      await tx.execute(INSERT, [`o${begun}`]);
      if (begun === 1) await new Promise(() => {});
      return begun;
    }),
  );
  const first = await world.open({ workflows: [buy] });
  const run = await first.engine.start(buy);
  await world.until(() => begun === 1);
  first.crash();
  const { engine } = await world.open({ workflows: [buy] });
  await world.advance(5_000);
  expect(await (await engine.get(buy, run.id)).result()).toBe(2);
  expect(await world.orders()).toEqual(["o2"]);
});

it("P11: a transaction that takes longer than a second is taken back, and others go on meanwhile", async () => {
  const world = await openShop();
  const late: unknown[] = [];
  const hang = define((ctx) =>
    ctx
      .tx("order", async (tx) => {
        await tx.execute(INSERT, ["o1"]);
        await new Promise((resolve) => tx.signal.addEventListener("abort", () => setImmediate(resolve)));
        await tx.execute(INSERT, ["late"]).catch((error: unknown) => late.push(error));
        return new Promise<string>(() => {});
      })
      .retry(1)
      .onError({ TX_TIMEOUT: (error) => error.code }),
  );
  const { engine } = await world.open({ workflows: [hang] });
  const run = await engine.start(hang);
  await world.advance(1_500);
  expect(await run.result()).toBe("TX_TIMEOUT");
  expect(await world.orders()).toEqual([]);
  expect(late).toMatchObject([{ code: "TX_OVER" }]);
});

it("a timeout of its own is shorter than a second, or refused", async () => {
  const world = await openShop();
  const buy = define(async (ctx) => [
    await ctx
      .tx("short", () => new Promise<string>(() => {}))
      .timeout(200)
      .retry(1)
      .onError({ TX_TIMEOUT: () => "in time" }),
    await ctx
      .tx("long", order("o1"))
      .timeout("2s")
      .catch((error: unknown) => (error as { readonly code: string }).code),
  ]);
  const { engine } = await world.open({ workflows: [buy] });
  const run = await engine.start(buy);
  await world.advance(400);
  expect(await run.result()).toEqual(["in time", "OPTION_INVALID"]);
});

it("E2, E3: steps beside a transaction are numbered after it, or before it, without gaps, and replay alike", async () => {
  const world = await openShop();
  const seen: string[][] = [];
  const buy = define(async (ctx) => {
    const order: string[] = [];
    const note = (name: string) => (): void => void order.push(name);
    await Promise.all([
      ctx.step("a", async () => "a").then(note("a")),
      ctx.tx("t1", (tx) => tx.execute(INSERT, ["t1"])).then(note("t1")),
      ctx.step("b", () => turns(5)).then(note("b")),
      ctx.tx("t2", (tx) => tx.execute(INSERT, ["t2"])).then(note("t2")),
      ctx
        .tx("t3", async (tx) => {
          await tx.execute(INSERT, [`t3 ${tx.attempt}`]);
          await turns(20);
          if (tx.attempt === 1) throw new Error("once more");
        })
        .retry({ attempts: 2, base: 1 })
        .then(note("t3")),
      ctx.step("c", () => turns(10)).then(note("c")),
    ]);
    seen.push(order);
    await ctx.sleep("rest", "1h");
    return order;
  });
  const first = await world.open({ workflows: [buy] });
  const run = await first.engine.start(buy);
  await world.settle();
  await world.advance(100);
  await world.settle();
  first.crash();
  const { engine } = await world.open({ workflows: [buy] });
  await world.advance(3_700_000);
  const again = await engine.get(buy, run.id);
  expect(await again.result()).toEqual(seen[0]);
  expect(seen[1]).toEqual(seen[0]);
  gapless(await again.history());
  expect(await world.orders()).toEqual(["t1", "t2", "t3 2"]);
});

it("a transaction is compensated like a step", async () => {
  const world = await openShop();
  const undone: string[] = [];
  const buy = define(async (ctx) => {
    await ctx.tx("order", order("o1")).compensate((id) => void undone.push(id));
    throw new Error("no money");
  });
  const { engine } = await world.open({ workflows: [buy] });
  const run = await engine.start(buy);
  expect(await run.outcome()).toMatchObject({ state: "failed" });
  expect(undone).toEqual(["o1"]);
});

it("a race that is lost takes the loser's transaction back, or keeps all of it", async () => {
  const world = await openShop();
  const buy = define((ctx) =>
    ctx.race("first", {
      slow: ctx.tx("slow", async (tx) => {
        await tx.execute(INSERT, ["o1"]);
        await new Promise((resolve) => tx.signal.addEventListener("abort", resolve));
        return "slow";
      }),
      quick: ctx.step("quick", async () => "quick"),
    }),
  );
  const { engine } = await world.open({ workflows: [buy] });
  const run = await engine.start(buy);
  await world.advance(3_000);
  const { winner } = await run.result();
  const history = await run.history();
  const slow = history.find((event) => event.kind === "step" && event.key === "slow");
  expect([winner, slow]).toMatchObject(["quick", { outcome: "cancelled" }]);
  expect(await world.orders()).toEqual([]);
  gapless(history);
});

it("a drain lets the transaction end that is under way, and gives the run back with its checkpoint", async () => {
  const world = await openShop();
  let begun = false;
  let finish = (): void => {};
  const buy = define(async (ctx) => {
    await ctx.tx("order", async (tx) => {
      begun = true;
      await new Promise<void>((resolve) => (finish = resolve));
      await tx.execute(INSERT, ["o1"]);
    });
    return ctx.tx("next", order("o2"));
  });
  const first = await world.open({ workflows: [buy] });
  const run = await first.engine.start(buy);
  await world.until(() => begun);
  const draining = first.engine.drain();
  finish();
  await draining;
  expect(await world.orders()).toEqual(["o1"]);
  const { engine } = await world.open({ workflows: [buy] });
  await world.advance(5_000);
  expect(await (await engine.get(buy, run.id)).result()).toBe("o2");
  expect(await world.orders()).toEqual(["o1", "o2"]);
});

it("cancelling a run takes the transaction back that is under way", async () => {
  const world = await openShop();
  let begun = false;
  const buy = define((ctx) =>
    ctx.tx("order", async (tx) => {
      await tx.execute(INSERT, ["o1"]);
      begun = true;
      await new Promise((_, reject) => tx.signal.addEventListener("abort", () => reject(new Error("stopped"))));
    }),
  );
  const { engine } = await world.open({ workflows: [buy] });
  const run = await engine.start(buy);
  await world.until(() => begun);
  const cancelling = run.cancel();
  await world.advance(3_000);
  await cancelling;
  expect(await run.outcome()).toMatchObject({ state: "cancelled" });
  expect(await world.orders()).toEqual([]);
  await alone(world.store, (door) => door.execute(INSERT, ["afterwards"]));
});
