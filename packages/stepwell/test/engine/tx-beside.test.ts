/** A transaction beside what asks the store for itself: none waits for the other for ever. */
import { expect, it } from "vitest";
import { workflow } from "../../src/index.ts";
import { openWorld } from "./harness.ts";

it("beside a step with a breaker and an approval", async () => {
  const world = await openWorld();
  const w = workflow("t/all", { version: "1.0.0" }, async (ctx) =>
    Promise.all([
      ctx.step("call", () => "called").circuitBreaker({ name: "service", failures: 2, reset: "1m" }),
      ctx.approve("sign", { title: "Sign", to: "kim" }).then(({ state }) => state),
      ctx.tx("one", async () => 1),
      ctx.step("again", () => "called").circuitBreaker({ name: "service", failures: 2, reset: "1m" }),
      ctx.tx("two", async () => 2),
    ]),
  );
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "x", actor: "ann" });
  await world.until(async () => (await engine.approvals.list()).approvals.length === 1, "it asks");
  void engine.approvals.approve({ workflow: w, runId: "x", name: "sign" }, { actor: "kim" });
  await world.until(async () => (await run.status()).state === "completed", "it ends");
  expect((await run.status()).output).toEqual(["called", "approved", 1, "called", 2]);
});

it.each(["findBreaker", "updateApproval"] as const)("that begins while %s is under way", async (call) => {
  const world = await openWorld();
  const w = workflow("t/all", { version: "1.0.0" }, async (ctx) => {
    const beside =
      call === "findBreaker"
        ? ctx.step("call", () => "done").circuitBreaker({ name: "service", failures: 2, reset: "1m" })
        : ctx.approve("sign", { title: "Sign", to: "kim", timeout: "1s" }).then(() => "done");
    return Promise.all([beside, ctx.sleep("first", 100).then(() => ctx.tx("tx", async () => 1))]);
  });
  let answer = (): void => {};
  const asked = new Promise<void>((resolve) => (answer = resolve));
  const { engine } = await world.open({ workflows: [w] }, (store) => ({
    ...store,
    [call]: async (...args: unknown[]) => {
      await asked;
      return (store[call] as (...args: unknown[]) => unknown)(...args);
    },
  }));
  const run = await engine.start(w, undefined, { id: "x" });
  await world.until(async () => (await run.history()).length > 1);
  await world.advance(200);
  answer();
  await world.until(async () => (await world.advance(100), (await run.status()).state === "completed"), "it ends");
  expect((await run.status()).output).toEqual(["done", 1]);
});
