/**
 * A worker process with runs that write a line of the user's per transaction. Says so inside and after each, so that it
 * can be killed there; ends with 0 once all runs have completed.
 *
 *     node --conditions=stepwell-source tx.ts FILE RUNS LINES
 */
import { openEngine, workflow } from "stepwell";

const [file, runCount, lineCount] = process.argv.slice(2);

const lines = workflow("kill/lines", { version: "1.0.0" }, async (ctx, count: number) => {
  for (let line = 0; line < count; line += 1) {
    await ctx.tx(["line", line], async (tx) => {
      await tx.execute("INSERT INTO lines (run, line) VALUES (?, ?)", [tx.runId, line]);
      console.log("in");
      await new Promise((resolve) => setImmediate(resolve));
    });
    console.log("after");
  }
});

/** The other process may have been first. */
const beaten = (error: unknown): void => {
  if ((error as { readonly code?: unknown }).code !== "RUN_NOT_PAUSED") throw error;
};

const engine = await openEngine({ store: `sqlite:${file}`, workflows: [lines], lease: "2s" });
await engine.tx((tx) => tx.execute("CREATE TABLE IF NOT EXISTS lines (run TEXT NOT NULL, line INTEGER NOT NULL)"));
const ids = Array.from({ length: Number(runCount) }, (_, index) => `run ${index}`);
const runs = await Promise.all(ids.map((id) => engine.start(lines, Number(lineCount), { id })));
// Whoever is killed this often may be set aside; here it is known that the run is not to blame.
for (let open = runs.length; open > 0; await new Promise((resolve) => setTimeout(resolve, 20))) {
  const states = await Promise.all(runs.map(async (run) => (await run.status()).state));
  await Promise.all(
    runs.filter((_, index) => states[index] === "quarantined").map((run) => run.resume().catch(beaten)),
  );
  open = states.filter((state) => state !== "completed").length;
}
await engine.close();
