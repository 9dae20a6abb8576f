/** Approvals: decisions by people, judged by the run, over crashes and deadlines. */
import { expect, it } from "vitest";
import { z } from "zod";
import { type Engine, StepwellError, workflow } from "../../src/index.ts";
import { openWorld, type World } from "./harness.ts";

const HOUR = 3_600_000;
const REF = { workflow: "t/refund", runId: "r", name: "sign" };
const Form = z.object({ limit: z.number().int().positive() });

/** A run that waits for what `options` say, and returns it. */
function refund(options: Record<string, unknown> = {}) {
  return workflow("t/refund", { version: "1.0.0" }, async (ctx) =>
    ctx.approve("sign", { title: "Refund 120 €", to: "managers", ...options }),
  );
}

async function waiting(world: World, engine: Engine): Promise<void> {
  await world.until(async () => (await engine.approvals.list()).approvals.length === 1, "an open approval");
  await world.settle();
}

/** What looks into the store every now and then needs the clock to move. */
async function timePasses<T>(world: World, sent: Promise<T>): Promise<T> {
  let over = false;
  const end = (): void => void (over = true);
  sent.then(end, end);
  await world.until(async () => {
    if (!over) await world.advance(100);
    return over;
  }, "an answer");
  return sent;
}

it("a run waits for a person, and gets who, when and what was filled in", async () => {
  const world = await openWorld();
  const w = workflow("t/refund", { version: "1.0.0" }, async (ctx) => {
    const decision = await ctx.approve("sign", {
      title: "Refund 120 €",
      to: ["managers", "lee"],
      details: { cents: 12_000 },
      form: Form,
      timeout: "2d",
    });
    return decision.state === "approved" ? [decision.form.limit, decision.decisions] : decision.state;
  });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "r", actor: "ann" });
  await waiting(world, engine);
  const openedAtMs = world.nowMs();
  expect((await run.status()).waitingFor).toEqual([
    { kind: "approval", key: "sign", name: "Refund 120 €", dueAtMs: openedAtMs + 48 * HOUR },
  ]);
  const { approvals, cursor } = await engine.approvals.list({ to: "managers" });
  expect(cursor).toBeNull();
  expect(approvals).toEqual([
    {
      ...REF,
      title: "Refund 120 €",
      to: ["managers", "lee"],
      details: { cents: 12_000 },
      form: expect.objectContaining({ type: "object", required: ["limit"] }) as unknown,
      asksForm: true,
      quorum: 1,
      requestedBy: "ann",
      requesters: ["ann"],
      state: "open",
      openedAtMs,
      dueAtMs: openedAtMs + 48 * HOUR,
      closedAtMs: null,
    },
  ]);
  await world.advance(HOUR);
  const receipt = await engine.approvals.approve(approvals[0]!, { actor: "kim", form: { limit: 7 }, comment: "fine" });
  expect(receipt).toEqual({ state: "accepted", approval: "approved" });
  const said = { actor: "kim", atMs: openedAtMs + HOUR, comment: "fine", answer: "approved", form: { limit: 7 } };
  expect(await run.result()).toEqual([7, [said]]);
  expect(await engine.approvals.list()).toEqual({ approvals: [], cursor: null });
  expect(await engine.approvals.get(REF)).toMatchObject({
    state: "approved",
    closedAtMs: openedAtMs + HOUR,
    decisions: [{ ...said, verdict: "accepted", issues: [] }],
  });
});

it("being refused is a value, and one refusal refuses", async () => {
  const world = await openWorld();
  const w = refund({ quorum: 2 });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "r" });
  await waiting(world, engine);
  expect(await engine.approvals.approve(REF, { actor: "kim" })).toEqual({ state: "accepted", approval: "open" });
  const answer = { actor: "lee", comment: "too much" };
  expect(await engine.approvals.refuse(REF, answer)).toEqual({ state: "accepted", approval: "refused" });
  expect(await run.result()).toMatchObject({
    state: "refused",
    decisions: [
      { actor: "kim", answer: "approved" },
      { ...answer, answer: "refused" },
    ],
  });
  await expect(engine.approvals.approve(REF, { actor: "max" })).rejects.toMatchObject({
    code: "APPROVAL_CLOSED",
    details: { state: "refused" },
  });
});

