/** Races: what wins, what becomes of losers, and what a replay makes of both. */
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { type Ctx, signal, type StepContext, type Workflow, workflow } from "../../src/index.ts";
import type { Store } from "../../src/store/store.ts";
import { openWorld } from "./harness.ts";

const ping = signal<string>("ping");
const HOUR = 3_600_000;

/** Step code that ends only when it is asked to stop, and says so in `log`. */
function stuck(log: string[], name: string): (s: StepContext) => Promise<string> {
  return (s) =>
    new Promise((_, reject) => {
      log.push(`${name} began`);
      s.signal.addEventListener("abort", () => {
        log.push(`${name} was stopped`);
        reject(s.signal.reason as Error);
      });
    });
}

function define<O>(body: (ctx: Ctx<void>) => Promise<O>): Workflow<void, O> {
  return workflow("t/race", { version: "1.0.0" }, body);
}

it("gives the winner's name and value, stops the loser, and records both before the race", async () => {
  const world = await openWorld();
  const log: string[] = [];
  const w = define(async (ctx) => {
    const first = await ctx.race("paid", {
      card: ctx.step("card", () => 7),
      late: ctx.step("slow", stuck(log, "slow")),
    });
    return first.winner === "card" ? first.value.toFixed(1) : first.value;
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  expect(await run.result()).toBe("7.0");
  expect(log).toEqual(["slow began", "slow was stopped"]);
  const steps = (await run.history()).filter((event) => event.kind === "step");
  expect(steps.map(({ key, step, outcome }) => [key, step, outcome])).toEqual([
    ["card", "step", "completed"],
    ["slow", "step", "cancelled"],
    ["paid", "race", "completed"],
  ]);
});

it("a failure that comes first wins as well", async () => {
  const world = await openWorld();
  const w = define((ctx) =>
    ctx.race("r", {
      bad: ctx.step("bad", () => Promise.reject(Object.assign(new Error("no"), { code: "NO" }))).retry(1),
      never: ctx.waitFor(ping),
    }),
  );
  const { engine } = await world.open({ workflows: [w] });
  const outcome = await (await engine.start(w)).outcome();
  expect(outcome).toMatchObject({ state: "failed", error: { message: "no", code: "NO" } });
});

it("a race of two waits parks, and the wait that loses is dropped", async () => {
  const world = await openWorld();
  const w = define(async (ctx) => {
    const first = await ctx.race("r", { answer: ctx.waitFor(ping), late: ctx.sleep("patience", "1h") });
    const rest = await ctx.waitFor(ping, { timeout: "3h" });
    return [first.winner, rest.ok ? rest.value : rest.reason, world.nowMs()];
  });
  const { engine } = await world.open({ workflows: [w] });
  const startedMs = world.nowMs();
  const run = await engine.start(w);
  await world.settle();
  const { state, waitingFor } = await run.status();
  expect([state, waitingFor.map((wait) => wait.kind)]).toEqual(["waiting", ["signal", "timer"]]);
  await world.advance(HOUR);
  await run.signal(ping, "kept for the next wait");
  expect(await run.result()).toEqual(["late", "kept for the next wait", startedMs + HOUR]);
});

it("a retry, a child and a map that lose are given up; a detached promise goes on", async () => {
  const world = await openWorld();
  const log: string[] = [];
  const child = workflow("t/child", { version: "1.0.0" }, (ctx) => ctx.sleep("for ever", "900d"));
  const w = define(async (ctx) => {
    let ended = false;
    const losers = {
      retried: ctx.step("retried", () => Promise.reject(new Error("again"))).retry({ attempts: 9, base: "2h" }),
      child: ctx.run("child", child, undefined),
      map: ctx.map("item", [1, 2, 3], { concurrency: 1 }, (item, s) => stuck(log, `item ${item}`)(s)),
      several: ctx.sleep("part", "2s").then(() => ctx.step("went on", () => (ended = true))),
    };
    const first = await ctx.race("r", { ...losers, late: ctx.sleep("late", "1s") });
    await ctx.sleep("after", "3s");
    const errors = await Promise.all(
      [losers.retried, losers.child, losers.map].map((loser: Promise<unknown>) =>
        loser.then(String, (error: { readonly code: string }) => error.code),
      ),
    );
    return [first.winner, ended, errors];
  });
  const { engine } = await world.open({ workflows: [w, child] });
  const run = await engine.start(w);
  await world.advance(1_000);
  expect(log).toEqual(["item 1 began", "item 1 was stopped"]);
  await world.advance(3_000);
  expect(await run.result()).toEqual(["late", true, ["RACE_LOST", "RACE_LOST", "RACE_LOST"]]);
  const cancelled = (await run.history()).flatMap((e) =>
    e.kind === "step" && e.outcome === "cancelled" ? [e.key] : [],
  );
  expect(cancelled, "items whose turn had not come, too").toEqual(["retried", "child", "item/1", "item/2", "item/3"]);
  const [childRun] = (await engine.list({ workflow: "t/child" })).runs;
  expect(childRun?.state).toBe("cancelled");
});

it("a contender that ends in the same flush keeps its outcome", async () => {
  const world = await openWorld();
  const w = define(async (ctx) => {
    const calls = { a: ctx.step("a", () => "A"), b: ctx.step("b", () => "B") };
    const first = await ctx.race("r", calls);
    return [first.winner, await calls.b];
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  expect(await run.result()).toEqual(["a", "B"]);
  expect((await run.history()).map((event) => event.seq)).toEqual([1, 2, 3, 4, 5]);
});

it("loses to another race: the inner one's contenders are given up too", async () => {
  const world = await openWorld();
  const log: string[] = [];
  const w = define(async (ctx) => {
    const inner = ctx.race("inner", { one: ctx.step("one", stuck(log, "one")), two: ctx.sleep("two", "9d") });
    const first = await ctx.race("outer", { inner, quick: ctx.step("quick", () => 1) });
    return first.winner;
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  expect(await run.result()).toBe("quick");
  expect(log).toEqual(["one began", "one was stopped"]);
  const cancelled = (await run.history()).flatMap((e) =>
    e.kind === "step" && e.outcome === "cancelled" ? [e.key] : [],
  );
  expect(cancelled).toEqual(["one", "two", "inner"]);
});

it("a plain promise that wins while the run is parked takes it back first", async () => {
  const world = await openWorld();
  let answer = (_: string): void => {};
  const w = define(async (ctx) => {
    const outside = new Promise<string>((resolve) => (answer = resolve));
    const first = await ctx.race("r", { outside, late: ctx.sleep("late", "1h") });
    return [first.winner, first.value, await ctx.step("after", () => "after")];
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  await world.settle();
  expect((await run.status()).state).toBe("waiting");
  answer("from outside");
  expect(await run.result()).toEqual(["outside", "from outside", "after"]);
});

it("a wait that loses before its beginning is stored never fires", async () => {
  const world = await openWorld();
  const w = define(async (ctx) => {
    const first = await ctx.race("r", { raw: Promise.resolve(7), late: ctx.sleep("late", "1h") });
    await ctx.sleep("after", "2h");
    return first.winner;
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  await world.settle();
  expect((await run.status()).waitingFor.map((wait) => wait.key)).toEqual(["after"]);
  await world.advance(2 * HOUR);
  expect(await run.result()).toBe("raw");
  const history = await run.history();
  expect(history.map((event) => event.seq)).toEqual(history.map((_, index) => index + 1));
});

it("a loser that fails on a replay, where nobody follows it, ends no process", async () => {
  const world = await openWorld();
  const unhandled: unknown[] = [];
  const listen = (error: unknown): void => void unhandled.push(error);
  const w = define(async (ctx) => {
    const failing = ctx.sleep("part", "1s").then(() => Promise.reject(new Error("too late")));
    const first = await ctx.race("r", { quick: ctx.step("quick", () => 1), failing: failing.finally(() => {}) });
    await ctx.sleep("nap", "1h");
    return first.winner;
  });
  const first = await world.open({ workflows: [w] });
  await first.engine.start(w, undefined, { id: "x" });
  await world.settle();
  first.crash();
  process.on("unhandledRejection", listen);
  const second = await world.open({ workflows: [w] });
  await world.advance(HOUR);
  const result = await (await second.engine.get(w, "x")).outcome();
  process.off("unhandledRejection", listen);
  expect(unhandled).toEqual([]);
  expect(result.state).toBe("completed");
});

it("P12: refuses a race without contenders, and a winner that cannot be stored fails it", async () => {
  const world = await openWorld();
  const w = define(async (ctx) => {
    const empty = await Promise.resolve()
      .then(() => ctx.race("none", {}))
      .then(String, (error: { readonly code: string }) => error.code);
    const raw = ctx.race("raw", { f: Promise.resolve(() => 1) }).then(String, (error: { code: string }) => error.code);
    return [empty, await raw];
  });
  const { engine } = await world.open({ workflows: [w] });
  expect(await engine.run(w)).toEqual(["OPTION_INVALID", "NOT_SERIALISABLE"]);
});

/** Counts the flushes of a process, and kills it before or after one of them. */
function killer(
  at: number,
  when: "before" | "after",
): { wrap: (store: Store) => Store; crash: () => void; hit: boolean } {
  let count = 0;
  const kill = {
    crash: (): void => {},
    hit: false,
    wrap: (store: Store): Store => ({
      ...store,
      flush: async (writes, nowMs) => {
        count += 1;
        if (count !== at) return store.flush(writes, nowMs);
        kill.hit = true;
        if (when === "after") await store.flush(writes, nowMs);
        kill.crash();
        return new Promise(() => {});
      },
    }),
  };
  return kill;
}

/** Run `w` with a crash at its n-th flush, until no flush is left to crash at. */
async function crashEverywhere(
  make: (world: Awaited<ReturnType<typeof openWorld>>, log: string[]) => Workflow<void, unknown>,
  judge: (seen: {
    readonly result: unknown;
    readonly log: readonly string[];
    readonly steps: readonly string[];
  }) => void,
): Promise<number> {
  let crashes = 0;
  for (let at = 2; ; at += 1) {
    let hits = 0;
    for (const when of ["before", "after"] as const) {
      const world = await openWorld();
      const log: string[] = [];
      const w = make(world, log);
      const kill = killer(at, when);
      const first = await world.open({ workflows: [w] }, kill.wrap);
      kill.crash = first.crash;
      await first.engine.start(w, undefined, { id: "x" });
      await world.advance(5_000);
      const second = await world.open({ workflows: [w] });
      await world.advance(5_000);
      const run = await second.engine.get(w, "x");
      await world.until(async () => (await run.status()).state === "completed", `the end after flush ${at} ${when}`);
      const history = await run.history();
      const steps = history.flatMap((e) => (e.kind === "step" ? [`${e.key} ${e.outcome}`] : []));
      expect(history.map((event) => event.seq)).toEqual(history.map((_, index) => index + 1));
      judge({ result: await run.result(), log, steps });
      if (kill.hit) hits += 1;
    }
    if (hits === 0) return crashes;
    crashes += hits;
  }
}

it("P2: after a crash at any point the same contender wins and no loser that was recorded runs again", async () => {
  const crashes = await crashEverywhere(
    (_world, log) =>
      define(async (ctx) => {
        const quick = ctx.step("quick", () => void log.push("quick"));
        const first = await ctx.race("r", {
          quick,
          slow: ctx.step("slow", stuck(log, "slow")),
          wait: ctx.waitFor(ping, { timeout: "10d" }),
          retried: ctx.step("retried", () => Promise.reject(new Error("again"))).retry({ attempts: 3, base: "5d" }),
        });
        await ctx.step("between", () => void log.push(`between ${first.winner}`));
        await ctx.sleep("nap", "2s");
        return first.winner;
      }),
    ({ result, log, steps }) => {
      expect(result).toBe("quick");
      // Once the race is recorded its losers are; only what began before may have begun twice.
      const decided = log.indexOf("between quick");
      expect(log.slice(decided)).not.toContain("slow began");
      expect([...steps].sort()).toEqual(
        ["@wait/ping/1 cancelled", "between completed", "nap completed", "quick completed", "r completed"]
          .concat(["retried cancelled", "slow cancelled"])
          .sort(),
      );
      expect(steps.indexOf("r completed")).toBeGreaterThan(steps.indexOf("slow cancelled"));
    },
  );
  expect(crashes).toBeGreaterThan(5);
});

it("works inside each, with a timeout against a signal per item, over a crash at any point", async () => {
  const crashes = await crashEverywhere(
    (_world, log) =>
      define((ctx) =>
        ctx.each("order", ["a", "b"], {}, async (item, name) => {
          const first = await item.race("paid", {
            paid: item.waitFor(ping),
            late: item.sleep("patience", name === "a" ? "1s" : "2s"),
          });
          await item.step("remind", () => void log.push(`${name} ${first.winner}`));
          return `${name} ${first.winner}`;
        }),
      ),
    ({ result, steps }) => {
      expect(result).toEqual(["a late", "b late"]);
      expect(steps).toContain("order/a/@wait/ping/1 cancelled");
      expect(steps).toContain("order/b/remind completed");
      expect(steps).toHaveLength(8);
    },
  );
  expect(crashes).toBeGreaterThan(5);
});

it("contenders may be promises of another realm; a list of them has no names and is refused", async () => {
  const world = await openWorld();
  const foreign = runInNewContext("Promise.resolve(7)") as Promise<number>;
  const w = define(async (ctx) => {
    const first = await ctx.race("r", { wait: ctx.waitFor(ping), raw: foreign });
    const refused = await Promise.resolve()
      .then(() => ctx.race("list", [ctx.step("a", () => 1)] as never))
      .then(String, (error: { readonly code: string }) => error.code);
    return [first, refused];
  });
  const { engine } = await world.open({ workflows: [w] });
  expect(await engine.run(w)).toEqual([{ winner: "raw", value: 7 }, "OPTION_INVALID"]);
});

it("P2: items that an earlier execution recorded keep their outcome when their map loses before it comes to them", async () => {
  const world = await openWorld();
  let decided = false;
  const w = define(async (ctx) => {
    const raw = new Promise<string>((resolve) => (decided ? resolve("at once") : undefined));
    const map = ctx.map("item", [1, 2, 3, 4], { concurrency: 1 }, (item) =>
      item < 3 ? `item ${item}` : new Promise<string>(() => {}),
    );
    return (await ctx.race("r", { map, raw })).winner;
  });
  const first = await world.open({ workflows: [w] });
  await first.engine.start(w, undefined, { id: "x" });
  await world.settle();
  first.crash();
  decided = true;
  const second = await world.open({ workflows: [w] });
  const run = await second.engine.get(w, "x");
  await world.advance(5_000);
  expect(await run.result()).toBe("raw");
  const history = await run.history();
  expect(history.map((event) => event.seq)).toEqual(history.map((_, index) => index + 1));
  const steps = history.flatMap((e) => (e.kind === "step" ? [`${e.key} ${e.outcome}`] : []));
  expect(steps).toEqual([
    "item/1 completed",
    "item/2 completed",
    "item/3 cancelled",
    "item/4 cancelled",
    "r completed",
  ]);
});
