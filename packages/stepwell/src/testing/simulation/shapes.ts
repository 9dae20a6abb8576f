/**
 * Shapes: the workflows of a simulation, one for each thing that can go wrong.
 *
 * A body hands every outcome to the scribe, and many let it decide which step is
 * next: a replay that saw another value would ask for another step.
 */
import { RunFailed, StepwellError } from "../../model/errors.ts";
import type { Ctx, Workflow } from "../../engine/workflow.ts";
import { workflow } from "../../engine/workflow.ts";
import { APPROVAL, ORDER, PLAIN, ROTTEN, SHAKY, type ShapeInput, SOUND, step, TIMELY, UNDO } from "./behaviour.ts";
import { undoKey } from "./case.ts";
import { guarded } from "./shapes-of-breakers.ts";
import { again } from "./shapes-of-retries.ts";
import { approvals } from "./shapes-of-approval.ts";
import { appointed, beside, contest, items, limited, LIMITED_MS } from "./shapes-of-scope.ts";
import { banked } from "./shapes-of-tx.ts";
import type { StepPolicy } from "./evidence.ts";
import { type Behaviour, type Desk, openScribe, type Scribe } from "./scribe.ts";

/** What the engine is told about retries, for the checker. */
export const POLICIES: Readonly<Record<string, StepPolicy>> = {
  "*": { attemptsMax: PLAIN.attempts, delayMsMin: PLAIN.base, timed: false },
  timed: { attemptsMax: 3, delayMsMin: 100, timed: true },
  call: { attemptsMax: PLAIN.attempts, delayMsMin: 0, timed: false },
  once: { attemptsMax: 1, delayMsMin: 0, timed: false },
  [undoKey("*")]: { attemptsMax: UNDO.attempts, delayMsMin: UNDO.base, timed: false },
};

/** Longest time that any shape takes when nothing goes wrong around it, in ms; its sleeps and timeouts included. */
export const SHAPE_MS_MAX = 150_000;

type Body = (ctx: Ctx, input: ShapeInput, s: Scribe) => Promise<unknown>;

/** Versions of all shapes: the newer continues what the older began. */
export const CODE = { older: "1.0.0", newer: "1.1.0" } as const;
/** One of {@link CODE}. */
export type CodeVersion = (typeof CODE)[keyof typeof CODE];

/** All shapes, their step code writing at `desk`. The names are those of {@link SHAPE_NAMES}. */
export function openShapes(desk: Desk, version: CodeVersion): readonly Workflow<ShapeInput, unknown>[] {
  const shapes = new Map<string, Workflow<ShapeInput, unknown>>();
  for (const [name, body] of Object.entries(bodiesOf((child) => shapes.get(child)!))) {
    const made = workflow<ShapeInput, unknown>(`sim/${name}`, optionsOf(name, version), (ctx, input) =>
      body(ctx, input, openScribe(desk, ctx)),
    );
    shapes.set(name, made);
  }
  return [...shapes.values()];
}

function optionsOf(name: string, version: CodeVersion): { readonly version: string; readonly timeout?: number } {
  return name === "limited" ? { version, timeout: LIMITED_MS } : { version };
}

function bodiesOf(child: (name: string) => Workflow<ShapeInput, unknown>): Readonly<Record<ShapeName, Body>> {
  return {
    sequence,
    fan,
    crowd,
    caught,
    shaped,
    sleepy,
    signals,
    deadline,
    parent: (ctx, input, s) => parent(ctx, input, s, child),
    beside: (ctx, input, s) => beside(ctx, input, s, child),
    saga,
    race,
    mixed,
    floating,
    timed,
    raw,
    derived,
    contest: (ctx, input, s) => contest(ctx, input, s, child),
    items,
    appointed,
    limited: (ctx, input, s) => limited(ctx, input, s, child),
    deadly,
    guarded,
    again,
    approvals,
    banked: (ctx, input, s) => banked(ctx, input, s, child),
  };
}

