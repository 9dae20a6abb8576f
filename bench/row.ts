/**
 * Row: one line of the benchmark's output, and what is made of several.
 */
import { type Goal, GOALS } from "./goal.ts";
import type { Figures, Job, Workload } from "./job.ts";
import type { Setting } from "./machine.ts";

/** A goal, and whether this row meets it. */
export type Judged = {
  readonly figure: keyof Row;
  readonly least?: number;
  readonly most?: number;
  readonly met: boolean;
};

/** One line. Null: has no meaning for this workload, or was not measured in this run. */
export type Row = {
  readonly workload: Workload;
  readonly store: "sqlite";
  readonly concurrency: number;
  readonly stepsPerRun: number;
  /** 1-based; `median`: of each figure over all rounds. */
  readonly round: number | "median";
  /** Completed in the measured time. */
  readonly runs: number;
  readonly runsPerSecond: number;
  readonly stepsPerSecond: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly cpuUsPerRun: number;
  readonly flushesPerRun: number;
  readonly rssMb: number;
  readonly bytesPerRun: number;
  readonly rowsPerRun: number;
  /** `checkout`: its runs per second over those of `bare`, measured just before it. A median is that of the pairs. */
  readonly bareRatio: number | null;
  readonly tenthRatio: number | null;
  readonly takeoverMs: number | null;
  readonly recoveryMs: number | null;
  readonly sleepersMb: number | null;
  readonly growthRatio: number | null;
  readonly bytesPerStep: number | null;
  /** `growth`: checkpoints that were in the file before. */
  readonly rowsBefore: number | null;
  readonly goals: readonly Judged[];
} & Setting;

/** The row of a job. `earlier`: rows of this round so far, among which its `bare` may be. */
export function toRow(job: Job, figures: Figures, round: number, context: Context): Row {
  const { workload, concurrency, stepsPerRun } = job;
  const runsPerSecond = figures.runs / (figures.elapsedMs / 1_000);
  const bare = context.earlier.find((row) => row.workload === "bare" && row.concurrency === concurrency);
  return judged({
    workload,
    store: "sqlite",
    concurrency,
    stepsPerRun,
    round,
    runs: figures.runs,
    runsPerSecond: rounded(runsPerSecond),
    stepsPerSecond: rounded(runsPerSecond * stepsPerRun),
    p50Ms: roundedOrNull(figures.p50Ms),
    p99Ms: roundedOrNull(figures.p99Ms),
    cpuUsPerRun: rounded(figures.cpuUsPerRun),
    flushesPerRun: rounded(figures.flushesPerRun),
    rssMb: rounded(figures.rssMb),
    bytesPerRun: rounded(figures.bytesPerRun),
    rowsPerRun: rounded(figures.rowsPerRun),
    bareRatio: workload !== "checkout" || bare === undefined ? null : rounded(runsPerSecond / bare.runsPerSecond),
    tenthRatio: roundedOrNull(figures.tenthRatio),
    takeoverMs: figures.takeoverMs,
    recoveryMs: figures.recoveryMs,
    sleepersMb: roundedOrNull(figures.sleepersMb),
    growthRatio: roundedOrNull(figures.growthRatio),
    bytesPerStep: roundedOrNull(figures.bytesPerStep),
    rowsBefore: job.rowsBefore ?? null,
    goals: [],
    ...context.setting,
  });
}

/** What a row is seen with. */
export type Context = { readonly earlier: readonly Row[]; readonly setting: Setting };

/** One row for each job, with the median of each figure; in the order of the jobs. */
export function medianRows(rows: readonly Row[]): readonly Row[] {
  const groups = Map.groupBy(rows, (row) => `${row.workload}@${row.concurrency}`);
  return [...groups.values()].map((group) => {
    const first = group[0]!;
    const medians = FIGURES.map((figure) => [figure, median(group.map((row) => row[figure]))]);
    return judged({ ...first, ...(Object.fromEntries(medians) as Partial<Row>), round: "median" });
  });
}

const FIGURES = [
  "runs",
  "runsPerSecond",
  "stepsPerSecond",
  "p50Ms",
  "p99Ms",
  "cpuUsPerRun",
  "flushesPerRun",
  "rssMb",
  "bytesPerRun",
  "rowsPerRun",
  "bareRatio",
  "tenthRatio",
  "takeoverMs",
  "recoveryMs",
  "sleepersMb",
  "growthRatio",
  "bytesPerStep",
] as const satisfies readonly (keyof Row)[];

/** Of the numbers; the mean of the two in the middle when their count is even. Null when there are none. */
function median(values: readonly (number | null)[]): number | null {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : rounded((sorted[middle - 1]! + sorted[middle]!) / 2);
}

function judged(row: Row): Row {
  const goals = GOALS.filter((goal) => isGoalOf(goal, row));
  return {
    ...row,
    goals: goals.flatMap(({ figure, least, most }) => {
      const value = row[figure];
      if (value === null) return [];
      const met = value >= (least ?? -Infinity) && value <= (most ?? Infinity);
      return [{ figure, ...(least === undefined ? {} : { least }), ...(most === undefined ? {} : { most }), met }];
    }),
  };
}

/** A goal that names a size is one for that size alone. */
function isGoalOf({ workload, concurrency, stepsPerRun, rowsBefore }: Goal, row: Row): boolean {
  return (
    workload === row.workload &&
    concurrency === row.concurrency &&
    (stepsPerRun ?? row.stepsPerRun) === row.stepsPerRun &&
    (rowsBefore ?? row.rowsBefore) === row.rowsBefore
  );
}

/** Four significant digits, or all that stand before the point. */
function rounded(value: number): number {
  return Math.abs(value) >= 1_000 ? Math.round(value) : Number(value.toPrecision(4));
}

function roundedOrNull(value: number | null): number | null {
  return value === null ? null : rounded(value);
}
