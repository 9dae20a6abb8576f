/** A store that refuses, breaks its word or answers out of turn: what becomes of the run, and who is told. */
import { expect, it } from "vitest";
import { type Ctx, signal, StepwellError, workflow, type Workflow } from "../../src/index.ts";
import type { Store } from "../../src/store/store.ts";
import type { Write, WriteResult } from "../../src/store/write.ts";
import { openWorld, type Process } from "./harness.ts";

const ping = signal<string>("ping");

function define<O>(body: (ctx: Ctx<void>) => Promise<O>): Workflow<void, O> {
  return workflow("t/answers", { version: "1.0.0" }, body);
}

/** A store that keeps nothing of the first write of this kind, and answers it as told. */
function answering(fits: (write: Write) => boolean, answer: WriteResult) {
  let asked = false;
  return (store: Store): Store => ({
    ...store,
    flush: async (writes, nowMs) => {
      const at = asked ? -1 : writes.findIndex(fits);
      if (at < 0) return store.flush(writes, nowMs);
      asked = true;
      const results = [...(await store.flush(writes.toSpliced(at, 1), nowMs))];
      return results.toSpliced(at, 0, answer);
    },
  });
}

const errorsOf = ({ logged }: Process): readonly string[] =>
  logged.flatMap(({ level, run, message }) => (level === "error" ? [`${run ?? ""}: ${message}`] : []));

const ofKind = (kind: Write["kind"]) => (write: Write) => write.kind === kind;
const refused: WriteResult = { kind: "refused", error: new StepwellError("STORE_FAILED", "the row is impossible.") };
const odd: WriteResult = { kind: "unseen" };

it("P12: a start and a signal that are answered out of turn are told so, and hold no slot", async () => {
  const world = await openWorld();
  const w = define((ctx) => ctx.waitFor(ping));
  const message = expect.stringContaining('the store answered "unseen"') as unknown;
  const options = { workflows: [w], work: { concurrency: 1 } };
  const starting = await world.open(options, answering(ofKind("insert_run"), odd));
  await world.settle();
  await expect(starting.engine.start(w)).rejects.toMatchObject({ code: "STORE_FAILED", message });
  const run = await starting.engine.start(w);
  await world.settle();
  const sending = await world.open({ workflows: [w], work: false }, answering(ofKind("post"), odd));
  await expect(sending.engine.signal(w, run.id, ping, "lost")).rejects.toMatchObject({ code: "STORE_FAILED", message });
  await sending.engine.signal(w, run.id, ping, "kept");
  await world.advance(60_000);
  expect(await run.result()).toMatchObject({ value: "kept" });
});

it.each([
  ["an outcome that is refused", "checkpoint", refused, "the row is impossible"],
  ["a failure that is refused", "attempt", refused, "the row is impossible"],
  ["a failure that is answered out of turn", "attempt", odd, 'the store answered "unseen" to an attempt'],
] as const)("%s sets the run aside, loudly, and the others go on", async (_what, kind, answer, part) => {
  const world = await openWorld();
  let runs = 0;
  const w = define((ctx) =>
    ctx
      .step("work", (s) => {
        runs += 1;
        if (s.attempt === 1 && kind === "attempt") throw new Error("not yet");
        return "done";
      })
      .retry({ attempts: 2, base: "1s" }),
  );
  const process = await world.open({ workflows: [w] }, answering(ofKind(kind), answer));
  const run = await process.engine.start(w);
  await world.advance(5_000);
  expect(await run.status()).toMatchObject({ state: "paused", error: { message: expect.stringContaining(part) } });
  expect(errorsOf(process)).toEqual([expect.stringContaining(part)]);
  expect(runs).toBe(1);
  const other = await process.engine.start(w);
  await world.advance(5_000);
  expect(await other.result()).toBe("done");
});

it("P8: an end that is refused ends nothing: the run is given back and ends under the next claim", async () => {
  const world = await openWorld();
  const ran: string[] = [];
  const w = define(async (ctx) => {
    await ctx.step("once", () => ran.push("once"));
    ran.push("end");
    return "done";
  });
  const process = await world.open({ workflows: [w] }, answering(ofKind("transition"), refused));
  const run = await process.engine.start(w);
  await world.advance(1_000);
  expect(await run.result()).toBe("done");
  expect(ran).toEqual(["once", "end", "end"]);
  expect(errorsOf(process)).toEqual([expect.stringContaining("the row is impossible")]);
});

it("a close gives up what cannot be stored: the run says so to who waits, and ends in the next process", async () => {
  const world = await openWorld();
  let full = false;
  const w = define(async (ctx) => {
    await ctx.sleep("wait", "1s");
    return ctx.step("after", () => "done");
  });
  const first = await world.open({ workflows: [w], grace: "2s" }, (store) => ({
    ...store,
    flush: (...args) => (full ? Promise.reject(new StepwellError("STORE_FULL", "full")) : store.flush(...args)),
  }));
  const run = await first.engine.start(w, undefined, { id: "x" });
  const result = run.result().catch((error: { readonly code: string }) => error.code);
  await world.settle();
  full = true;
  const closing = first.engine.close();
  await world.advance(30_000);
  await closing;
  expect(await result).toBe("ENGINE_CLOSED");
  await expect(first.engine.start(w)).rejects.toMatchObject({ code: "ENGINE_CLOSED" });
  const second = await world.open({ workflows: [w] });
  await world.advance(60_000);
  expect(await (await second.engine.get(w, "x")).result()).toBe("done");
});

it("an execution that fails by itself is told, and the run is executed afresh", async () => {
  const world = await openWorld();
  const undone: string[] = [];
  let damaged = true;
  const w = define(async (ctx) => {
    await ctx.step("pay", () => 1).compensate(() => void undone.push("pay"), { base: "1h", jitter: 0 });
    throw new Error("no stock");
  });
  const first = await world.open({ workflows: [w] }, (store) => ({
    ...store,
    flush: (writes, nowMs) =>
      writes.some((write) => write.kind === "checkpoint" && write.checkpoint.kind === "compensation")
        ? new Promise<never>(() => {})
        : store.flush(writes, nowMs),
  }));
  await first.engine.start(w, undefined, { id: "x" });
  await world.settle();
  first.crash();
  const second = await world.open({ workflows: [w] }, (store) => ({
    ...store,
    claimRuns: async (request) => {
      const claims = await store.claimRuns(request);
      if (!damaged || claims.length === 0) return claims;
      damaged = false;
      return claims.map(({ run, nowMs }) => ({ run: { ...run, error: "{" }, nowMs }));
    },
  }));
  const outcome = (await second.engine.get(w, "x")).outcome();
  await world.advance(1_000);
  expect(await outcome).toMatchObject({ state: "failed", error: { message: "no stock" } });
  expect(undone).toEqual(["pay", "pay"]);
  expect(errorsOf(second)).toEqual([expect.stringMatching(/^t\/answers x: the execution failed: /)]);
});
