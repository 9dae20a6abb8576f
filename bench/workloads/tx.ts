/**
 * Tx: runs whose steps write a row of the user's each, in the transaction of their checkpoint. Nobody shares such a
 * commit, and on SQLite nobody else commits meanwhile.
 */
import { openEngine, workflow } from "stepwell";
import type { Figures, Task } from "../job.ts";
import { measureWorkflow } from "./measure.ts";

/** `stepsPerRun` transactions in every run. */
export async function measureTx(task: Task): Promise<Figures> {
  const [one, two] = task.store === "postgres" ? ["$1", "$2"] : ["?", "?"];
  const insert = `INSERT INTO bench_lines (run, line) VALUES (${one}, ${two})`;
  const lines = workflow("bench/tx", { version: "1.0.0" }, async (ctx, count: number) => {
    for (let line = 0; line < count; line += 1) {
      await ctx.tx(["line", line], (tx) => tx.execute(insert, [tx.runId, line]));
    }
    return count;
  });
  const engine = await openEngine({ store: task.url });
  await engine.tx((tx) => tx.execute("CREATE TABLE bench_lines (run TEXT NOT NULL, line INTEGER NOT NULL)"));
  await engine.close();
  return measureWorkflow(task, lines, task.stepsPerRun);
}
