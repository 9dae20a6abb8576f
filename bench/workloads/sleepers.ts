/**
 * Sleepers: many runs that wait for a far moment. How fast they are started, and how much memory the process holds once
 * all of them are asleep.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Engine, openEngine, workflow } from "stepwell";
import type { Figures, Task } from "../job.ts";
import { createDatabase } from "./database.ts";
import { closedLoop, percentile, perRun, workOptions } from "./measure.ts";

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
  const empty = await createDatabase(task.path, sleeper);
  const engine = await openEngine({ store: `sqlite:${task.path}`, workflows: [sleeper], work: workOptions(task) });
  const emptyRss = process.memoryUsage.rss();
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  const limit = { untilMs: Infinity, runsMax: task.concurrency };
  let order = 0;
  const latencies = await closedLoop(Math.min(CLIENTS, task.concurrency), limit, () =>
    engine.start(sleeper, (order += 1)),
  );
  const elapsedMs = performance.now() - startedMs;
  while (await anyAwake(engine)) await pause(LOOK_MS);
  const cpu = process.cpuUsage(cpuBefore);
  const rss = process.memoryUsage.rss();
  const { flushes } = engine.stats();
  await engine.close();
  const runs = latencies.length;
  const sorted = Float64Array.from(latencies).sort();
  return {
    runs,
    elapsedMs,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    cpuUsPerRun: (cpu.user + cpu.system) / runs,
    flushesPerRun: flushes / runs,
    rssMb: rss / 2 ** 20,
    tenthRatio: null,
    takeoverMs: null,
    recoveryMs: null,
    sleepersMb: (rss - emptyRss) / 2 ** 20,
    growthRatio: null,
    bytesPerStep: null,
    ...perRun(task.path, empty.bytes),
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
