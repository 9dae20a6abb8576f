/**
 * Sequential: one long run, step after step. If a step's price grew with the length of
 * the history before it, the last tenth would take longer than the first.
 */
import { workflow, type Workflow } from "stepwell";
import type { Figures, Task } from "../job.ts";
import { measureWorkflow } from "./measure.ts";

/** `stepsPerRun` steps in every run; the middle one of the runs' ratios is reported. */
export async function measureSequential(task: Task): Promise<Figures> {
  const tenth = Math.max(1, Math.floor(task.stepsPerRun / 10));
  await warmUp(task, tenth);
  const ratios: number[] = [];
  const figures = await measureWorkflow(
    task,
    pagesOf((marksMs) => ratios.push(tenthRatio(marksMs, tenth))),
    task.stepsPerRun,
  );
  ratios.sort((a, b) => a - b);
  return { ...figures, tenthRatio: ratios[ratios.length >> 1] ?? null };
}

/** On a database of its own: a full run takes long, and a short one would blur what a run leaves behind. */
async function warmUp(task: Task, steps: number): Promise<void> {
  const short = { ...task, url: task.otherUrl, measureRuns: 1 };
  await measureWorkflow(
    short,
    pagesOf(() => {}),
    steps,
  );
}

/** `report` gets the start and the end of every step. */
function pagesOf(report: (marksMs: readonly number[]) => void): Workflow<number, number> {
  return workflow("bench/sequential", { version: "1.0.0" }, async (ctx, steps: number) => {
    const marksMs = [performance.now()];
    for (let index = 0; index < steps; index += 1) {
      await ctx.step(["page", index], () => ({ page: index, rows: 100 }));
      marksMs.push(performance.now());
    }
    report(marksMs);
    return steps;
  });
}

function tenthRatio(marksMs: readonly number[], tenth: number): number {
  const last = marksMs.length - 1;
  return (marksMs[last]! - marksMs[last - tenth]!) / (marksMs[tenth]! - marksMs[0]!);
}
