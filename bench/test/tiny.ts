/** Tiny: jobs so small that a test can run them, and what their rows must be like. */
import { expect } from "vitest";
import type { Place, StoreName } from "../base.ts";
import type { Job, Task, Workload } from "../job.ts";
import { planJobs } from "../plan.ts";
import type { Row } from "../row.ts";
import { aRow } from "./a-row.ts";

const STEPS_PER_RUN: Readonly<Record<Workload, number>> = {
  bare: 5,
  checkout: 5,
  latency: 1,
  tx: 5,
  fanout: 30,
  sequential: 20,
  recovery: 4,
  sleepers: 1,
  growth: 5,
  claim: 0,
  workers: 5,
  idle: 0,
};

/** Rows that are there before. */
const ROWS_BEFORE: Partial<Record<Workload, number>> = { growth: 1_000, claim: 50, workers: 2_000 };

/** Each workload of a store once, and those twice that are compared with a smaller one of their kind. */
export function tinyJobs(store: StoreName): readonly Job[] {
  const workloads = [...new Set(planJobs(true, [store]).map(({ workload }) => workload))];
  return workloads.flatMap((workload) => {
    const concurrency = workload === "recovery" || workload === "sleepers" ? 20 : 4;
    const idle = workload === "idle" ? { warmupMs: 500, measureMs: 2_000 } : {};
    const job = { ...aJob(store, workload), concurrency, warmupRuns: 1, measureRuns: 6, ...idle };
    if (workload === "workers") return [1, 2].map((workers) => ({ ...job, concurrency: workers }));
    return workload === "claim" ? [job, { ...job, concurrency: 5, rowsBefore: 500 }] : [job];
  });
}

function aJob(store: StoreName, workload: Workload): Omit<Job, "concurrency" | "warmupRuns" | "measureRuns"> {
  const rowsBefore = ROWS_BEFORE[workload];
  return {
    store,
    workload,
    stepsPerRun: STEPS_PER_RUN[workload],
    warmupMs: 5_000,
    measureMs: 5_000,
    ...(rowsBefore === undefined ? {} : { rowsBefore }),
  };
}

/** 20 runs to warm up and 300 that are measured, 20 at a time. */
export function tinyTask(store: StoreName, workload: "bare" | "checkout", place: Omit<Place, "remove">): Task {
  const sizes = { concurrency: 20, warmupRuns: 20, measureRuns: 300 };
  return { ...aJob(store, workload), ...sizes, part: "measure", spawnedAtMs: 0, ...place };
}

/** Hold a row of a tiny job against what it must say. */
export function checkRow(row: Row): void {
  const what = `${row.workload}: ${JSON.stringify(row)}`;
  expect(Object.keys(row).toSorted(), what).toEqual(Object.keys(aRow()).toSorted());
  expect(row.fdatasyncPerSecond, what).toBeGreaterThan(0);
  expect(row.rssMb, what).toBeGreaterThan(0);
  const filled = (Object.keys(row) as (keyof Row)[]).filter((name) => !PLAIN.has(name) && row[name] !== null);
  const figures = FILLED[row.workload];
  const served = row.store === "postgres" && figures.includes("cpuUsPerRun") ? ["serverCpuUsPerRun"] : [];
  expect(new Set(filled), what).toEqual(new Set([...figures, ...served]));
  for (const name of filled) expect(row[name], what).toBeGreaterThanOrEqual(0);
  if (row.workload === "idle") return;
  const { runsPerSecond, stepsPerSecond, stepsPerRun, p50Ms, p99Ms, takeoverMs, recoveryMs } = row;
  expect(row.runs, what).toBeGreaterThan(0);
  expect(runsPerSecond, what).toBeGreaterThan(0);
  expect(stepsPerSecond / runsPerSecond - stepsPerRun, what).toBeCloseTo(0, 1);
  const rows = 1 + stepsPerRun + (row.workload === "recovery" ? 1 : 0);
  if (row.rowsPerRun !== null) expect(row.rowsPerRun, what).toBe(rows);
  if (p50Ms !== null && p99Ms !== null) expect(p50Ms, what).toBeLessThanOrEqual(p99Ms);
  if (takeoverMs !== null && recoveryMs !== null) expect(takeoverMs, what).toBeLessThanOrEqual(recoveryMs);
}

/** What every row has, what is no figure, and what compares two rows. */
const PLAIN: ReadonlySet<string> = new Set([
  ...["workload", "store", "concurrency", "stepsPerRun", "round", "runs", "runsPerSecond", "stepsPerSecond"],
  ...["claimRatio", "workersRatio", "rssMb", "goals", "machine", "fdatasyncPerSecond", "versions", "settings"],
]);

const COMMON = ["cpuUsPerRun", "flushesPerRun", "bytesPerRun", "rowsPerRun"];
const USUAL = [...COMMON, "p50Ms", "p99Ms"];

/** What a row has beyond that. A recovered run has a takeover in its history, hence a row more. */
const FILLED: Readonly<Record<Workload, readonly string[]>> = {
  bare: USUAL,
  checkout: [...USUAL, "bareRatio"],
  latency: USUAL,
  tx: USUAL,
  fanout: USUAL,
  sequential: [...USUAL, "tenthRatio"],
  recovery: [...COMMON, "takeoverMs", "recoveryMs"],
  sleepers: [...USUAL, "sleepersMb"],
  growth: [...USUAL, "growthRatio", "bytesPerStep", "rowsBefore"],
  claim: ["claimUs", "rowsBefore"],
  workers: [...COMMON, "rowsBefore"],
  idle: ["queriesPerSecond"],
};