it("P6: an accepted decision counts over crashes, until the quorum is there", async () => {
  const world = await openWorld();
  const w = refund({ quorum: 3 });
  let process = await world.open({ workflows: [w] });
  await process.engine.start(w, undefined, { id: "r" });
  await waiting(world, process.engine);
  for (const actor of ["kim", "lee", "max"]) {
    const receipt = await process.engine.approvals.approve(REF, { actor });
    expect(receipt).toEqual({ state: "accepted", approval: actor === "max" ? "approved" : "open" });
    process.crash();
    process = await world.open({ workflows: [w] });
    await world.settle();
  }
  const outcome = await (await process.engine.get(w, "r")).result();
  expect(outcome).toMatchObject({
    state: "approved",
    decisions: [{ actor: "kim" }, { actor: "lee" }, { actor: "max" }],
  });
});

it("P6: a decision that no worker has seen is recorded, and taken by the next one", async () => {
  const world = await openWorld();
  const w = refund();
  const worker = await world.open({ workflows: [w] });
  await worker.engine.start(w, undefined, { id: "r" });
  await waiting(world, worker.engine);
  worker.crash();
  const { engine } = await world.open({ workflows: [w], work: false });
  const sent = engine.approvals.approve(REF, { actor: "kim", wait: "1s" });
  await world.settle();
  await world.advance(1_000);
  expect(await sent).toEqual({ state: "recorded" });
  expect(await engine.approvals.get(REF)).toMatchObject({ state: "open", decisions: [{ verdict: "unchecked" }] });
  const next = await world.open({ workflows: [w] });
  expect(await (await next.engine.get(w, "r")).result()).toMatchObject({ state: "approved" });
});

it("an engine that is closed keeps nobody waiting for a verdict", async () => {
  const world = await openWorld();
  const w = refund();
  const worker = await world.open({ workflows: [w] });
  await worker.engine.start(w, undefined, { id: "r" });
  await waiting(world, worker.engine);
  worker.crash();
  let closed = false;
  const gone = new StepwellError("ENGINE_CLOSED", "the store has been closed");
  const { engine } = await world.open({ workflows: [w], work: false }, (store) => ({
    ...store,
    findApproval: (ref, key) => (closed ? Promise.reject(gone) : store.findApproval(ref, key)),
  }));
  const sent = engine.approvals.approve(REF, { actor: "kim", wait: "1h" });
  await world.settle();
  closed = true;
  await world.advance(1_000);
  expect(await sent).toEqual({ state: "recorded" });
});

it("a decision made in another process is judged where the run is, and its sender hears of it", async () => {
  const world = await openWorld();
  const w = refund({ form: Form });
  const worker = await world.open({ workflows: [w] });
  const run = await worker.engine.start(w, undefined, { id: "r" });
  const { engine } = await world.open({ workflows: [w], work: false });
  await waiting(world, engine);
  const bad = engine.approvals.approve(REF, { actor: "kim", form: { limit: 0 }, wait: "1h" });
  await expect(timePasses(world, bad)).rejects.toMatchObject({ code: "APPROVAL_FORM_INVALID" });
  const good = engine.approvals.approve(REF, { actor: "kim", form: { limit: 1 }, wait: "1h" });
  expect(await timePasses(world, good)).toEqual({ state: "accepted", approval: "approved" });
  expect(await run.result()).toMatchObject({ state: "approved", form: { limit: 1 } });
});

it("a form that does not fit is told to its sender, is recorded, and changes nothing", async () => {
  const world = await openWorld();
  const w = refund({ form: Form });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "r" });
  await waiting(world, engine);
  await expect(engine.approvals.approve(REF, { actor: "kim", form: { limit: -1 } })).rejects.toMatchObject({
    code: "APPROVAL_FORM_INVALID",
    details: { issues: [{ path: "$.limit" }] },
  });
  await expect(engine.approvals.approve(REF, { actor: "kim" })).rejects.toMatchObject({
    code: "APPROVAL_FORM_INVALID",
  });
  const { state, decisions } = await engine.approvals.get(REF);
  expect(state).toBe("open");
  expect(decisions).toMatchObject([{ verdict: "form_invalid", issues: [{ path: "$.limit" }] }, {}]);
  await engine.approvals.approve(REF, { actor: "kim", form: { limit: 2 } });
  expect(await run.result()).toMatchObject({ form: { limit: 2 } });
});

it("four eyes: who started the run, or is said to ask for it, may refuse but not approve", async () => {
  const world = await openWorld();
  const w = refund({ requestedBy: "bob" });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "r", actor: "ann" });
  await waiting(world, engine);
  for (const actor of ["ann", "bob"]) {
    await expect(engine.approvals.approve(REF, { actor })).rejects.toMatchObject({ code: "APPROVAL_FOUR_EYES" });
  }
  expect((await engine.approvals.get(REF)).decisions).toEqual([]);
  await engine.approvals.refuse(REF, { actor: "ann" });
  expect(await run.result()).toMatchObject({ state: "refused" });
});

