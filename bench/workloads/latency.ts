/**
 * Latency: a run of one step, one at a time. Three commits that nobody shares.
 */
import { workflow } from "stepwell";
import type { Figures, Task } from "../job.ts";
import { measureWorkflow } from "./measure.ts";

const greet = workflow("bench/latency", { version: "1.0.0" }, async (ctx, name: string) =>
  ctx.step("greet", () => `Hello, ${name}.`),
);

/** One client in a closed loop. */
export function measureLatency(task: Task): Promise<Figures> {
  return measureWorkflow(task, greet, "Kim");
}
