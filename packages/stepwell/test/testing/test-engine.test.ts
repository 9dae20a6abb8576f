/** Test engine: virtual time, crashes, evictions, complaints, and that test engines share nothing. */
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { type Ctx, signal, workflow } from "../../src/index.ts";
import { openTestEngine } from "../../src/testing/index.ts";

const DAY = 86_400_000;
const approval = signal("approval", z.object({ by: z.string() }));
const START = Date.UTC(2026, 0, 1);

const define = <Input = void, Output = unknown>(name: string, body: (ctx: Ctx, input: Input) => Promise<Output>) =>
  workflow<Input, Output>(name, { version: "1.0.0" }, body);

describe("time", () => {
  it("a run that sleeps for thirty days ends at once, at the right moment", async () => {
    const w = define("t/month", async (ctx) => {
      await ctx.sleep("month", "30d");
      return ctx.now("end");
    });
    const t = await openTestEngine({ workflows: [w] });
    expect(await t.run(w)).toEqual(new Date(START + 30 * DAY));
    expect(t.now()).toEqual(new Date(START + 30 * DAY));
    await t.close();
  });

  it("fires timers in order, each at its own moment, however far the clock is moved", async () => {
    const w = define("t/order", async (ctx) => {
      const seen: [string, number][] = [];
      const nap = async (name: string, by: string) => {
        await ctx.sleep(name, by);
        seen.push([name, (await ctx.now(`${name} ends`)).getTime() - START]);
      };
      await Promise.all([nap("c", "3d"), nap("a", "700ms"), nap("b", "90s")]);
      return seen;
    });
    const t = await openTestEngine({ workflows: [w] });
    const run = await t.start(w);
    await t.advance("30d");
    expect(t.now().getTime()).toBe(START + 30 * DAY);
    expect(await run.result()).toEqual([
      ["a", 700],
      ["b", 90_000],
      ["c", 3 * DAY],
    ]);
    await t.close();
  });

  it("nothing happens before its moment", async () => {
    const w = define("t/early", async (ctx) => ctx.sleep("day", "1d"));
    const t = await openTestEngine({ workflows: [w], now: "2030-03-01T12:00:00Z" });
    const run = await t.start(w);
    await t.advance(DAY - 1);
    expect((await run.status()).state).toBe("waiting");
    await t.advanceTo("2030-03-02T12:00:00Z");
    expect((await run.status()).state).toBe("completed");
    await expect(t.advanceTo("2030-03-02T11:59:59Z")).rejects.toMatchObject({ code: "OPTION_INVALID" });
    await t.close();
  });

  it("retries come after their nominal delay, without jitter", async () => {
    const at: number[] = [];
    const w = define("t/retry", (ctx) =>
      ctx
        .step("flaky", (s) => {
          at.push(t.now().getTime() - START);
          if (s.attempt < 4) throw new Error("not yet");
        })
        .retry({ attempts: 4, base: "1s" }),
    );
    const t = await openTestEngine({ workflows: [w] });
    await t.run(w);
    expect(at).toEqual([0, 1_000, 3_000, 7_000]);
    await t.close();
  });

  it("waits in real time for steps that do real work", async () => {
    const w = define("t/real", (ctx) =>
      ctx.step("read", async () => {
        await new Promise((resolve) => setTimeout(resolve, 30));
        return (await readFile(import.meta.filename, "utf8")).length > 0;
      }),
    );
    const t = await openTestEngine({ workflows: [w] });
    const run = await t.start(w);
    await t.idle();
    expect((await run.status()).state).toBe("completed");
    await t.close();
  });

  it("a step that never returns is not waited for for ever: its timeout fires", async () => {
    const w = define("t/hangs", (ctx) =>
      ctx
        .step("hang", () => new Promise(() => {}))
        .timeout("1h")
        .retry(1)
        .settle(),
    );
    const t = await openTestEngine({ workflows: [w], patience: "20ms" });
    expect(await t.run(w)).toMatchObject({ ok: false, error: { code: "STEP_TIMEOUT" } });
    expect(t.now().getTime()).toBe(START + 3_600_000);
    await t.close();
  });
});

