/**
 * Shapes of scope: races between calls, a child beside steps, a ctx per item, moments, and a
 * run whose time may be up. See shapes.ts.
 */
import { RunFailed, StepwellError } from "../../model/errors.ts";
import type { Ctx, Workflow } from "../../engine/workflow.ts";
import { APPROVAL, PLAIN, SHAKY, type ShapeInput, SOUND, step, UNDO } from "./behaviour.ts";
import type { Behaviour, Scribe } from "./scribe.ts";

type FindChild = (name: string) => Workflow<ShapeInput, unknown>;

/** Time for a `limited` run as a whole, in ms: about half of them need more. */
export const LIMITED_MS = 6_000;

/** Takes its time, tells of itself, and may never end. */
const STRAINED: Behaviour = { msMax: 1_500, error: 0.2, hang: 0.2, beats: true };

/** Work against time, a signal, a map and a child; what loses is over for good. */
export async function contest(ctx: Ctx, input: ShapeInput, s: Scribe, child: FindChild): Promise<unknown> {
  const winners: string[] = [];
  for (let index = 0; index < input.size; index += 1) {
    const items = Array.from({ length: input.size }, (_, item) => item);
    const options = { concurrency: 1 + (input.salt % 3), retry: PLAIN };
    const contenders = {
      work: ctx.step(`work-${index}`, s.work(STRAINED)).retry(PLAIN),
      patience: ctx.sleep(`patience-${index}`, 150 + ((input.salt + index * 7) % 30) * 70),
      approved: ctx.waitFor(APPROVAL, { timeout: 9_000 }),
      parts: ctx.map(`part-${index}`, items, options, (_, context) => s.work({ ...SHAKY, msMax: 700 })(context)),
      child: ctx.run(`child-${index}`, child("sleepy"), { salt: input.salt, size: 1 }),
      plain: s.pause(2_500).then(() => "plain"),
    };
    const winner = await s.see(`first-${index}`, ctx.race(`first-${index}`, contenders)).then(
      (first) => first.winner,
      (error: unknown) => whenItFailed(error),
    );
    winners.push(winner);
    await step(ctx, s, `won-by-${winner}-${index}`, SOUND);
  }
  return winners;
}

/** A child is awaited while steps go on beside it. */
export async function beside(ctx: Ctx, input: ShapeInput, s: Scribe, child: FindChild): Promise<string> {
  const steps = async (): Promise<string> => {
    let last = "begin";
    for (let index = 0; index <= input.size * 2; index += 1) {
      last = await step(ctx, s, `beside-${index}-${last.slice(last.lastIndexOf("#"))}`);
    }
    return last;
  };
  const run = ctx.run("child", child(input.salt % 2 === 0 ? "sequence" : "sleepy"), { salt: input.salt, size: 1 });
  const told = s.see("child", run).then(() => "well", whenItFailed);
  const [how] = await Promise.all([told, steps()]);
  return step(ctx, s, `both-${how}`, SOUND);
}

/** Refusals are no outcome of a race, or of a child. */
function whenItFailed(error: unknown): string {
  if (error instanceof StepwellError && error.code === "CTX_AFTER_END") throw error;
  return "failure";
}

/** Every item has the same names, and a ctx of its own; also within one another. */
export async function items(ctx: Ctx, input: ShapeInput, s: Scribe): Promise<unknown> {
  const names = Array.from({ length: input.size }, (_, index) => `i${index}`);
  const options = { concurrency: 1 + (input.salt % 3) };
  return ctx.each("item", names, options, async (item, name, index) => {
    const at = `item/${name}`;
    await s.see(`${at}/load`, item.step("load", s.work(SHAKY)).retry(PLAIN));
    await s.see(`${at}/rest`, item.sleep("rest", 50 + ((input.salt + index * 3) % 9) * 250));
    const patience = 400 + input.salt * 30;
    const answer = await s.see(`${at}/@wait/approval/1`, item.waitFor(APPROVAL, { timeout: patience }));
    const parts = await item.each("part", [1, 2], {}, (part, n) =>
      s.see(`${at}/part/${n}/make`, part.step("make", s.work(SHAKY)).retry(PLAIN)),
    );
    const last = `done-${answer.ok}-${item.random("side") < 0.5 ? "heads" : "tails"}-${parts.length}`;
    return s.see(`${at}/${last}`, item.step(last, s.work(SOUND)).retry(PLAIN));
  });
}

/** Moments to come and moments that have passed. */
export async function appointed(ctx: Ctx, input: ShapeInput, s: Scribe): Promise<string> {
  const now = await s.see("now", ctx.now("now"));
  await s.see("missed", ctx.sleepUntil("missed", new Date(now.getTime() - 1_000)));
  await step(ctx, s, "before");
  await s.see("appointment", ctx.sleepUntil("appointment", now.getTime() + 200 + input.salt * 130));
  return step(ctx, s, "after");
}

/** Has done something that must be undone when its time is up. */
export async function limited(ctx: Ctx, input: ShapeInput, s: Scribe, child: FindChild): Promise<string> {
  for (const room of ["red", "blue"]) {
    const booking = ctx.step(room, s.work(SHAKY)).retry(PLAIN);
    await s.see(
      room,
      booking.compensate((_, context) => s.undo(room, { error: 0.2 })(context), UNDO),
    );
  }
  await s.see("nap", ctx.sleep("nap", input.salt * 230));
  await step(ctx, s, "work", { msMax: 900, error: 0.2 });
  try {
    if (input.salt % 3 === 0) await s.see("child", ctx.run("child", child("sleepy"), { salt: input.salt, size: 1 }));
  } catch (error) {
    if (!(error instanceof StepwellError) && !(error instanceof RunFailed)) throw error;
  }
  await step(ctx, s, "more");
  return "in time";
}
