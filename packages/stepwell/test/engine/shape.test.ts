/** What a step may be given, and how its outcome is shaped, at the edges. */
import { expect, it } from "vitest";
import { z } from "zod";
import { type Ctx, handler, PermanentError, workflow, type Workflow } from "../../src/index.ts";
import { openWorld } from "./harness.ts";

const codeOf = (error: { readonly code: string }): string => error.code;

function define<O>(body: (ctx: Ctx<void>) => Promise<O>): Workflow<void, O> {
  return workflow("t/shape", { version: "1.0.0" }, body);
}

const declined = (): Promise<never> => Promise.reject(new PermanentError("no", { code: "DECLINED" }));

it("of several onError the first that knows the code or the name is asked, and nothing inherited counts", async () => {
  const world = await openWorld();
  const w = define(async (ctx) => [
    await ctx
      .step("second", declined)
      .onError({ OTHER: () => "other" })
      .onError({ DECLINED: () => "by code" }),
    await ctx
      .step("code first", declined)
      .onError({ PermanentError: () => "by name" })
      .onError({ DECLINED: () => "by code" }),
    await ctx
      .step("inherited", () => Promise.reject(new PermanentError("no", { code: "toString" })))
      .onError({})
      .then(String, codeOf),
  ]);
  const { engine } = await world.open({ workflows: [w] });
  expect(await engine.run(w)).toEqual(["by code", "by code", "toString"]);
});

it("a handler of errors that throws fails the step with its own error, for good", async () => {
  const world = await openWorld();
  let tries = 0;
  const w = define((ctx) =>
    ctx
      .step("work", () => {
        tries += 1;
        throw Object.assign(new Error("down"), { code: "DOWN" });
      })
      .onError({ DOWN: () => Promise.reject(Object.assign(new Error("worse"), { code: "WORSE" })) })
      .then(String, codeOf),
  );
  const { engine } = await world.open({ workflows: [w] });
  expect(await engine.run(w)).toBe("WORSE");
  expect(tries).toBe(1);
});

it("a handler without an output schema gives what its work returns", async () => {
  const world = await openWorld();
  const echo = handler("echo", { input: z.string().trim() }, (text) => ({ text }));
  const w = define((ctx) => ctx.step(echo, " a "));
  const { engine } = await world.open({ workflows: [w] });
  expect(await engine.run(w)).toEqual({ text: "a" });
});

it("P12: a step without a function, and a workflow without a body, are refused", async () => {
  const world = await openWorld();
  const w = define((ctx) =>
    Promise.resolve()
      .then(() => ctx.step("work", "no function" as never))
      .then(String, codeOf),
  );
  const { engine } = await world.open({ workflows: [w] });
  expect(await engine.run(w)).toBe("OPTION_INVALID");
  expect(() => workflow("t/empty", { version: "1.0.0" }, undefined as never)).toThrow(/WORKFLOW_INVALID.*no body/);
});

it("a line that a parked body logs is heard by the log and written nowhere (P3)", async () => {
  const world = await openWorld();
  let answer = (): void => {};
  const w = define(async (ctx) => {
    const nap = ctx.sleep("nap", "1h");
    await new Promise<void>((resolve) => (answer = resolve));
    ctx.log("answered");
    ctx.progress("half");
    await nap;
  });
  const process = await world.open({ workflows: [w] });
  const run = await process.engine.start(w);
  await world.settle();
  expect((await run.status()).state).toBe("waiting");
  answer();
  await world.settle();
  expect((await run.status()).progress).toBe(undefined);
  expect((await run.history()).map((event) => event.kind)).not.toContain("note");
  expect(process.logged.map((entry) => entry.message)).toContain("answered");
  await world.advance(3_600_000);
  await run.result();
});

it("a bare heartbeat keeps the attempt alive, and what an earlier attempt told is still there", async () => {
  const world = await openWorld();
  const seen: unknown[] = [];
  const w = define((ctx) =>
    ctx
      .step("copy", (s) => {
        seen.push(s.lastHeartbeat);
        if (s.attempt === 3) return "copied";
        s.heartbeat(...(s.attempt === 1 ? [{ row: 7 }] : []));
        throw new Error("again");
      })
      .retry({ attempts: 3, base: "1h", backoff: "fixed", jitter: 0 }),
  );
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  for (let hour = 0; hour < 2; hour += 1) await world.advance(3_600_000);
  expect(await run.result()).toBe("copied");
  expect(seen).toEqual([undefined, { row: 7 }, { row: 7 }]);
});