describe("a run that does not end", () => {
  it("is told with the signal that it waits for, and its timeline", async () => {
    const w = define("t/ask", async (ctx, who: string) => {
      await ctx.step("mail", () => who);
      return ctx.waitFor(approval);
    });
    const t = await openTestEngine({ workflows: [w] });
    const error = await t.run(w, "kim", { id: "a" }).catch((error: Error) => error);
    expect(error).toMatchObject({ name: "AssertionError" });
    expect((error as Error).message).toBe(
      [
        't/ask a does not end: it waits for signal "approval". Send it with run.signal(approval, …), or pass `onWait`.',
        "",
        "timeline of t/ask a: waiting",
        "  +0 ms       started by test: 'kim'",
        "  +0 ms       step mail completed: 'kim'",
      ].join("\n"),
    );
    await t.close();
  });

  it("is told with the timer that is too far off", async () => {
    const w = define("t/far", (ctx) => ctx.sleep("hibernate", "4d"));
    const t = await openTestEngine({ workflows: [w] });
    await expect(t.run(w, undefined, { within: "3d" })).rejects.toThrow(
      'it waits for timer "hibernate", until 2026-01-05T00:00:00.000Z',
    );
    await t.close();
  });

  it("is told with the step that does not return, with the pause, with the missing version", async () => {
    const hangs = define("t/stuck", (ctx) => ctx.step("hang", () => new Promise<void>(() => {})));
    const raw = define("t/raw", () => new Promise<void>(() => {}));
    const t = await openTestEngine({ workflows: [hangs, raw], patience: "10ms" });
    await expect(t.run(hangs)).rejects.toThrow('the code of step "hang" does not return');
    await expect(t.run(raw)).rejects.toThrow("its body awaits something that is no ctx call");
    await expect(t.run(define("t/strange", async () => 1))).rejects.toThrow("nobody executes it");
    await t.close();
  });

  it("goes on when onWait answers, once per wait, children included", async () => {
    const child = define("t/child", async (ctx) => (await ctx.waitFor(approval)).value.by);
    const w = define("t/parent", async (ctx) => {
      const first = await ctx.waitFor(approval);
      const second = await ctx.waitFor(approval, { timeout: "500ms" });
      return [first.value.by, second.ok && second.value.by, await ctx.run("child", child, undefined)];
    });
    const t = await openTestEngine({ workflows: [w, child] });
    const asked: string[] = [];
    const result = await t.run(w, undefined, {
      onWait: (wait, run) => {
        asked.push(`${run.workflow} ${wait.key}`);
        return run.signal(approval, { by: `${asked.length}` });
      },
    });
    expect(result).toEqual(["1", "2", "3"]);
    expect(asked).toEqual(["t/parent @wait/approval/1", "t/parent @wait/approval/2", "t/child @wait/approval/1"]);
    await t.close();
  });
});

it("onWait is told of a wait once, also when it does nothing about it", async () => {
  const w = define("t/silent", async (ctx) => {
    const [answer] = await Promise.all([ctx.waitFor(approval, { timeout: "1d" }), ctx.sleep("nap", "1h")]);
    return answer.ok;
  });
  const t = await openTestEngine({ workflows: [w] });
  const told: string[] = [];
  expect(await t.run(w, undefined, { onWait: (wait) => told.push(wait.key) })).toBe(false);
  expect(told).toEqual(["@wait/approval/1"]);
  await t.close();
});

it("a dead process's timers do not move the clock of its successors", async () => {
  let tries = 0;
  const w = define("t/stale", async (ctx) => {
    await ctx
      .step("hang", () => {
        tries += 1;
        return tries === 1 ? new Promise<void>(() => {}) : undefined;
      })
      .timeout("3h");
    await ctx.waitFor(approval);
  });
  const t = await openTestEngine({ workflows: [w], patience: "10ms" });
  const run = await t.start(w);
  await t.idle();
  await t.crash();
  await expect(t.finish(run)).rejects.toThrow('signal "approval"');
  expect(t.now().getTime()).toBe(START);
  await t.close();
});

describe("crash", () => {
  it("the next process goes on, recorded steps do not run again, handles and pending calls outlive it", async () => {
    const ran: string[] = [];
    const w = define("t/crash", async (ctx) => {
      const a = await ctx.step("a", () => ran.push("a"));
      await ctx.sleep("nap", "1h");
      return a + (await ctx.step("b", () => ran.push("b")));
    });
    const t = await openTestEngine({ workflows: [w] });
    const run = await t.start(w);
    await t.idle();
    const before = t.engine;
    const result = run.result();
    await t.crash();
    expect(t.engine).not.toBe(before);
    await t.advance("1h");
    expect(await result).toBe(3);
    expect(ran).toEqual(["a", "b"]);
    await t.close();
  });

  it("a step that was running starts again, and what its dead process would have stored is lost", async () => {
    let release = (): void => {};
    let tries = 0;
    const w = define("t/inflight", (ctx) =>
      ctx.step("slow", async () => {
        tries += 1;
        const mine = tries;
        if (mine === 1) await new Promise<void>((resolve) => (release = resolve));
        return mine;
      }),
    );
    const t = await openTestEngine({ workflows: [w], patience: "10ms" });
    const run = await t.start(w);
    await t.idle();
    await t.crash();
    release();
    expect(await t.finish(run)).toEqual({ state: "completed", output: 2 });
    expect((await run.status()).crashes).toBe(0);
    await t.close();
  });

  it("the next process may have other code, also after an orderly restart", async () => {
    const make = (version: string) =>
      workflow("t/deploy", { version }, async (ctx) => {
        await ctx.sleep("nap", "1h");
        return version;
      });
    const t = await openTestEngine({ workflows: [make("1.0.0")] });
    const first = await t.start("t/deploy");
    const second = await t.start("t/deploy");
    await t.idle();
    await t.crash({ workflows: [make("1.1.0")] });
    await t.advance("30m");
    await t.restart({ workflows: [make("1.2.0")] });
    expect(await t.finish(first)).toMatchObject({ output: "1.2.0" });
    expect(await t.finish(second)).toMatchObject({ output: "1.2.0" });
    expect((await first.status()).crashes).toBe(0);
    await t.close();
  });
});

