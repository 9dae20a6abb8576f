/**
 * Growth: what a step costs on an empty database, and on one that holds millions of checkpoints. If it grew with what was
 * done before, an engine would get slower by getting old.
 *
 * Both are open at once and take turns, so that what else the machine does meets both alike; the middle one of the pairs'
 * ratios is reported. The old rows are written by SQL, in the library's own schema. Where the server's processor time can
 * be read it counts, too.
 */
import { type Engine, openEngine, workflow } from "stepwell";
import { type Figures, type Task, UNMEASURED } from "../job.ts";
import { RESULT } from "./checkout.ts";
import { createDatabase, perRun } from "./database.ts";
import { fillSteps } from "./fill.ts";
import { closedLoop, type Cpu, cpuPerRun, type Limit, limitOf, percentile, startCpu, workOptions } from "./measure.ts";

const pages = workflow("bench/growth", { version: "1.0.0" }, async (ctx, steps: number) => {
  for (let index = 0; index < steps; index += 1) await ctx.step(["page", index], () => RESULT);
});

/** Turns that each database takes. */
const PAIRS = 9;

/** One turn of one database. */
type Turn = { readonly latencies: readonly number[]; readonly cpu: Cpu; readonly elapsedMs: number };

/** Turns of `task.concurrency` clients on either. The figures are those of the full one; bytes those of the empty. */
export async function measureGrowth(task: Task): Promise<Figures> {
  const { bytes } = await createDatabase(task.url, pages);
  await createDatabase(task.otherUrl, pages);
  await fillSteps(task.otherUrl, task.rowsBefore ?? 0, JSON.stringify(RESULT));
  const open = (store: string): Promise<Engine> => openEngine({ store, workflows: [pages], work: workOptions(task) });
  const [empty, full] = await Promise.all([open(task.url), open(task.otherUrl)]);
  for (const engine of [empty, full]) await takeTurn(engine, task, limitOf(task.warmupMs / 2, task.warmupRuns));
  const flushesBefore = full.stats().flushes;
  const pairs: (readonly [onEmpty: Turn, onFull: Turn])[] = [];
  const turnMs = task.measureMs / PAIRS / 2;
  const turnRuns = Math.max(1, Math.floor(task.measureRuns / PAIRS));
  for (let pair = 0; pair < PAIRS; pair += 1) {
    const onEmpty = await takeTurn(empty, task, limitOf(turnMs, turnRuns));
    pairs.push([onEmpty, await takeTurn(full, task, limitOf(turnMs, turnRuns))]);
  }
  const flushes = full.stats().flushes - flushesBefore;
  const rssMb = process.memoryUsage.rss() / 2 ** 20;
  await Promise.all([empty.close(), full.close()]);
  const left = await perRun(task.url, bytes);
  return { ...figuresOf(pairs, flushes), rssMb, ...left, bytesPerStep: left.bytesPerRun / task.stepsPerRun };
}

function figuresOf(pairs: readonly (readonly [Turn, Turn])[], flushes: number): Omit<Figures, "rssMb"> {
  const full = pairs.map(([, onFull]) => onFull);
  const sum = (of: (turn: Turn) => number): number => full.reduce((total, turn) => total + of(turn), 0);
  const serverUs = full.some(({ cpu }) => cpu.serverUs === null) ? null : sum(({ cpu }) => cpu.serverUs ?? 0);
  const sorted = Float64Array.from(full.flatMap((turn) => turn.latencies)).sort();
  const ratios = pairs.map(([onEmpty, onFull]) => allCpuPerRun(onFull) / allCpuPerRun(onEmpty)).sort((a, b) => a - b);
  return {
    ...UNMEASURED,
    runs: sorted.length,
    elapsedMs: sum((turn) => turn.elapsedMs),
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    ...cpuPerRun({ ownUs: sum(({ cpu }) => cpu.ownUs), serverUs }, sorted.length),
    flushesPerRun: flushes / sorted.length,
    growthRatio: ratios[ratios.length >> 1] ?? null,
  };
}

function allCpuPerRun({ cpu, latencies }: Turn): number {
  return (cpu.ownUs + (cpu.serverUs ?? 0)) / latencies.length;
}

/** @throws Error when no run has completed: there is nothing to divide by */
async function takeTurn(engine: Engine, task: Task, limit: Limit): Promise<Turn> {
  const readCpu = startCpu(task);
  const startedMs = performance.now();
  const latencies = await closedLoop(task.concurrency, limit, () => engine.run(pages, task.stepsPerRun));
  const cpu = readCpu();
  if (latencies.length === 0) throw new Error("no run completed in the measured time");
  return { latencies, cpu, elapsedMs: performance.now() - startedMs };
}
