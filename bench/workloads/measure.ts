/**
 * Measure: a warm-up, then the part that counts.
 */
import { type EngineOptions, openEngine, type Workflow } from "stepwell";
import type { Figures, Task } from "../job.ts";
import { createDatabase, readContents } from "./database.ts";

/** When a loop begins no further run. */
export type Limit = { readonly untilMs: number; readonly runsMax: number };

/** What a workload gives to be measured. */
export type Subject = {
  /** Make runs until the limit; the latency of each, in milliseconds. */
  readonly loop: (limit: Limit) => Promise<readonly number[]>;
  /** Commits so far. */
  readonly flushes: () => number;
};

/** What is measured while the workload runs; the rest of Figures is read off the file. */
export type Measured = Omit<Figures, "bytesPerRun" | "rowsPerRun">;

/** Warm up, then measure. @throws Error when no run has completed: there is nothing to divide by */
export async function measure(task: Task, subject: Subject): Promise<Measured> {
  await subject.loop(limitOf(task.warmupMs, task.warmupRuns));
  const flushesBefore = subject.flushes();
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  const latencies = await subject.loop(limitOf(task.measureMs, task.measureRuns));
  const elapsedMs = performance.now() - startedMs;
  const cpu = process.cpuUsage(cpuBefore);
  const runs = latencies.length;
  if (runs === 0) throw new Error("no run completed in the measured time");
  const sorted = Float64Array.from(latencies).sort();
  return {
    runs,
    elapsedMs,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    cpuUsPerRun: (cpu.user + cpu.system) / runs,
    flushesPerRun: (subject.flushes() - flushesBefore) / runs,
    rssMb: process.memoryUsage.rss() / 2 ** 20,
    tenthRatio: null,
    takeoverMs: null,
    recoveryMs: null,
    sleepersMb: null,
    growthRatio: null,
    bytesPerStep: null,
  };
}

/** Measure a workflow: `concurrency` clients, each of which starts a run, awaits its result, and starts the next. */
export async function measureWorkflow<Raw, Output>(
  task: Task,
  workflow: Workflow<Raw, Output>,
  input: Raw,
): Promise<Figures> {
  const empty = await createDatabase(task.path, workflow);
  const engine = await openEngine({ store: `sqlite:${task.path}`, workflows: [workflow], work: workOptions(task) });
  const start = engine.start as (workflow: Workflow<Raw, Output>, input: Raw) => ReturnType<typeof engine.start>;
  const one = async (): Promise<unknown> => (await start(workflow, input)).result();
  const loop = (limit: Limit): Promise<readonly number[]> => closedLoop(task.concurrency, limit, one);
  const measured = await measure(task, { loop, flushes: () => engine.stats().flushes });
  await engine.close();
  return { ...measured, ...perRun(task.path, empty.bytes) };
}

/** A worker that never makes a client wait for a slot. */
export function workOptions(task: Task): NonNullable<EngineOptions["work"]> {
  return { concurrency: Math.max(task.concurrency, 512) };
}

/** What each run has left in the file, which had `emptyBytes` without any. */
export function perRun(path: string, emptyBytes: number): Pick<Figures, "bytesPerRun" | "rowsPerRun"> {
  const { bytes, runs, rows } = readContents(path);
  return { bytesPerRun: (bytes - emptyBytes) / runs, rowsPerRun: rows / runs };
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

function limitOf(durationMs: number, runsMax: number): Limit {
  return { untilMs: performance.now() + durationMs, runsMax };
}

/** The smallest value that `fraction` of all do not exceed. */
export function percentile(sorted: Float64Array, fraction: number): number | null {
  return sorted[Math.ceil(sorted.length * fraction) - 1] ?? null;
}
