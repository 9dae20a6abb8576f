/**
 * Fan-out: one run at a time maps over many items, all of them under way at once.
 */
import { workflow } from "stepwell";
import type { Figures, Task } from "../job.ts";
import { measureWorkflow } from "./measure.ts";

const fanout = workflow("bench/fanout", { version: "1.0.0" }, async (ctx, items: number) => {
  const all = Array.from({ length: items }, (_, index) => index);
  const parcels = await ctx.map("ship", all, {}, (index) => ({ carrier: "north", parcel: index }));
  return parcels.length;
});

/** `stepsPerRun` items in every run. */
export function measureFanout(task: Task): Promise<Figures> {
  return measureWorkflow(task, fanout, task.stepsPerRun);
}