/** Names of all shapes, without their namespace. */
export const SHAPE_NAMES = [
  "sequence",
  "fan",
  "crowd",
  "caught",
  "shaped",
  "sleepy",
  "signals",
  "deadline",
  "parent",
  "beside",
  "saga",
  "race",
  "mixed",
  "floating",
  "timed",
  "raw",
  "derived",
  "contest",
  "items",
  "appointed",
  "limited",
] as const;

/**
 * One of {@link SHAPE_NAMES}, or one of those that are drawn beside them: that which kills its workers is no ordinary
 * company, some ask people, share a breaker or are retried, and that of transactions holds up everybody.
 */
export type ShapeName = (typeof SHAPE_NAMES)[number] | "deadly" | "approvals" | "guarded" | "again" | "banked";

/** One after another, each named by what the one before returned. */
async function sequence(ctx: Ctx, input: ShapeInput, s: Scribe): Promise<string> {
  let last = "begin";
  for (let index = 0; index < input.size; index += 1) {
    last = await s.see(`link/${index}-${last}`, ctx.step(["link", `${index}-${last}`], s.work(SHAKY)).retry(PLAIN));
    last = last.slice(last.lastIndexOf("#"));
  }
  return last;
}

/** Many side by side, and what they returned decides the name of the last. */
async function fan(ctx: Ctx, input: ShapeInput, s: Scribe): Promise<string> {
  const items = Array.from({ length: input.size * 3 }, (_, index) => index);
  const options = { concurrency: 1 + (input.salt % 4), retry: PLAIN };
  const values = await ctx.map("item", items, options, (_, context) => s.work(SHAKY)(context));
  values.forEach((value, index) => s.saw(`item/${index}`, value));
  const { left, right } = await ctx.all({ left: step(ctx, s, "left"), right: step(ctx, s, "right") });
  return step(
    ctx,
    s,
    `sum-${[...values, left, right].map((value) => value.slice(value.lastIndexOf("#"))).join("")}`,
    SOUND,
  );
}

/** All at once, and most end at the same moment: whole groups of checkpoints in one flush. */
async function crowd(ctx: Ctx, input: ShapeInput, s: Scribe): Promise<string> {
  const heads = Array.from({ length: 8 + input.size * 4 }, (_, index) => index);
  const values = await ctx.map("head", heads, { concurrency: 64, retry: PLAIN }, (_, context) =>
    s.work(TIMELY)(context),
  );
  values.forEach((value, index) => s.saw(`head/${index}`, value));
  return step(ctx, s, `counted-${values.length}`, SOUND);
}

/** A final failure is caught, and the branch taken once is taken for ever. */
async function caught(ctx: Ctx, input: ShapeInput, s: Scribe): Promise<string> {
  for (let index = 0; index < input.size; index += 1) {
    try {
      await step(ctx, s, `try-${index}`, ROTTEN);
      await step(ctx, s, `went-well-${index}`);
    } catch {
      await step(ctx, s, `went-wrong-${index}`, SOUND);
    }
    if (input.salt % 3 === 0) await s.see(`pause-${index}`, ctx.sleep(`pause-${index}`, 1_200));
  }
  await s.see("once", ctx.step("once", s.work(ROTTEN)).retry(1));
  return "caught";
}

/** Failures that become values inside the step. */
async function shaped(ctx: Ctx, _input: ShapeInput, s: Scribe): Promise<unknown> {
  const coded = ctx.step("coded", s.work({ error: 0.6, code: "DECLINED" })).retry(PLAIN);
  const declined = await s.see("coded", coded.onError({ DECLINED: (error) => `declined: ${error.message}` }));
  const fallback = await s.see(
    "fallback",
    ctx
      .step("fallback", s.work(ROTTEN))
      .retry(PLAIN)
      .fallback(() => null),
  );
  const settled = await ctx.step("settled", s.work(ROTTEN)).retry(PLAIN).settle();
  await step(ctx, s, settled.ok ? "settled-well" : "settled-badly", SOUND);
  return [declined, fallback, settled.ok];
}