it("evictAtEveryPark replays the body after each wait, however short, with the same values", async () => {
  for (const [evictAtEveryPark, bodies] of [
    [false, 1],
    [true, 4],
  ] as const) {
    let count = 0;
    const w = define("t/evict", async (ctx) => {
      count += 1;
      const id = await ctx.step("id", () => count);
      for (const name of ["a", "b", "c"]) await ctx.sleep(name, "10ms");
      return id;
    });
    const t = await openTestEngine({ workflows: [w], evictAtEveryPark });
    expect(await t.run(w)).toBe(1);
    expect(count).toBe(bodies);
    await t.close();
  }
});

describe("close", () => {
  it("rejects when a step was not awaited, naming run and step, and only once", async () => {
    const w = define("t/floating", async (ctx) => {
      void ctx.step("mail", () => 1);
      return "done";
    });
    const t = await openTestEngine({ workflows: [w] });
    await t.run(w, undefined, { id: "f" });
    const closing = t.close();
    await expect(closing).rejects.toThrow(
      't/floating f: STEP_FLOATING: the body ended while "mail" was still under way; nobody awaited it',
    );
    expect(t.close()).toBe(closing);
  });

  it("rejects for names used twice, ctx inside a step and diverged replays, also when the body swallows them", async () => {
    const twice = define("t/twice", async (ctx) => {
      await ctx.step("x", () => 1);
      await ctx.step("x", () => 2);
    });
    const inside = define("t/inside", (ctx) => ctx.step("outer", () => ctx.step("inner", () => 1)).settle());
    const before = define("t/changed", async (ctx) => {
      await ctx.step("x", () => 1);
      await ctx.sleep("nap", "1h");
    });
    const after = workflow("t/changed", { version: "1.1.0" }, (ctx) => ctx.sleep("x", "1h"));
    const t = await openTestEngine({ workflows: [twice, inside, before] });
    await expect(t.run(twice)).rejects.toMatchObject({ code: "RUN_FAILED" });
    await t.run(inside);
    await t.start(before);
    await t.idle();
    await t.crash({ workflows: [after] });
    await t.advance("1h");
    const error = await t.close().catch((error: Error) => error.message);
    expect(error).toContain("STEP_NAME_REUSED");
    expect(error).toContain("REPLAY_DIVERGED");
    expect(error).toContain('allow: ["STEP_NAME_REUSED", "CTX_IN_STEP", "REPLAY_DIVERGED"]');
  });

  it("is silent about what is allowed, and about ordinary failures", async () => {
    const w = define("t/allowed", async (ctx) => {
      void ctx.step("mail", () => 1);
      await ctx.step("fails", () => Promise.reject(new Error("no"))).retry(1);
    });
    const t = await openTestEngine({ workflows: [w], allow: ["STEP_FLOATING"] });
    await expect(t.run(w)).rejects.toThrow("no");
    await t.close();
    await expect(openTestEngine({ allow: ["RUN_FAILED" as never] })).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });

  it("does not wait for ever for a step that hangs, nor for runs that are open", async () => {
    const hangs = define("t/hang", (ctx) => ctx.step("hang", () => new Promise<void>(() => {})));
    const waits = define("t/wait", (ctx) => ctx.waitFor(approval));
    const t = await openTestEngine({ workflows: [hangs, waits], patience: "10ms" });
    await t.start(hangs);
    await t.start(waits);
    await t.close();
  });

  it("happens by itself at the end of a block", async () => {
    const w = define("t/using", async (ctx) => void ctx.step("mail", () => 1));
    const act = async () => {
      await using t = await openTestEngine({ workflows: [w] });
      await t.run(w);
    };
    await expect(act()).rejects.toThrow("STEP_FLOATING");
  });
});

it("engines that work side by side do not see each other's time, runs or crashes", async () => {
  const act = async (index: number) => {
    const w = define("t/side", async (ctx) => {
      await ctx.sleep("nap", index * 1_000);
      return (await ctx.now("end")).getTime() - START;
    });
    const t = await openTestEngine({ workflows: [w] });
    const run = await t.start(w, undefined, { id: "same" });
    if (index % 2 === 0) await t.crash();
    const outcome = await t.finish(run);
    expect((await t.engine.list()).runs).toHaveLength(1);
    await t.close();
    return outcome;
  };
  const outcomes = await Promise.all(Array.from({ length: 20 }, (_value, index) => act(index)));
  expect(outcomes).toEqual(outcomes.map((_outcome, index) => ({ state: "completed", output: index * 1_000 })));
});

it("refuses options that it does not know, and moments that are none", async () => {
  await expect(openTestEngine({ evictAlways: true } as never)).rejects.toMatchObject({ code: "OPTION_UNKNOWN" });
  await expect(openTestEngine({ now: "some day" })).rejects.toMatchObject({ code: "OPTION_INVALID" });
  const t = await openTestEngine();
  await expect(t.advance("-1h")).rejects.toMatchObject({ code: "DURATION_INVALID" });
  await t.close();
});
