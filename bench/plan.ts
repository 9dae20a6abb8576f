/**
 * Plan: which jobs a benchmark has, in which order, at which sizes.
 */
import type { Chosen } from "./flags.ts";
import type { Job } from "./job.ts";

/** Clients of `checkout`, and runs in lock-step of `bare`. */
export const CONCURRENCIES: readonly number[] = [1, 64, 512];

/** Time limits per job; a job that counts runs may need more. */
type Times = { readonly warmupMs: number; readonly measureMs: number };

const QUICK: Times = { warmupMs: 400, measureMs: 1_500 };
const LONG: Times = { warmupMs: 2_000, measureMs: 12_000 };

/** More than any job reaches in its time. */
const NO_LIMIT = 1e9;

/** All jobs, each `bare` just before the `checkout` that is compared with it. */
export function planJobs(quick: boolean): readonly Job[] {
  const times = quick ? QUICK : LONG;
  const counts = { warmupRuns: NO_LIMIT, measureRuns: NO_LIMIT };
  const pairs = CONCURRENCIES.flatMap((concurrency): Job[] => [
    { workload: "bare", concurrency, stepsPerRun: 5, ...times, ...counts },
    { workload: "checkout", concurrency, stepsPerRun: 5, ...times, ...counts },
  ]);
  return [
    ...pairs,
    { workload: "latency", concurrency: 1, stepsPerRun: 1, ...times, ...counts },
    { workload: "fanout", concurrency: 1, stepsPerRun: quick ? 1_000 : 10_000, ...times, ...counts },
    { workload: "sequential", concurrency: 1, stepsPerRun: quick ? 5_000 : 10_000, ...times, ...counts, warmupRuns: 0 },
    { workload: "recovery", concurrency: 1_000, stepsPerRun: 4, ...times, warmupRuns: 0, measureRuns: 1 },
    {
      workload: "sleepers",
      concurrency: quick ? 10_000 : 100_000,
      stepsPerRun: 1,
      ...times,
      warmupRuns: 0,
      measureRuns: 1,
    },
    {
      workload: "growth",
      concurrency: 64,
      stepsPerRun: 20,
      ...times,
      ...counts,
      rowsBefore: quick ? 200_000 : 5_000_000,
    },
  ];
}

/** The jobs that `only` names. Null when it names one that the plan has not. */
export function chooseJobs(jobs: readonly Job[], only: readonly Chosen[] | null): readonly Job[] | null {
  if (only === null) return jobs;
  const names = (chosen: Chosen, job: Job): boolean =>
    chosen.workload === job.workload && (chosen.concurrency ?? job.concurrency) === job.concurrency;
  if (only.some((chosen) => !jobs.some((job) => names(chosen, job)))) return null;
  return jobs.filter((job) => only.some((chosen) => names(chosen, job)));
}
