/** Fake services: failures, delays, limits and outages by the virtual clock; keys; what they remember. */
import { describe, expect, it } from "vitest";
import { type Ctx, PermanentError, type StepContext, workflow } from "../../src/index.ts";
import { fakeService, openTestEngine } from "../../src/testing/index.ts";

type Keyed = { readonly idempotencyKey: string; readonly signal?: AbortSignal };

const aGateway = () =>
  fakeService("gateway", {
    charge: (cents: number, _call?: Keyed) => ({ id: `pay_${cents}` }),
    refund: async (_id: string) => {},
  });

/** Run one body in a test engine of its own; its output, and how long it took by the virtual clock. */
async function play<O>(body: (ctx: Ctx) => Promise<O>): Promise<{ readonly output: O; readonly tookMs: number }> {
  const t = await openTestEngine({ patience: "1h" });
  const startMs = t.now().getTime();
  const w = workflow("t/play", { version: "1.0.0" }, (ctx) => body(ctx));
  await t.restart({ workflows: [w] });
  const output = await t.run(w);
  const tookMs = t.now().getTime() - startMs;
  await t.close();
  return { output, tookMs };
}

const once = (name: string, work: (s: StepContext) => unknown) => (ctx: Ctx) => ctx.step(name, work).retry(1).settle();

it("does what its function does, and remembers the call, the key, the step and the moment", async () => {
  const gateway = aGateway();
  const { output } = await play(async (ctx) => {
    await ctx.sleep("nap", "1h");
    return ctx.step("charge", (s) => gateway.charge(500, { idempotencyKey: s.idempotencyKey }));
  });
  expect(output).toEqual({ id: "pay_500" });
  expect(gateway.calls).toEqual(gateway.charge.calls);
  expect(gateway.charge.calls).toMatchObject([
    {
      service: "gateway.charge",
      args: [500, {}],
      outcome: "answered",
      value: { id: "pay_500" },
      at: new Date("2026-01-01T01:00:00Z"),
    },
  ]);
  const [call] = gateway.calls;
  expect(call?.step).toMatch(/^t\/play \S+ charge$/);
  expect(call?.idempotencyKey).toMatch(/^t\/play:\S+:charge$/);
  expect(gateway.refund.calls).toEqual([]);
});

it("fails so many times, then succeeds; with the error, the text or the function given", async () => {
  const gateway = aGateway();
  gateway.charge.failTimes(1, new PermanentError("declined", { code: "CardDeclined" }));
  gateway.charge.failTimes(1, "come again").failTimes(1, (call) => new Error(`call ${call}`));
  gateway.refund.failTimes(Infinity);
  const { output } = await play(async (ctx) => {
    const outcomes = [];
    for (const name of ["a", "b", "c", "d"]) outcomes.push(await once(name, () => gateway.charge(1))(ctx));
    outcomes.push(await once("refund", () => gateway.refund("x"))(ctx));
    return outcomes;
  });
  expect(output).toMatchObject([
    { error: { name: "PermanentError", code: "CardDeclined" } },
    { error: { code: "SERVICE_FAILED", message: "come again" } },
    { error: { message: "call 3" } },
    { ok: true },
    { error: { message: "gateway.refund failed, as it was told to" } },
  ]);
  expect(gateway.charge.calls.map(({ outcome }) => outcome)).toEqual(["failed", "failed", "failed", "answered"]);
  expect(gateway.effects).toMatchObject([{ service: "gateway.charge", times: 1 }]);
});