async function sleepy(ctx: Ctx, input: ShapeInput, s: Scribe): Promise<string> {
  await s.see("nap", ctx.sleep("nap", 40 + input.salt * 10));
  await step(ctx, s, "awake");
  const naps = [s.see("long", ctx.sleep("long", 3_000 + input.salt * 700)), s.see("short", ctx.sleep("short", 900))];
  await Promise.all(naps);
  await step(ctx, s, "awake-again");
  await s.see("none", ctx.sleep("none", 0));
  return "slept";
}

/** Waits without an end; the client sends as many as are awaited, also early, and some are null. */
async function signals(ctx: Ctx, input: ShapeInput, s: Scribe): Promise<unknown> {
  if (input.salt % 2 === 0) await s.see("late", ctx.sleep("late", 2_500));
  const got: unknown[] = [];
  for (let index = 1; index <= input.size; index += 1) {
    const answer = await s.see(`@wait/order/${index}`, ctx.waitFor(ORDER));
    got.push(answer.value);
    await step(ctx, s, `after-${JSON.stringify(answer.value)}-${index}`);
  }
  return got;
}

/** A wait that may end by itself. */
async function deadline(ctx: Ctx, input: ShapeInput, s: Scribe): Promise<string> {
  await step(ctx, s, "before");
  const first = await s.see("@wait/approval/1", ctx.waitFor(APPROVAL, { timeout: 500 + input.salt * 400 }));
  await step(ctx, s, first.ok ? "approved" : "expired", SOUND);
  const second = await s.see("@wait/approval/2", ctx.waitFor(APPROVAL, { timeout: 4_000 }));
  return second.ok ? "twice" : "once";
}

async function parent(
  ctx: Ctx,
  input: ShapeInput,
  s: Scribe,
  child: (name: string) => Workflow<ShapeInput, unknown>,
): Promise<unknown> {
  const smaller = { salt: input.salt, size: 1 + (input.size % 2) };
  const detached = await s.see("detached", ctx.start("detached", child("sleepy"), smaller));
  const first = await s.see("child", ctx.run("child", child(input.salt % 2 === 0 ? "sequence" : "sleepy"), smaller));
  try {
    await s.see("risky", ctx.run("risky", child(input.salt % 3 === 0 ? "saga" : "caught"), smaller));
  } catch (error) {
    if (!(error instanceof StepwellError) && !(error instanceof RunFailed)) throw error;
    await step(ctx, s, "comforted", SOUND);
  }
  return [detached.id, first];
}

/** Steps with compensations; the end is a success, a failure or a cancel, and undoing may fail as well. */
async function saga(ctx: Ctx, input: ShapeInput, s: Scribe): Promise<string> {
  const undoing: Behaviour = { error: 0.25, permanent: input.salt % 5 === 0 ? 0.1 : 0 };
  const book = (name: string, behaviour: Behaviour): Promise<string> =>
    s.see(
      name,
      ctx
        .step(name, s.work(behaviour))
        .retry(PLAIN)
        .compensate((_, context) => s.undo(name, undoing)(context), UNDO),
    );
  await book("hotel", SHAKY);
  await Promise.all([book("flight", SHAKY), book("car", SHAKY), book("visa", ROTTEN).catch(() => "no visa")]);
  if (input.salt % 2 === 0) await s.see("think", ctx.sleep("think", 2_000));
  const stops = Array.from({ length: input.size }, (_, index) => `stop-${index}`);
  for (const stop of stops) await book(stop, SHAKY);
  if (input.salt % 3 !== 0) await step(ctx, s, "pay", { error: 0.2, permanent: 0.5 });
  return "booked";
}

