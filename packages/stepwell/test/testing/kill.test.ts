/** killAfterEveryStep: that it kills everywhere, finds what a crash changes, and names the moment. */
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { PermanentError, signal, workflow } from "../../src/index.ts";
import { fakeService, killAfterEveryStep, type Trial } from "../../src/testing/index.ts";

type Keyed = { readonly idempotencyKey: string };
const approval = signal("approval", z.object({ by: z.string() }));

const failing = (report: Promise<unknown>): Promise<string> =>
  report.then(
    () => "it passed",
    (error: Error) => `${error.name}\n${error.message}`,
  );

/** A checkout with everything in it: retries, sleeps, signals, children, compensation. */
function setup({ honest = true, fail = false } = {}) {
  const gateway = fakeService("gateway", {
    charge: (cents: number, _call: Keyed) => ({ id: `pay_${cents}` }),
    refund: async (_id: string, _call: Keyed) => {},
  });
  if (honest) gateway.honoursKeys();
  gateway.charge.failTimes(1);
  const invoice = workflow("k/invoice", { version: "1.0.0" }, (ctx) => ctx.step("number", () => "N1"));
  const checkout = workflow("k/checkout", { version: "1.0.0" }, async (ctx, cents: number) => {
    const paid = await ctx
      .step("charge", (s) => gateway.charge(cents, s))
      .compensate((payment, s) => gateway.refund(payment.id, s));
    await ctx.sleep("cool-off", "10m");
    const answer = await ctx.waitFor(approval, { timeout: "2d" });
    const parcels = await ctx.map("ship", ["a", "b"], {}, (sku) => `parcel ${sku}`);
    const number = await ctx.run("invoice", invoice, undefined);
    if (fail) await ctx.step("stock", () => Promise.reject(new PermanentError("sold out")));
    return { paid: paid.id, by: answer.ok && answer.value.by, parcels, number, at: await ctx.now("end") };
  });
  return {
    workflow: checkout,
    input: 500,
    workflows: [invoice],
    services: [gateway],
    onWait: (_wait: unknown, run: { signal: (s: typeof approval, p: { by: string }) => Promise<void> }) =>
      run.signal(approval, { by: "kim" }),
  };
}

describe("a workflow that survives", () => {
  it.each([
    ["and completes", {}],
    ["and compensates", { fail: true }],
  ])("passes, killed before and after everything that is stored and after each effect, %s", async (_name, options) => {
    const report = await killAfterEveryStep(() => setup(options));
    expect(report.killed).toEqual(report.points);
    expect(report.unstable.filter((fact) => !/now "end"|output\.at$/.test(fact))).toEqual([]);
    expect(report.points).toEqual(
      expect.arrayContaining([
        'right before the start of run "run" was stored',
        "right after gateway.charge had taken effect",
        'right before the checkpoint of step "charge" was stored',
        'right after the checkpoint of step "charge" was stored',
        'right after the failure of attempt 1 of "charge" was stored',
        'right after the signal "approval" was stored',
        'right before the checkpoint of step "ship/a" and the checkpoint of step "ship/b" was stored',
      ]),
    );
    expect(report.points.length).toBeGreaterThan(30);
  });

  it("passes also when every body is evicted at every park", async () => {
    const report = await killAfterEveryStep(() => setup(), { engine: { evictAtEveryPark: true } });
    expect(report.killed.length).toBe(report.points.length);
  });

  it("passes through a circuit breaker that opens, and that a probe closes", async () => {
    const guarded = () => {
      const gateway = fakeService("gateway", { charge: (cents: number, _call: Keyed) => `pay_${cents}` }).honoursKeys();
      gateway.charge.failTimes(1);
      const pay = workflow("k/guarded", { version: "1.0.0" }, async (ctx, cents: number) => {
        const paid = await ctx
          .step("charge", (s) => gateway.charge(cents, s))
          .circuitBreaker({ name: "gateway", failures: 1, reset: "10m" });
        return [
          paid,
          await ctx.step("tell", () => "told").circuitBreaker({ name: "gateway", failures: 1, reset: "10m" }),
        ];
      });
      return { workflow: pay, input: 500, services: [gateway] };
    };
    const report = await killAfterEveryStep(guarded);
    expect(report.killed).toEqual(report.points);
  });
});

