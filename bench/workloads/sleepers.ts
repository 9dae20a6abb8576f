/**
 * Sleepers: many runs that wait for a far moment. How fast they are started, and how much memory the process holds once
 * all of them are asleep.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Engine, openEngine, workflow } from "stepwell";
import { type Figures, type Task, UNMEASURED } from "../job.ts";
import { createDatabase, perRun } from "./database.ts";
import { closedLoop, cpuPerRun, percentile, startCpu, workOptions } from "./measure.ts";

const NAME = "bench/sleepers";

const sleeper = workflow(NAME, { version: "1.0.0" }, async (ctx, _order: number) => {
  await ctx.sleep("cool-off", "30d");
});

/** Callers that start one run after another. */
const CLIENTS = 512;

/** How often it is looked whether all are asleep. */
const LOOK_MS = 20;

/** `concurrency` runs. The time counts from the first start to the last one's acknowledgement; memory, when all sleep. */
export async function measureSleepers(task: Task): Promise<Figures> {
  const empty = await createDatabase(task.url, sleeper);
  const engine = await openEngine({ store: task.url, workflows: [sleeper], work: workOptions(task) });
  const emptyRss = process.memoryUsage.rss();
  const readCpu = startCpu(task);
  const startedMs = performance.now();
  const limit = { untilMs: Infinity, runsMax: task.concurrency };
  let order = 0;
  const latencies = await closedLoop(Math.min(CLIENTS, task.concurrency), limit, () =>
    engine.start(sleeper, (order += 1)),
  );
  const elapsedMs = performance.now() - startedMs;
  while (await anyAwake(engine)) await pause(LOOK_MS);
  const cpu = readCpu();
  const rss = process.memoryUsage.rss();
  const { flushes } = engine.stats();
  await engine.close();
  const runs = latencies.length;
  const sorted = Float64Array.from(latencies).sort();
  return {
    ...UNMEASURED,
    runs,
    elapsedMs,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    ...cpuPerRun(cpu, runs),
    flushesPerRun: flushes / runs,
    rssMb: rss / 2 ** 20,
    sleepersMb: (rss - emptyRss) / 2 ** 20,
    ...(await perRun(task.url, empty.bytes)),
  };
}

/** @throws Error when a run has ended */
async function anyAwake(engine: Engine): Promise<boolean> {
  const {
    runs: [other],
  } = await engine.list({
    workflow: NAME,
    state: ["pending", "running", "paused", "completed", "failed", "quarantined"],
    limit: 1,
  });
  if (other === undefined) return false;
  if (other.state === "pending" || other.state === "running") return true;
  throw new Error(`run ${other.id} is ${other.state}: ${String(other.error)}`);
}
