/** Approvals in the kit: decisions in tests, also killed at every moment. */
import { expect, it } from "vitest";
import { z } from "zod";
import { type Approvals, type RunHandle, type Wait, workflow } from "../../src/index.ts";
import { killAfterEveryStep, openTestEngine } from "../../src/testing/index.ts";

const Limit = z.object({ limit: z.number().positive() });

const refund = workflow("k/refund", { version: "1.0.0" }, async (ctx) => {
  const decision = await ctx.approve("sign", {
    title: "Refund",
    to: "managers",
    form: Limit,
    quorum: 2,
    timeout: "2d",
    escalate: { after: "1h", to: "heads" },
  });
  await ctx.step("after", () => decision.state);
  return decision.state === "approved" ? [decision.form.limit, decision.decisions.map(({ actor }) => actor)] : null;
});

/** Two people approve; one of them needs two tries. */
async function answer(wait: Wait, run: RunHandle, approvals: Approvals): Promise<void> {
  const ref = { workflow: run.workflow, runId: run.id, name: wait.key };
  await approvals.approve(ref, { actor: "kim", form: { limit: 0 } }).catch(() => {});
  await approvals.approve(ref, { actor: "kim", form: { limit: 1 } });
  await approvals.approve(ref, { actor: "lee", form: { limit: 2 } });
}

it("onWait plays those who decide", async () => {
  const t = await openTestEngine({ workflows: [refund] });
  expect(await t.run(refund, undefined, { onWait: answer })).toEqual([2, ["kim", "lee"]]);
  await t.close();
});

it("P6: killed before and after everything that is stored, the same people have approved", async () => {
  const report = await killAfterEveryStep(() => ({ workflow: refund, input: undefined, onWait: answer }));
  expect(report.killed).toEqual(report.points);
  expect(report.points).toEqual(
    expect.arrayContaining([
      'right before the beginning of "sign" was stored',
      'right after the decision on "sign" was stored',
      expect.stringMatching(
        /^right before the end of decision "@decision\/sign\/\d" .*the end of approval "sign"/,
      ) as unknown,
    ]),
  );
});

it("a run that nobody answers is told with what it waits for; time ends it", async () => {
  const t = await openTestEngine({ workflows: [refund] });
  const run = await t.start(refund);
  await t.idle();
  expect((await t.approvals.list()).approvals).toMatchObject([{ name: "sign", to: ["managers"] }]);
  await t.advance("1h");
  expect((await t.approvals.list()).approvals).toMatchObject([{ to: ["managers", "heads"] }]);
  await expect(t.finish(run, { within: "1h" })).rejects.toThrow(
    'it waits for approval "Refund", at most until 2026-01-03T00:00:00.000Z. Decide it with approvals.approve(…)',
  );
  await t.approvals.refuse({ workflow: refund, runId: run.id, name: "sign" }, { actor: "kim" });
  expect(await t.finish(run)).toEqual({ state: "completed", output: null });
  await t.close();
});
