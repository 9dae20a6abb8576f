/**
 * Plan: which jobs a benchmark has, in which order, at which sizes.
 */
import type { StoreName } from "./base.ts";
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

/** All jobs, store by store, each `bare` just before the `checkout` that is compared with it. */
export function planJobs(quick: boolean, stores: readonly StoreName[] = ["sqlite"]): readonly Job[] {
  return stores.flatMap((store) => {
    const sizes = [...pairs(quick), ...engineJobs(quick), ...(store === "postgres" ? fleetJobs(quick) : [])];
    return sizes.map((size): Job => ({ store, ...size }));
  });
}

type Size = Omit<Job, "store">;

const NO_LIMITS = { warmupRuns: NO_LIMIT, measureRuns: NO_LIMIT };

function pairs(quick: boolean): readonly Size[] {
  const same = { stepsPerRun: 5, ...timesOf(quick), ...NO_LIMITS };
  return CONCURRENCIES.flatMap((concurrency): Size[] => [
    { workload: "bare", concurrency, ...same },
    { workload: "checkout", concurrency, ...same },
  ]);
}

function engineJobs(quick: boolean): readonly Size[] {
  const alone = { concurrency: 1, ...timesOf(quick), ...NO_LIMITS };
  const once = { ...timesOf(quick), warmupRuns: 0, measureRuns: 1 };
  return [
    { workload: "latency", stepsPerRun: 1, ...alone },
    { workload: "tx", stepsPerRun: 5, ...alone },
    { workload: "tx", stepsPerRun: 5, ...alone, concurrency: 64 },
    { workload: "fanout", stepsPerRun: quick ? 1_000 : 10_000, ...alone },
    { workload: "sequential", stepsPerRun: quick ? 5_000 : 10_000, ...alone, warmupRuns: 0 },
    { workload: "recovery", concurrency: 1_000, stepsPerRun: 4, ...once },
    { workload: "sleepers", concurrency: quick ? 10_000 : 100_000, stepsPerRun: 1, ...once },
    { workload: "growth", stepsPerRun: 20, ...alone, concurrency: 64, rowsBefore: quick ? 200_000 : 5_000_000 },
  ];
}

/** What concerns several workers, or the claims that keep them apart. The smallest of a kind stands before the others. */
function fleetJobs(quick: boolean): readonly Size[] {
  const claims = quick ? [1_000, 10_000, 100_000] : [1_000, 10_000, 100_000, 1_000_000];
  const claimed = { stepsPerRun: 0, ...timesOf(quick), warmupRuns: 100, measureRuns: 800 };
  const shared = { stepsPerRun: 5, ...timesOf(quick), ...NO_LIMITS, rowsBefore: quick ? 50_000 : 250_000 };
  const idle = { warmupMs: quick ? 2_000 : 5_000, measureMs: quick ? 10_000 : 60_000 };
  return [
    ...claims.map((rows): Size => ({ workload: "claim", concurrency: rows, rowsBefore: rows, ...claimed })),
    { workload: "workers", concurrency: 1, ...shared },
    { workload: "workers", concurrency: 4, ...shared },
    { workload: "idle", concurrency: 10, stepsPerRun: 0, ...idle, warmupRuns: 0, measureRuns: 0 },
  ];
}

function timesOf(quick: boolean): Times {
  return quick ? QUICK : LONG;
}

/** The jobs that `only` names. Null when it names one that the plan has not. */
export function chooseJobs(jobs: readonly Job[], only: readonly Chosen[] | null): readonly Job[] | null {
  if (only === null) return jobs;
  const names = (chosen: Chosen, job: Job): boolean =>
    chosen.workload === job.workload && (chosen.concurrency ?? job.concurrency) === job.concurrency;
  if (only.some((chosen) => !jobs.some((job) => names(chosen, job)))) return null;
  return jobs.filter((job) => only.some((chosen) => names(chosen, job)));
}
