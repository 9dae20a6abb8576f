/**
 * Recovery: many runs in flight, kill -9, restart. The first process takes every run to its
 * gate, a step that never ends there; the second opens the gate and carries all of them home.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Engine, openEngine, workflow, type Workflow } from "stepwell";
import { type Figures, READY, type Task, UNMEASURED } from "../job.ts";
import { createDatabase, perRun, readContents } from "./database.ts";
import { cpuPerRun, startCpu, workOptions } from "./measure.ts";

const NAME = "bench/recovery";

/** How often the second process looks whether all runs have completed. */
const LOOK_MS = 2;

/** First life: bring all runs to their gate, say so, and wait for the kill. */
export async function crashMidway(task: Task): Promise<void> {
  let atGate = 0;
  const journey = journeyOf(() => {
    atGate += 1;
    if (atGate === task.concurrency) console.log(READY);
    return new Promise<never>(() => {});
  });
  await createDatabase(task.url, journey);
  const engine = await openEngine({ store: task.url, workflows: [journey], work: workOptions(task) });
  await Promise.all(Array.from({ length: task.concurrency }, (_, index) => engine.start(journey, index)));
}

/** Second life: everything counts, from the start of the process. */
export async function measureRecovery(task: Task): Promise<Figures> {
  const sinceSpawnMs = (): number => Date.now() - task.spawnedAtMs;
  const readCpu = startCpu(task);
  let takeoverMs: number | null = null;
  const journey = journeyOf(() => {
    takeoverMs ??= sinceSpawnMs();
    return Promise.resolve("open");
  });
  const engine = await openEngine({ store: task.url, workflows: [journey], work: workOptions(task) });
  while (await anyUnfinished(engine)) await sleep(LOOK_MS);
  const recoveryMs = sinceSpawnMs();
  const { user, system } = process.cpuUsage();
  const cpu = { ...readCpu(), ownUs: user + system };
  const { flushes } = engine.stats();
  const rssMb = process.memoryUsage.rss() / 2 ** 20;
  await engine.close();
  const { runs } = await readContents(task.url);
  return {
    ...UNMEASURED,
    runs,
    elapsedMs: recoveryMs,
    ...cpuPerRun(cpu, runs),
    flushesPerRun: flushes / runs,
    rssMb,
    takeoverMs,
    recoveryMs,
    ...(await perRun(task.url, 0)),
  };
}

function journeyOf(gate: () => Promise<string>): Workflow<number, string> {
  return workflow(NAME, { version: "1.0.0" }, async (ctx, index: number) => {
    await ctx.step("pack", () => ({ parcel: index }));
    await ctx.step("label", () => ({ label: `parcel ${index}` }));
    const answer = await ctx.step("gate", gate);
    await ctx.step("arrive", () => ({ answer }));
    return answer;
  });
}

/** @throws Error when a run has ended otherwise than completed */
async function anyUnfinished(engine: Engine): Promise<boolean> {
  const { runs } = await engine.list({
    workflow: NAME,
    state: ["pending", "running", "waiting", "paused", "failed", "quarantined"],
    limit: 1,
  });
  const [other] = runs;
  if (other === undefined) return false;
  if (other.state === "pending" || other.state === "running" || other.state === "waiting") return true;
  throw new Error(`run ${other.id} is ${other.state}: ${String(other.error)}`);
}
