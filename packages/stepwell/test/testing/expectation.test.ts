/** Expectations: what they accept, and what they say when they fail. */
import { expect, it } from "vitest";
import { PermanentError, signal, workflow } from "../../src/index.ts";
import { expectRun, openTestEngine, timelineOf } from "../../src/testing/index.ts";

const approval = signal<string>("approval");

const flow = workflow("e/flow", { version: "1.0.0" }, async (ctx, how: "well" | "badly" | "wait" | "nap") => {
  await ctx
    .step("charge", (s) => {
      if (s.attempt < 3) throw new Error(`no ${s.attempt}`);
      return { id: "p1" };
    })
    .compensate(() => {});
  await ctx.step(["ship", "a/b"], () => "parcel").compensate(() => {});
  if (how === "badly") {
    await ctx.step("stock", () => Promise.reject(new PermanentError("sold out", { code: "SoldOut" })));
  }
  if (how === "wait") await ctx.waitFor(approval, { timeout: "1d" });
  if (how === "nap") await ctx.sleep("nap", "500ms");
  return { how };
});

async function play(how: "well" | "badly" | "wait" | "nap") {
  const t = await openTestEngine({ workflows: [flow] });
  const run = await t.start(flow, how, { id: "r" });
  await t.advance("5s");
  return { t, run };
}

const said = (expectation: Promise<void>): Promise<string> =>
  expectation.then(
    () => "it passed",
    (error: Error) => error.message.split("\n\n")[0]!,
  );

it("accepts what is so, all of it at once", async () => {
  const well = await play("well");
  await expectRun(well.run)
    .completed()
    .completed({ how: "well" })
    .ranStep("charge", { times: 3, outcome: "completed", value: { id: "p1" } })
    .ranStep(["ship", "a/b"], { times: 1 })
    .didNotRun("stock")
    .stepsInOrder(["charge", ["ship", "a/b"]])
    .compensated([])
    .noFloating();
  const badly = await play("badly");
  await expectRun(badly.run)
    .failed()
    .failed("SoldOut")
    .failed("PermanentError")
    .failed(/sold/)
    .failed({ code: "SoldOut", message: /out$/ })
    .ranStep("stock", { outcome: "failed" })
    .compensated([["ship", "a/b"], "charge"]);
  const { t, run } = await play("wait");
  await expectRun(run).waitingFor(approval).waitingFor("approval");
  await run.cancel({ reason: "changed their mind" });
  await t.idle();
  await expectRun(run).cancelled().cancelled("changed their mind").cancelled(/mind/);
  for (const { t } of [well, badly]) await t.close();
});

it("sees waits that are too short to park", async () => {
  const t = await openTestEngine({ workflows: [flow] });
  const run = await t.start(flow, "nap");
  await t.advance("999ms");
  await expectRun(run).waitingFor("charge");
  await t.advance("2001ms");
  await expectRun(run).waitingFor("nap");
  expect(await said(expectRun(run).waitingFor("charge"))).toContain('but it waits for timer "nap"');
  await t.close();
});

it("says what was expected and what is the case", async () => {
  const { run } = await play("well");
  expect(await said(expectRun(run).completed({ how: "badly" }))).toBe(
    "expected e/flow r to have completed with { how: 'badly' }, but it completed with { how: 'well' }",
  );
  expect(await said(expectRun(run).failed("SoldOut"))).toBe(
    "expected e/flow r to have failed, but it completed with { how: 'well' }",
  );
  expect(await said(expectRun(run).waitingFor(approval))).toContain('to wait for "approval", but it completed');
  expect(await said(expectRun(run).ranStep("chrage"))).toBe(
    'expected e/flow r to have run step "chrage", but it ran "charge", "ship/a%2Fb"',
  );
  expect(await said(expectRun(run).ranStep("charge", { times: 1 }))).toBe(
    'expected e/flow r to have run step "charge" once, but it ran 3 times',
  );
  expect(await said(expectRun(run).ranStep("charge", { value: 1 }))).toContain("but it gave { id: 'p1' }");
  expect(await said(expectRun(run).ranStep("charge", { outcome: "handled" }))).toContain("but it completed");
  expect(await said(expectRun(run).didNotRun("charge"))).toContain("but it ran 3 times");
  expect(await said(expectRun(run).stepsInOrder([["ship", "a/b"], "charge"]))).toBe(
    'expected e/flow r to have ended its steps in the order "ship/a%2Fb", "charge", but the order was "charge", "ship/a%2Fb"',
  );
  expect(await said(expectRun(run).compensated(["charge"]))).toBe(
    'expected e/flow r to have undone "charge", but it undid nothing',
  );
  const waiting = await play("wait");
  expect(await said(expectRun(waiting.run).completed())).toBe(
    'expected e/flow r to have completed, but it waits for signal "approval", at most until 2026-01-02T00:00:03.000Z',
  );
  expect(await said(expectRun(waiting.run).cancelled())).toContain("to have been cancelled, but it waits");
  const badly = await play("badly");
  expect(await said(expectRun(badly.run).failed(/no stock/))).toBe(
    "expected e/flow r to have failed with /no stock/, but it failed: PermanentError SoldOut: sold out",
  );
});

it("fails with an AssertionError that carries both values, the timeline, and the place in the test", async () => {
  const { run } = await play("well");
  const error = await expectRun(run)
    .completed({ how: "badly" })
    .catch((error: unknown) => error);
  expect(error).toMatchObject({
    name: "AssertionError",
    code: "ERR_ASSERTION",
    actual: { how: "well" },
    expected: { how: "badly" },
  });
  expect((error as Error).message).toContain(await timelineOf(run));
  expect((error as Error).stack?.split("\n    at ")[1]).toContain("expectation.test.ts");
});

it("tells the whole life of a run", async () => {
  const { run } = await play("badly");
  expect(await timelineOf(run)).toBe(
    [
      "timeline of e/flow r: failed",
      "  +0 ms       started by test: 'badly'",
      "  +0 ms       step charge failed in attempt 1, again at +1 s: Error: no 1",
      "  +1 s        step charge failed in attempt 2, again at +3 s: Error: no 2",
      "  +3 s        step charge completed in attempt 3: { id: 'p1' }",
      "  +3 s        step ship/a%2Fb completed: 'parcel'",
      "  +3 s        step stock failed: PermanentError SoldOut: sold out",
      "  +3 s        compensating: PermanentError: sold out",
      "  +3 s        compensation @compensate/ship/a%2Fb completed",
      "  +3 s        compensation @compensate/charge completed",
      "  +3 s        ended, failed: PermanentError SoldOut: sold out",
    ].join("\n"),
  );
});

it("names steps that nobody awaited", async () => {
  const w = workflow("e/floating", { version: "1.0.0" }, async (ctx) => void ctx.step("mail", () => 1));
  const t = await openTestEngine({ workflows: [w], allow: ["STEP_FLOATING"] });
  const run = await t.start(w, undefined, { id: "f" });
  await t.idle();
  expect(await said(expectRun(run).noFloating())).toBe(
    'expected e/floating f to have awaited every step, but nobody awaited "mail"',
  );
  await t.close();
});

it("refuses an assertion that comes too late, and options that it does not know", async () => {
  const { run } = await play("well");
  const expectation = expectRun(run).completed();
  await expectation;
  expect(() => expectation.noFloating()).toThrow("after expectRun had looked");
  expect(() => expectRun(run).ranStep("charge", { time: 1 } as never)).toThrow("OPTION_UNKNOWN");
});
