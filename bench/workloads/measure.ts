/**
 * Measure: a warm-up, then the part that counts.
 */
import { openEngine, type Workflow, type WorkOptions } from "stepwell";
import { type Figures, type Task, UNMEASURED } from "../job.ts";
import { createDatabase, perRun } from "./database.ts";
import { readServerCpuUs } from "./server-cpu.ts";

/** When a loop begins no further run. */
export type Limit = { readonly untilMs: number; readonly runsMax: number };

/** What a workload gives to be measured. */
export type Subject = {
  /** Make runs until the limit; the latency of each, in milliseconds. */
  readonly loop: (limit: Limit) => Promise<readonly number[]>;
  /** Commits so far. */
  readonly flushes: () => number;
};

/** What is measured while the workload runs; the rest of Figures is read off the database. */
export type Measured = Omit<Figures, "bytesPerRun" | "rowsPerRun">;

/** Warm up, then measure. @throws Error when no run has completed: there is nothing to divide by */
export async function measure(task: Task, subject: Subject): Promise<Measured> {
  await subject.loop(limitOf(task.warmupMs, task.warmupRuns));
  const flushesBefore = subject.flushes();
  const readCpu = startCpu(task);
  const startedMs = performance.now();
  const latencies = await subject.loop(limitOf(task.measureMs, task.measureRuns));
  const elapsedMs = performance.now() - startedMs;
  const cpu = readCpu();
  const runs = latencies.length;
  if (runs === 0) throw new Error("no run completed in the measured time");
  const sorted = Float64Array.from(latencies).sort();
  return {
    ...UNMEASURED,
    runs,
    elapsedMs,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    ...cpuPerRun(cpu, runs),
    flushesPerRun: (subject.flushes() - flushesBefore) / runs,
    rssMb: process.memoryUsage.rss() / 2 ** 20,
  };
}

/** Processor time in microseconds; the server's null where it is not ours to look at. */
export type Cpu = { readonly ownUs: number; readonly serverUs: number | null };

/** Begin to count processor time; what is returned tells how much it is by now. */
export function startCpu({ serverPid }: Pick<Task, "serverPid">): () => Cpu {
  const before = process.cpuUsage();
  const serverBefore = readServerCpuUs(serverPid);
  return () => {
    const { user, system } = process.cpuUsage(before);
    const server = readServerCpuUs(serverPid);
    return { ownUs: user + system, serverUs: server === null || serverBefore === null ? null : server - serverBefore };
  };
}

/** As Figures have it. */
export function cpuPerRun(cpu: Cpu, runs: number): Pick<Figures, "cpuUsPerRun" | "serverCpuUsPerRun"> {
  return { cpuUsPerRun: cpu.ownUs / runs, serverCpuUsPerRun: cpu.serverUs === null ? null : cpu.serverUs / runs };
}

/** Measure a workflow: `concurrency` clients, each of which starts a run, awaits its result, and starts the next. */
export async function measureWorkflow<Raw, Output>(
  task: Task,
  workflow: Workflow<Raw, Output>,
  input: Raw,
): Promise<Figures> {
  const empty = await createDatabase(task.url, workflow);
  const engine = await openEngine({ store: task.url, workflows: [workflow], work: workOptions(task) });
  const start = engine.start as (workflow: Workflow<Raw, Output>, input: Raw) => ReturnType<typeof engine.start>;
  const one = async (): Promise<unknown> => (await start(workflow, input)).result();
  const loop = (limit: Limit): Promise<readonly number[]> => closedLoop(task.concurrency, limit, one);
  const measured = await measure(task, { loop, flushes: () => engine.stats().flushes });
  await engine.close();
  return { ...measured, ...(await perRun(task.url, empty.bytes)) };
}

/** A worker that never makes a client wait for a slot. */
export function workOptions(task: Task): WorkOptions {
  return { concurrency: Math.max(task.concurrency, 512) };
}

/** Clients of which each does one thing after another until the limit; how long each took, in milliseconds. */
export async function closedLoop(
  clients: number,
  limit: Limit,
  one: () => Promise<unknown>,
): Promise<readonly number[]> {
  const latencies: number[] = [];
  let begun = 0;
  const client = async (): Promise<void> => {
    for (;;) {
      const startedMs = performance.now();
      if (startedMs >= limit.untilMs || begun >= limit.runsMax) return;
      begun += 1;
      await one();
      latencies.push(performance.now() - startedMs);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return latencies;
}

/** From now on. */
export function limitOf(durationMs: number, runsMax: number): Limit {
  return { untilMs: performance.now() + durationMs, runsMax };
}

/** The smallest value that `fraction` of all do not exceed. */
export function percentile(sorted: Float64Array, fraction: number): number | null {
  return sorted[Math.ceil(sorted.length * fraction) - 1] ?? null;
}
