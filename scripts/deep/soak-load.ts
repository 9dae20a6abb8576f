/**
 * Soak load: workflows of every kind, each over within a second, in a fixed order, so that any thousand runs leave as
 * many rows as any other thousand.
 */
import type { Engine } from "../../packages/stepwell/src/engine/engine.ts";
import { signal } from "../../packages/stepwell/src/engine/signal.ts";
import { workflow, type Workflow } from "../../packages/stepwell/src/engine/workflow.ts";
import { PermanentError, RetryableError } from "../../packages/stepwell/src/model/errors.ts";

const GO = signal<string>("go");
const VERSION = { version: "1.0.0" };
const PAD = "x".repeat(200);
/** Long enough to park a run whose engine keeps shorter waits in memory. */
const PARKED = "300ms";

const steps = workflow("soak/steps", VERSION, async (ctx, n: number) => {
  for (const name of ["reserve", "charge", "ship"]) await ctx.step(name, () => ({ n, PAD }));
  return n;
});

const sleeps = workflow("soak/sleeps", VERSION, async (ctx, n: number) => {
  await ctx.sleep("short", "5ms");
  await ctx.sleep("long", PARKED);
  return n;
});

const waits = workflow("soak/waits", VERSION, async (ctx, n: number) => {
  const answer = await ctx.waitFor(GO, { timeout: "1m" });
  const silence = await ctx.waitFor(GO, { timeout: "10ms" });
  return [n, answer.ok, silence.ok];
});

const maps = workflow("soak/maps", VERSION, async (ctx, n: number) => {
  const items = Array.from({ length: 10 }, (_, index) => index);
  return (await ctx.map("item", items, { concurrency: 4 }, (item) => item + n)).length;
});

const parents = workflow("soak/parents", VERSION, async (ctx, n: number) => ctx.run("child", steps, n));

const retries = workflow("soak/retries", VERSION, async (ctx, n: number) =>
  ctx
    .step("flaky", (step) => {
      if (step.attempt < 3) throw new RetryableError("not yet", { retryAfter: "5ms" });
      return n;
    })
    .retry({ attempts: 3 }),
);

const fails = workflow("soak/fails", VERSION, async (ctx, n: number) => {
  await ctx.step("book", () => n).compensate(() => "undone");
  await ctx.step("break", (): number => {
    throw new PermanentError(`no: ${n}`);
  });
});

const cancelled = workflow("soak/cancelled", VERSION, async (ctx, _n: number) => {
  await ctx.sleep("long", "1h");
});

/** All of them, for the engine. */
export const SOAK_WORKFLOWS: readonly Workflow[] = [
  steps,
  sleeps,
  waits,
  maps,
  parents,
  retries,
  fails,
  cancelled,
] as readonly Workflow[];

/** How a run of each must end, and what it needs from outside. */
const KINDS: readonly ((engine: Engine, n: number) => Promise<string>)[] = [
  async (engine, n) => (await (await engine.start(steps, n)).outcome()).state,
  async (engine, n) => (await (await engine.start(sleeps, n)).outcome()).state,
  async (engine, n) => {
    const run = await engine.start(waits, n);
    await run.signal(GO, "go");
    return (await run.outcome()).state;
  },
  async (engine, n) => (await (await engine.start(maps, n)).outcome()).state,
  async (engine, n) => (await (await engine.start(parents, n)).outcome()).state,
  async (engine, n) => (await (await engine.start(retries, n)).outcome()).state,
  async (engine, n) => (await (await engine.start(fails, n)).outcome()).state,
  async (engine, n) => {
    const run = await engine.start(cancelled, n);
    await run.cancel({ reason: "enough" });
    return (await run.outcome()).state;
  },
];
const ENDS = ["completed", "completed", "completed", "completed", "completed", "completed", "failed", "cancelled"];

/** Runs that one round of all kinds leaves in the file: a child is one, too. */
export const RUNS_PER_ROUND: number = KINDS.length + 1;

/** Do one of each kind. @throws Error when one ends otherwise than it must */
export async function soakRound(engine: Engine, round: number): Promise<void> {
  const states = await Promise.all(KINDS.map((kind) => kind(engine, round)));
  if (states.join() !== ENDS.join()) throw new Error(`round ${round} ended ${states.join(", ")}`);
}
