/**
 * Row: one line of the benchmark's output, and what is made of several.
 */
import type { StoreName } from "./base.ts";
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
  readonly store: StoreName;
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
  readonly cpuUsPerRun: number | null;
  readonly serverCpuUsPerRun: number | null;
  readonly flushesPerRun: number | null;
  readonly rssMb: number;
  readonly bytesPerRun: number | null;
  readonly rowsPerRun: number | null;
  /** `checkout`: its runs per second over those of `bare`, measured just before it. A median is that of the pairs. */
  readonly bareRatio: number | null;
  readonly tenthRatio: number | null;
  readonly takeoverMs: number | null;
  readonly recoveryMs: number | null;
  readonly sleepersMb: number | null;
  readonly growthRatio: number | null;
  readonly bytesPerStep: number | null;
  readonly claimUs: number | null;
  /** `claim`: the server's time per claimed run over that of the fewest due runs, measured before. */
  readonly claimRatio: number | null;
  /** `workers`: runs per second of several over those of one, measured just before. */
  readonly workersRatio: number | null;
  readonly queriesPerSecond: number | null;
  /** `growth`, `claim`, `workers`: rows that were there before. */
  readonly rowsBefore: number | null;
  readonly goals: readonly Judged[];
} & Setting;

/** The row of a job. `earlier`: rows of this round so far, among which those may be that it is compared with. */
export function toRow(job: Job, figures: Figures, round: number, context: Context): Row {
  const { store, workload, concurrency, stepsPerRun } = job;
  const runsPerSecond = figures.runs / (figures.elapsedMs / 1_000);
  return judged({
    workload,
    store,
    concurrency,
    stepsPerRun,
    round,
    runs: figures.runs,
    runsPerSecond: rounded(runsPerSecond),
    stepsPerSecond: rounded(runsPerSecond * stepsPerRun),
    p50Ms: roundedOrNull(figures.p50Ms),
    p99Ms: roundedOrNull(figures.p99Ms),
    cpuUsPerRun: roundedOrNull(figures.cpuUsPerRun),
    serverCpuUsPerRun: roundedOrNull(figures.serverCpuUsPerRun),
    flushesPerRun: roundedOrNull(figures.flushesPerRun),
    rssMb: rounded(figures.rssMb),
    bytesPerRun: roundedOrNull(figures.bytesPerRun),
    rowsPerRun: roundedOrNull(figures.rowsPerRun),
    ...ratios(job, { runsPerSecond, claimUs: figures.claimUs }, context.earlier),
    tenthRatio: roundedOrNull(figures.tenthRatio),
    takeoverMs: figures.takeoverMs,
    recoveryMs: figures.recoveryMs,
    sleepersMb: roundedOrNull(figures.sleepersMb),
    growthRatio: roundedOrNull(figures.growthRatio),
    bytesPerStep: roundedOrNull(figures.bytesPerStep),
    claimUs: roundedOrNull(figures.claimUs),
    queriesPerSecond: roundedOrNull(figures.queriesPerSecond),
    rowsBefore: job.rowsBefore ?? null,
    goals: [],
    ...context.setting,
  });
}

/** What a row is, compared with an earlier one of the same store. Null where there is none, or nothing to compare. */
function ratios(
  { store, workload, concurrency }: Job,
  found: { readonly runsPerSecond: number; readonly claimUs: number | null },
  earlier: readonly Row[],
): Pick<Row, "bareRatio" | "claimRatio" | "workersRatio"> {
  const before = (other: Workload): readonly Row[] =>
    earlier.filter((row) => row.store === store && row.workload === other);
  const over = (value: number | null, base: number | null | undefined): number | null =>
    value === null || base === null || base === undefined ? null : rounded(value / base);
  const bare = before("bare").find((row) => row.concurrency === concurrency)?.runsPerSecond;
  return {
    bareRatio: workload === "checkout" ? over(found.runsPerSecond, bare) : null,
    claimRatio: workload === "claim" ? over(found.claimUs, before("claim")[0]?.claimUs) : null,
    workersRatio: workload === "workers" ? over(found.runsPerSecond, before("workers")[0]?.runsPerSecond) : null,
  };
}

/** What a row is seen with. */
export type Context = { readonly earlier: readonly Row[]; readonly setting: Setting };

/** One row for each job, with the median of each figure; in the order of the jobs. */
export function medianRows(rows: readonly Row[]): readonly Row[] {
  const groups = Map.groupBy(rows, (row) => `${row.store} ${row.workload}@${row.concurrency}`);
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
  "serverCpuUsPerRun",
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
  "claimUs",
  "claimRatio",
  "workersRatio",
  "queriesPerSecond",
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
function isGoalOf({ store, workload, concurrency, stepsPerRun, rowsBefore }: Goal, row: Row): boolean {
  return (
    (store ?? row.store) === row.store &&
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