describe("a workflow that does not survive", () => {
  it("is told with the moment and the effect that happened twice, and what to do about it", async () => {
    const message = await failing(killAfterEveryStep(() => setup({ honest: false })));
    expect(message).toContain("AssertionError");
    expect(message).toContain("killed right after gateway.charge had taken effect:");
    expect(message).toContain(
      [
        '  effect of gateway.charge under the key "k/checkout:run:charge"',
        "    undisturbed: has happened once",
        "    killed:      has happened 2 times",
      ].join("\n"),
    );
    expect(message).toContain("timeline of k/checkout run: completed");
    expect(message).toContain("takeover: WorkerDied");
    expect(message).toContain(".honoursKeys()");
    expect(message).toMatch(/a crash makes a difference at 2 of \d+ moments/);
  });

  it("is told when the outcome depends on what a body kept outside of its steps", async () => {
    const message = await failing(
      killAfterEveryStep(() => {
        const seen: string[] = [];
        const w = workflow("k/memory", { version: "1.0.0" }, async (ctx) => {
          await ctx.step("a", () => void seen.push("a"));
          await ctx.step("b", () => void seen.push("b"));
          return seen.length;
        });
        return { workflow: w };
      }),
    );
    expect(message).toContain(
      "  the end of k/memory run: output\n    undisturbed: 2\n    killed:      3\n  timeline of k/memory run: completed",
    );
    expect(message).toContain('killed right before the checkpoint of step "a" was stored');
  });

  it("is told when it does not end after a crash, with what it waits for", async () => {
    const message = await failing(
      killAfterEveryStep(() => {
        let started = 0;
        const w = workflow("k/stuck", { version: "1.0.0" }, async (ctx) => {
          started += 1;
          if (started > 1) await ctx.waitFor(approval);
          await ctx.step("a", () => 1);
        });
        return { workflow: w };
      }),
    );
    expect(message).toContain('killed right before the checkpoint of step "a" was stored:');
    expect(message).toContain('k/stuck run does not end: it waits for signal "approval"');
  });

  it("is told when it fails undisturbed, without a word about crashes", async () => {
    const w = workflow("k/floating", { version: "1.0.0" }, async (ctx) => void ctx.step("a", () => 1));
    const message = await failing(killAfterEveryStep(() => ({ workflow: w })));
    expect(message).toContain("STEP_FLOATING");
    expect(message).not.toContain("killed");
  });
});

it("does not compare what is not the same twice, and says so; repeatable effects may repeat", async () => {
  let dice = 0;
  const report = await killAfterEveryStep(() => {
    const rates = fakeService("rates", () => 1.1).repeatable();
    const w = workflow("k/dice", { version: "1.0.0" }, async (ctx) => {
      await ctx.step("rates", () => rates());
      return ctx.step("roll", () => (dice += 1));
    });
    return { workflow: w, services: [rates] };
  });
  expect(report.unstable).toEqual(["the end of k/dice run: output", 'step "roll" of k/dice run: value']);
});

it("of a value of which one part is a matter of chance, the others are compared", async () => {
  let dice = 0;
  const trial = (): Trial<void> => {
    const seen: string[] = [];
    const w = workflow("k/parts", { version: "1.0.0" }, async (ctx) => {
      await ctx.step("a", () => void seen.push("a"));
      return { at: await ctx.now("end"), roll: (dice += 1), seen };
    });
    return { workflow: w };
  };
  const message = await failing(killAfterEveryStep(trial));
  expect(message).toContain(
    "  the end of k/parts run: output.seen[1]\n    undisturbed: is not there\n    killed:      a",
  );
  expect(message).not.toContain("output.roll\n");
  expect(message).not.toContain("output.at\n");
});

it("of a value that is not the same length twice, nothing is compared; of everything else, all", async () => {
  let trials = 0;
  const trial = (): Trial<void> => {
    trials += 1;
    const seen: string[] = [];
    const length = trials % 3;
    const child = workflow("k/child", { version: "1.0.0" }, async (ctx) => {
      await ctx.step("a", () => void seen.push("a"));
      return seen.length;
    });
    const w = workflow("k/lists", { version: "1.0.0" }, async (ctx) => {
      const list = await ctx.step("list", () => Array.from({ length }, (_item, index) => index));
      await ctx.run("child", child, undefined).settle();
      return { list };
    });
    return { workflow: w, workflows: [child] };
  };
  const message = await failing(killAfterEveryStep(trial));
  expect(message).toContain("the end of k/child k/lists:run:child: output\n    undisturbed: 1\n    killed:      2");
  expect(message).not.toMatch(/ {2}(the end of k\/lists|step "list")/);
});

it("steps that come and go are not compared; moments that never come are not counted as tried", async () => {
  let trials = 0;
  const report = await killAfterEveryStep(() => {
    trials += 1;
    const names = trials === 1 ? ["x", "y", "z"] : [`only ${trials}`];
    const w = workflow("k/comes", { version: "1.0.0" }, async (ctx) => {
      for (const name of names) await ctx.step(name, () => 1);
    });
    return { workflow: w };
  });
  expect(report.unstable).toEqual(["steps of k/comes run"]);
  expect(report.killed.length).toBeLessThan(report.points.length);
});

it("of very many moments tries as many as it is told to, first and last among them", async () => {
  const w = workflow("k/many", { version: "1.0.0" }, async (ctx) => {
    for (let index = 0; index < 20; index += 1) await ctx.step(["n", index], () => index);
  });
  const report = await killAfterEveryStep(() => ({ workflow: w }), { pointsMax: 5 });
  expect(report.points.length).toBeGreaterThan(40);
  expect(report.killed).toHaveLength(5);
  expect([report.killed[0], report.killed[4]]).toEqual([report.points[0], report.points.at(-1)]);
  await expect(killAfterEveryStep(() => ({ workflow: w }), { pointsMax: 1 })).rejects.toThrow("pointsMax");
});
