/**
 * Goals: what the engine is meant to reach on an ordinary machine with a fast disk. They are
 * shown beside the figures and fail nothing: a slow disk is not a bug.
 */
import type { StoreName } from "./base.ts";
import type { Workload } from "./job.ts";

/** A bound for one figure of one row; `least` or `most`, inclusive. */
export type Goal = {
  readonly workload: Workload;
  readonly concurrency: number;
  /** Of one store alone. */
  readonly store?: StoreName;
  /** Of one size alone: so many steps per run, so many rows before. */
  readonly stepsPerRun?: number;
  readonly rowsBefore?: number;
  readonly figure:
    | "runsPerSecond"
    | "bareRatio"
    | "p50Ms"
    | "recoveryMs"
    | "tenthRatio"
    | "sleepersMb"
    | "growthRatio"
    | "bytesPerStep"
    | "claimRatio"
    | "workersRatio"
    | "queriesPerSecond";
  readonly least?: number;
  readonly most?: number;
};

/** All of them. A step whose price grew with the history would show a tenth ratio of ten or more. */
export const GOALS: readonly Goal[] = [
  { store: "sqlite", workload: "checkout", concurrency: 1, figure: "p50Ms", most: 1.3 },
  { store: "sqlite", workload: "checkout", concurrency: 64, figure: "runsPerSecond", least: 13_000 },
  { store: "sqlite", workload: "checkout", concurrency: 512, figure: "runsPerSecond", least: 20_000 },
  { store: "sqlite", workload: "checkout", concurrency: 512, figure: "bareRatio", least: 0.55 },
  // Five transactions each: a thousand of them per second.
  { store: "sqlite", workload: "tx", concurrency: 1, figure: "runsPerSecond", least: 200 },
  { store: "sqlite", workload: "fanout", concurrency: 1, stepsPerRun: 10_000, figure: "p50Ms", most: 300 },
  { store: "sqlite", workload: "sleepers", concurrency: 100_000, figure: "runsPerSecond", least: 15_000 },
  { store: "postgres", workload: "checkout", concurrency: 1, figure: "p50Ms", most: 4 },
  { store: "postgres", workload: "checkout", concurrency: 64, figure: "runsPerSecond", least: 5_000 },
  { store: "postgres", workload: "checkout", concurrency: 512, figure: "runsPerSecond", least: 8_000 },
  { store: "postgres", workload: "checkout", concurrency: 512, figure: "bareRatio", least: 0.6 },
  { workload: "sequential", concurrency: 1, stepsPerRun: 5_000, figure: "tenthRatio", most: 1.5 },
  { workload: "sequential", concurrency: 1, stepsPerRun: 10_000, figure: "tenthRatio", most: 1.2 },
  { workload: "recovery", concurrency: 1_000, figure: "recoveryMs", most: 2_000 },
  { workload: "sleepers", concurrency: 100_000, figure: "sleepersMb", most: 200 },
  // A machine that is shared measures no finer than this.
  { workload: "growth", concurrency: 64, rowsBefore: 5_000_000, figure: "growthRatio", most: 1.1 },
  { workload: "growth", concurrency: 64, figure: "bytesPerStep", most: 400 },
  { workload: "claim", concurrency: 10_000, figure: "claimRatio", most: 2 },
  { workload: "claim", concurrency: 100_000, figure: "claimRatio", most: 2 },
  { workload: "claim", concurrency: 1_000_000, figure: "claimRatio", most: 2 },
  { workload: "workers", concurrency: 4, figure: "workersRatio", least: 1 },
  { workload: "idle", concurrency: 10, figure: "queriesPerSecond", most: 5 },
];
