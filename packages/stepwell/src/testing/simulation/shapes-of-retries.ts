/**
 * Shapes of retries: those whose end an operator does not accept.
 */
import type { Ctx } from "../../engine/workflow.ts";
import { PLAIN, SERVICE, type ShapeInput, SOUND } from "./behaviour.ts";
import type { Scribe } from "./scribe.ts";

/** Little patience with a service that is down now and then; what was done is undone, or stays. */
const HASTY = { ...PLAIN, attempts: 2 } as const;

/** One step after another, of which every other one can be undone; the failure of the middle one may be lived with. */
export async function again(ctx: Ctx, input: ShapeInput, s: Scribe): Promise<string> {
  for (let index = 0; index <= input.size; index += 1) {
    const key = `do-${index}`;
    const step = ctx.step(key, s.work(SERVICE)).retry(HASTY);
    const done = index % 2 === 0 ? step : step.compensate((_, context) => s.undo(key, SOUND)(context));
    if (index === 1 && input.salt % 3 === 0) await s.see(key, done).catch(() => "failed");
    else await s.see(key, done);
  }
  return "done";
}
