/** What the processes of these tests execute; every step tells who did it. */
import { z } from "zod";
import { signal } from "../../src/engine/signal.ts";
import { workflow, type Workflow } from "../../src/engine/workflow.ts";

/** Ends what `hot` is busy with. */
export const GO = signal<string>("go");

/** As many steps of so many milliseconds, one after another. */
export type Work = { readonly steps: number; readonly stepMs: number };

/** The workflows, executed by the process called `name`. */
export function openWorkflows(name: string): readonly Workflow<never, unknown>[] {
  const chores = workflow<Work, readonly string[]>("file/chores", { version: "1.0.0" }, async (ctx, work) => {
    const by: string[] = [];
    for (let index = 0; index < work.steps; index += 1) {
      by.push(
        await ctx.step(["chore", index], async () => {
          await new Promise((resolve) => setTimeout(resolve, work.stepMs));
          return name;
        }),
      );
    }
    return by;
  });
  /** Never parks, because a step of it is running: only its inbox, read meanwhile, ends it. */
  const hot = workflow<null, string>("file/hot", { version: "1.0.0" }, async (ctx) => {
    let release = (): void => {};
    const busy = ctx.step("busy", ({ signal: stop }) => {
      const released = new Promise<void>((resolve) => (release = resolve));
      stop.addEventListener("abort", release);
      return released;
    });
    const answer = await ctx.waitFor(GO);
    release();
    await busy;
    return answer.value;
  });
  const asks = workflow<null, string>("file/asks", { version: "1.0.0" }, async (ctx) => {
    const decision = await ctx.approve("sign", { title: "Sign", to: "team", form: z.object({ n: z.number() }) });
    return decision.decisions.map(({ actor }) => actor).join();
  });
  return [chores, hot, asks] as readonly Workflow<never, unknown>[];
}