it("four eyes can be done without", async () => {
  const world = await openWorld();
  const w = refund({ fourEyes: false });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "r", actor: "ann" });
  await waiting(world, engine);
  await engine.approvals.approve(REF, { actor: "ann" });
  expect(await run.result()).toMatchObject({ state: "approved" });
});

it("the same person counts once; the same decision sent again gets the same answer", async () => {
  const world = await openWorld();
  const w = refund({ quorum: 2 });
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w, undefined, { id: "r" });
  await waiting(world, engine);
  const twice = [
    { actor: "kim", id: "click-1" },
    { actor: "kim", id: "click-1" },
  ];
  const receipts = await Promise.all(twice.map((answer) => engine.approvals.approve(REF, answer)));
  expect(receipts).toEqual([
    { state: "accepted", approval: "open" },
    { state: "accepted", approval: "open" },
  ]);
  await expect(engine.approvals.approve(REF, { actor: "kim" })).rejects.toMatchObject({ code: "APPROVAL_DECIDED" });
  const stolen = engine.approvals.approve(REF, { actor: "lee", id: "click-1" });
  await expect(stolen).rejects.toMatchObject({ code: "OPTION_INVALID" });
  await engine.approvals.approve(REF, { actor: "lee" });
  expect(await run.result()).toMatchObject({ state: "approved", decisions: [{ actor: "kim" }, { actor: "lee" }] });
  expect(await engine.approvals.approve(REF, twice[0]!)).toEqual({ state: "accepted", approval: "approved" });
});

it("two decisions of one person at the same moment: the run takes one", async () => {
  const world = await openWorld();
  const w = refund({ quorum: 2 });
  const { engine } = await world.open({ workflows: [w] });
  await engine.start(w, undefined, { id: "r" });
  await waiting(world, engine);
  const sent = [1, 2].map(() => engine.approvals.approve(REF, { actor: "kim" }));
  const told = await Promise.allSettled(sent);
  const [first, second] = told.toSorted((a, b) => (a.status < b.status ? -1 : 1));
  expect(first).toMatchObject({ status: "fulfilled" });
  expect(second).toMatchObject({ status: "rejected", reason: { code: "APPROVAL_DECIDED" } });
  expect((await engine.approvals.get(REF)).decisions.map(({ verdict }) => verdict)).toEqual(["accepted", "repeated"]);
});

it("says which approvals there are not", async () => {
  const world = await openWorld();
  const w = refund();
  const { engine } = await world.open({ workflows: [w] });
  await engine.start(w, undefined, { id: "r" });
  await waiting(world, engine);
  const answer = { actor: "kim" };
  await expect(engine.approvals.approve({ ...REF, runId: "x" }, answer)).rejects.toMatchObject({
    code: "RUN_NOT_FOUND",
  });
  await expect(engine.approvals.get({ ...REF, name: "x" })).rejects.toMatchObject({ code: "APPROVAL_NOT_FOUND" });
  await expect(engine.approvals.refuse(REF, { ...answer, form: 1 } as never)).rejects.toMatchObject({
    code: "OPTION_UNKNOWN",
  });
  await expect(engine.approvals.approve(REF, { ...answer, form: 1 })).rejects.toMatchObject({
    code: "APPROVAL_FORM_INVALID",
  });
  await expect(engine.approvals.list({ state: "opened" as never })).rejects.toThrow('did you mean "open"?');
});

it.each([
  [{ quorum: 0 }, "OPTION_INVALID"],
  [{ quorum: 1.5 }, "OPTION_INVALID"],
  [{ to: [] }, "OPTION_INVALID"],
  [{ to: "" }, "OPTION_INVALID"],
  [{ title: " " }, "OPTION_INVALID"],
  [{ title: "a\u0000b" }, "OPTION_INVALID"],
  [{ form: {} }, "OPTION_INVALID"],
  [{ timeout: "1h", escalate: { after: "1h", to: "boss" } }, "OPTION_INVALID"],
  [{ escalate: { after: "1h", too: "boss" } }, "OPTION_UNKNOWN"],
  [{ timout: "1h" }, "OPTION_UNKNOWN"],
  [{ timeout: "soon" }, "DURATION_INVALID"],
  [{ details: () => {} }, "NOT_SERIALISABLE"],
])("P12: %j is refused at the call, as %s", async (options, code) => {
  const world = await openWorld();
  const w = refund(options);
  const { engine } = await world.open({ workflows: [w] });
  const run = await engine.start(w);
  expect(await run.outcome()).toMatchObject({ state: "failed", error: { code } });
  expect((await engine.approvals.list()).approvals).toEqual([]);
});