/** The first to end decides, on every replay again. */
async function race(ctx: Ctx, input: ShapeInput, s: Scribe): Promise<string> {
  let last = "";
  for (let index = 0; index < input.size; index += 1) {
    const runners = [`a${index}`, `b${index}`, `c${index}`].map(async (name) => {
      await step(ctx, s, name, SOUND);
      return name;
    });
    const nap = s.see(`nap${index}`, ctx.sleep(`nap${index}`, 60 + input.salt * 5)).then(() => "nap");
    const winner = await Promise.race([...runners, nap]);
    last = await step(ctx, s, `won-by-${winner}-${index}`, SOUND);
    const order: string[] = [];
    await Promise.all([...runners, nap].map((runner) => runner.then((name) => order.push(name))));
    await step(ctx, s, `order-${order.join("-")}-${index}`, SOUND);
  }
  return last;
}

/** A signal against a timer against work; what loses is left open when the body ends. */
async function mixed(ctx: Ctx, input: ShapeInput, s: Scribe): Promise<string> {
  const approved = s.see("@wait/approval/1", ctx.waitFor(APPROVAL)).then(() => "approved");
  const slept = s.see("patience", ctx.sleep("patience", 1_000 + input.salt * 300)).then(() => "impatient");
  const worked = step(ctx, s, "work", SHAKY).then(() => new Promise<string>(() => {}));
  const first = await Promise.race([approved, slept, worked]);
  await step(ctx, s, `then-${first}`, SOUND);
  return first;
}

/** Ends while steps are under way. */
async function floating(ctx: Ctx, input: ShapeInput, s: Scribe): Promise<string> {
  await step(ctx, s, "first", SOUND);
  void ctx.step("adrift", s.work({ msMax: 600 })).retry(PLAIN);
  void ctx
    .step("adrift-with-undo", s.work({ msMax: 600 }))
    .retry(PLAIN)
    .compensate((_, context) => s.undo("adrift-with-undo", SOUND)(context), UNDO);
  void ctx.sleep("forgotten", 30_000);
  if (input.salt % 2 === 0) await step(ctx, s, "second", SOUND);
  if (input.salt % 3 === 0) throw new Error("the body gave up");
  return "left";
}

/** Attempts that time out; their code may go on in vain. */
async function timed(ctx: Ctx, _input: ShapeInput, s: Scribe): Promise<string> {
  const chain = ctx
    .step("timed", s.work({ msMax: 500, hang: 0.3 }))
    .retry({ attempts: 3, base: 100 })
    .timeout(250);
  try {
    await s.see("timed", chain);
    return "in time";
  } catch {
    await step(ctx, s, "too-late");
    return "timed out";
  }
}

/** Plain promises between durable calls: one comes back while the run may be parked. */
async function raw(ctx: Ctx, input: ShapeInput, s: Scribe): Promise<string> {
  const long = s.see("long", ctx.sleep("long", 5_000));
  const meanwhile = s.pause(500 + input.salt * 100).then(() => step(ctx, s, "meanwhile"));
  await Promise.all([long, meanwhile]);
  await s.pause(input.salt * 20);
  return step(ctx, s, "after");
}

/** Randomness without rows, and the clock with one. */
async function derived(ctx: Ctx, _input: ShapeInput, s: Scribe): Promise<string> {
  const id = ctx.uuid("ticket").slice(0, 8);
  const side = ctx.random("side") < 0.5 ? "heads" : "tails";
  const moment = await s.see("moment", ctx.now("moment"));
  ctx.set({ side, stage: "begun" });
  ctx.progress({ at: moment.getTime() });
  await step(ctx, s, `ticket-${id}-${side}`);
  ctx.log("on the way", { side });
  await s.see("rest", ctx.sleep("rest", 1_500));
  ctx.progress("nearly");
  ctx.set({ stage: "rested" });
  return step(ctx, s, `at-${moment.getTime()}`, SOUND);
}

/** Ends the process that executes it; gets on a little before it does. */
async function deadly(ctx: Ctx, input: ShapeInput, s: Scribe): Promise<string> {
  if (input.salt % 2 === 0) await step(ctx, s, "harmless", SOUND);
  return step(ctx, s, "deadly", { deadly: true, msMax: 100 });
}
