/**
 * Shapes of breakers: those who call one service through one circuit breaker.
 */
import type { Ctx } from "../../engine/workflow.ts";
import { BREAKER, PLAIN, SERVICE, type ShapeInput, SOUND, step } from "./behaviour.ts";
import type { Scribe } from "./scribe.ts";

/** One call after another, and then two at once; some do not wait while the breaker is open. */
export async function guarded(ctx: Ctx, input: ShapeInput, s: Scribe): Promise<string> {
  const open = input.salt % 4 === 0 ? "fail" : "wait";
  for (let index = 0; index <= input.size; index += 1) {
    const call = ctx
      .step(["call", index], s.work(SERVICE))
      .retry(PLAIN)
      .circuitBreaker({ ...BREAKER, open });
    try {
      await s.see(`call/${index}`, call);
    } catch {
      await step(ctx, s, `without-${index}`, SOUND);
    }
    if (input.salt % 3 === 0) await s.see(`rest-${index}`, ctx.sleep(`rest-${index}`, 1_200));
  }
  const beside = ["left", "right"].map((side) =>
    s
      .see(`beside/${side}`, ctx.step(["beside", side], s.work(SERVICE)).retry(PLAIN).circuitBreaker(BREAKER))
      .catch(() => "failed"),
  );
  await Promise.all(beside);
  return "called";
}