describe("by the virtual clock", () => {
  it("delays every call, without waiting in real time", async () => {
    const gateway = aGateway().delay("2h");
    gateway.charge.delay("30m");
    const { tookMs } = await play((ctx) => ctx.step("charge", () => gateway.charge(1)));
    expect(tookMs).toBe(2.5 * 3_600_000);
  });

  it("a delay longer than the step's timeout ends by its signal, and nothing is done", async () => {
    const gateway = aGateway().delay("1h");
    const { output, tookMs } = await play((ctx) =>
      ctx
        .step("charge", (s) => gateway.charge(1, { idempotencyKey: s.idempotencyKey, signal: s.signal }))
        .timeout("30s")
        .retry(1)
        .settle(),
    );
    expect(output).toMatchObject({ ok: false, error: { code: "STEP_TIMEOUT" } });
    expect(tookMs).toBe(30_000);
    expect(gateway.calls[0]).toMatchObject({ outcome: "failed" });
    expect(gateway.effects).toEqual([]);
  });

  it("a service that hangs never answers", async () => {
    const gateway = aGateway().hang();
    const { output } = await play((ctx) =>
      ctx
        .step("charge", (s) => gateway.charge(1, s))
        .timeout("1m")
        .retry(2)
        .settle(),
    );
    expect(output).toMatchObject({ ok: false, error: { code: "STEP_TIMEOUT" } });
    expect(gateway.calls).toHaveLength(2);
  });

  it("a rate limit holds over any stretch, and says when to come back", async () => {
    const gateway = aGateway().rateLimit({ limit: 2, per: "10s" });
    const { tookMs } = await play((ctx) =>
      ctx.map("charge", [1, 2, 3, 4, 5], { attempts: 10 }, (cents) => gateway.charge(cents)),
    );
    const answered = gateway.calls.filter(({ outcome }) => outcome === "answered").map(({ at }) => at!.getTime());
    expect(answered).toHaveLength(5);
    for (const [index, ms] of answered.entries()) {
      if (index >= 2) expect(ms - answered[index - 2]!).toBeGreaterThanOrEqual(10_000);
    }
    expect(tookMs).toBeLessThan(60_000);
  });

  it("a rate limit counts back from each call, not from fixed moments", async () => {
    const gateway = aGateway().rateLimit({ limit: 2, per: "10s" });
    const { output } = await play(async (ctx) => {
      const outcomes: unknown[] = [];
      for (const [name, napS] of Object.entries({ a: 0, b: 6, c: 5, d: 1 })) {
        await ctx.sleep(`before ${name}`, napS * 1_000);
        outcomes.push(await once(name, () => gateway.charge(1))(ctx));
      }
      return outcomes;
    });
    const limited = { ok: false, error: { code: "RATE_LIMITED", retryAfterMs: 4_000 } };
    expect(output).toMatchObject([{ ok: true }, { ok: true }, { ok: true }, limited]);
  });

  it("stays down until it is up again", async () => {
    const gateway = aGateway().down();
    const w = workflow("t/down", { version: "1.0.0" }, (ctx) =>
      ctx.step("charge", () => gateway.charge(1)).retry({ attempts: 100, base: "1m", max: "1m" }),
    );
    const t = await openTestEngine({ workflows: [w] });
    const run = await t.start(w);
    await t.advance("10m");
    expect(gateway.calls).toHaveLength(11);
    expect(gateway.calls.every(({ outcome }) => outcome === "failed")).toBe(true);
    gateway.up();
    expect(await t.finish(run)).toMatchObject({ state: "completed" });
    await t.close();
  });

  it("refuses to go by a clock that is not there", async () => {
    await expect(aGateway().delay("1s").charge(1)).rejects.toMatchObject({ code: "OPTION_INVALID" });
    await expect(aGateway().charge(7)).resolves.toEqual({ id: "pay_7" });
  });
});

describe("keys", () => {
  it("one that honours them does a thing once, and answers as the first time", async () => {
    let count = 0;
    const charge = fakeService("charge", (_call: Keyed) => (count += 1)).honoursKeys();
    expect([await charge({ idempotencyKey: "a" }), await charge({ idempotencyKey: "b" })]).toEqual([1, 2]);
    expect(await charge({ idempotencyKey: "a" })).toBe(1);
    expect(charge.calls.map(({ outcome }) => outcome)).toEqual(["answered", "answered", "repeated"]);
    expect(charge.effects).toMatchObject([
      { idempotencyKey: "a", times: 1 },
      { idempotencyKey: "b", times: 1 },
    ]);
  });

  it("one that does not does it again, and counts", async () => {
    const charge = fakeService("charge", (_call: Keyed) => 1);
    await charge({ idempotencyKey: "a" });
    await charge({ idempotencyKey: "a" });
    expect(charge.effects).toMatchObject([{ idempotencyKey: "a", times: 2 }]);
  });

  it("a key that comes with other arguments is refused for good, wherever the key stands", async () => {
    const charge = fakeService("charge", (call: Keyed & { readonly cents: number }) => call.cents).honoursKeys();
    await charge({ idempotencyKey: "a", cents: 1 });
    await expect(charge({ idempotencyKey: "a", cents: 2 })).rejects.toMatchObject({
      name: "PermanentError",
      code: "IDEMPOTENCY_KEY_REUSED",
    });
  });

  it("the context of a step may be passed as it is: its attempts are one and the same call", async () => {
    const charge = fakeService("charge", (cents: number, _call: Keyed) => cents)
      .honoursKeys()
      .loseAnswers(1);
    await play((ctx) => ctx.step("charge", (s) => charge(5, s)));
    expect(charge.calls.map(({ outcome }) => outcome)).toEqual(["lost", "repeated"]);
  });

  it("a call that failed is not remembered; a lost answer is given the second time", async () => {
    const charge = fakeService("charge", (_call: Keyed) => "paid").honoursKeys();
    charge.failTimes(1).loseAnswers(1, "connection reset");
    await expect(charge({ idempotencyKey: "a" })).rejects.toThrow("failed");
    await expect(charge({ idempotencyKey: "a" })).rejects.toThrow("connection reset");
    expect(await charge({ idempotencyKey: "a" })).toBe("paid");
    expect(charge.calls.map(({ outcome }) => outcome)).toEqual(["failed", "lost", "repeated"]);
    expect(charge.effects).toMatchObject([{ times: 1 }]);
  });
});

it("what throws by itself has no effect, and is not remembered under its key", async () => {
  let count = 0;
  const charge = fakeService("charge", (_call: Keyed) => {
    count += 1;
    if (count === 1) throw new Error("first");
    return count;
  }).honoursKeys();
  await expect(charge({ idempotencyKey: "a" })).rejects.toThrow("first");
  expect(charge.effects).toEqual([]);
  expect(await charge({ idempotencyKey: "a" })).toBe(2);
});

it("a call that was under way when its process died is never carried out", async () => {
  const gateway = aGateway().delay("1h");
  const w = workflow("t/underway", { version: "1.0.0" }, (ctx) => ctx.step("charge", () => gateway.charge(1)));
  const t = await openTestEngine({ workflows: [w], patience: "1h" });
  const run = await t.start(w);
  await t.advance("30m");
  await t.crash();
  await t.finish(run);
  expect(gateway.calls.map(({ outcome }) => outcome)).toEqual(["pending", "answered"]);
  expect(gateway.effects).toMatchObject([{ times: 1 }]);
  await t.close();
});

it("a dead process's calls have no effect and are not remembered", async () => {
  const gateway = aGateway();
  let release = (): void => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const w = workflow("t/zombie", { version: "1.0.0" }, async (ctx) => {
    await ctx.step("charge", async () => {
      if (gateway.calls.length === 0) await held;
      return gateway.charge(1);
    });
  });
  const t = await openTestEngine({ workflows: [w], patience: "10ms" });
  const run = await t.start(w);
  await t.idle();
  const before = gateway.calls.length;
  await t.crash();
  release();
  await t.finish(run);
  expect(before).toBe(0);
  expect(gateway.calls).toHaveLength(1);
  await t.close();
});

it("reset makes it as new; names of controls and impossible numbers are refused", async () => {
  const gateway = aGateway().honoursKeys().down();
  await expect(gateway.charge(1)).rejects.toThrow("gateway.charge is down");
  gateway.reset();
  expect(gateway.calls).toEqual([]);
  expect(await gateway.charge(1)).toEqual({ id: "pay_1" });
  expect(() => fakeService("odd", { up: () => 1 })).toThrow('cannot have a function "up"');
  expect(() => gateway.failTimes(-1)).toThrow("failTimes of gateway.charge must be a whole number from 0 up");
  expect(() => gateway.delay("soon")).toThrow("DURATION_INVALID");
  expect(() => gateway.rateLimit({ limit: 0, per: "1s" })).toThrow("at least one call");
});
