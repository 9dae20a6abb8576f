/**
 * Table: rows for people, in 80 columns of plain text.
 */
import type { Row } from "./row.ts";
import type { Setting } from "./machine.ts";

type Column = {
  readonly title: string;
  /** With the space before it. */
  readonly width: number;
  readonly cell: (row: Row) => string;
};

const COLUMNS: readonly Column[] = [
  { title: "conc.", width: 6, cell: (row) => compact(row.concurrency) },
  { title: "steps", width: 6, cell: (row) => whole(row.stepsPerRun) },
  { title: "runs/s", width: 8, cell: (row) => short(row.runsPerSecond) },
  { title: "steps/s", width: 8, cell: (row) => short(row.stepsPerSecond) },
  { title: "p50 ms", width: 7, cell: (row) => short(row.p50Ms) },
  { title: "p99 ms", width: 7, cell: (row) => short(row.p99Ms) },
  { title: "CPU us", width: 8, cell: (row) => compact(row.cpuUsPerRun) },
  { title: "flushes", width: 8, cell: (row) => short(row.flushesPerRun) },
  { title: "MB", width: 5, cell: (row) => whole(row.rssMb) },
  { title: "B/run", width: 7, cell: (row) => compact(row.bytesPerRun) },
];

const NAME_WIDTH = 10;

/** Where it was measured. */
export function settingText({ machine, fdatasyncPerSecond, versions, settings }: Setting): string {
  const { cpu, cores, memoryGb, os } = machine;
  const commit = versions.commit === null ? "" : ` (${versions.commit})`;
  return [
    `stepwell ${versions.stepwell}${commit}, Node ${versions.node}, SQLite ${versions.sqlite}`,
    `${cpu}, ${cores} cores, ${memoryGb} GB, ${os}`.slice(0, 80),
    `${whole(fdatasyncPerSecond)} fdatasync/s; WAL, synchronous=FULL${settings.quick ? "; quick" : ""}`,
  ].join("\n");
}

/** The heading of the columns. CPU, flushes and bytes are per run; MB is resident memory. */
export function headerText(): string {
  return "workload".padEnd(NAME_WIDTH) + COLUMNS.map(({ title, width }) => title.padStart(width)).join("");
}

/** One row. */
export function rowText(row: Row): string {
  return row.workload.padEnd(NAME_WIDTH) + COLUMNS.map(({ width, cell }) => cell(row).padStart(width)).join("");
}

/** What the columns do not say: ratios, the recovery, the goals. `paint` colours the verdict on a goal. */
export function summaryText(rows: readonly Row[], paint: Paint = (text) => text): string {
  return [...rows.flatMap(remarks), ...rows.flatMap((row) => goalTexts(row, paint))].join("\n");
}

/** Colour a text by whether it is good news, or leave it as it is. */
export type Paint = (text: string, good: boolean) => string;

function remarks(row: Row): readonly string[] {
  const { workload, concurrency, bareRatio, tenthRatio, takeoverMs, recoveryMs } = row;
  if (bareRatio !== null) return [`${workload} at ${whole(concurrency)}: ${short(bareRatio)} x bare`];
  if (tenthRatio !== null) {
    return [`sequential: last tenth ${short(tenthRatio)} x first tenth of ${whole(row.stepsPerRun)} steps`];
  }
  if (row.sleepersMb !== null) return [sleepersText(row, row.sleepersMb)];
  if (row.growthRatio !== null) return [growthText(row, row.growthRatio)];
  if (recoveryMs === null) return [];
  const first = takeoverMs === null ? "" : `first step ${whole(takeoverMs)} ms, `;
  return [`recovery of ${whole(concurrency)} runs: ${first}all completed ${whole(recoveryMs)} ms after restart`];
}

function sleepersText({ concurrency, runsPerSecond }: Row, sleepersMb: number): string {
  return `${whole(concurrency)} sleepers: ${short(sleepersMb)} MB above the empty engine, ${whole(runsPerSecond)} starts/s`;
}

/** Rows are said, because a quick run has fewer than the goal is about. */
function growthText({ rowsBefore, bytesPerStep }: Row, growthRatio: number): string {
  const old = whole(rowsBefore ?? 0);
  return `growth: ${short(growthRatio)} x CPU per step at ${old} rows, ${short(bytesPerStep)} B per step`;
}

function goalTexts(row: Row, paint: Paint): readonly string[] {
  return row.goals.map(({ figure, least, most, met }) => {
    const bound = least === undefined ? `<= ${short(most ?? 0)}` : `>= ${short(least)}`;
    const found = short(row[figure] as number);
    const verdict = paint(met ? "met   " : "missed", met);
    return `goal ${verdict} ${row.workload} at ${whole(row.concurrency)}: ${figure} ${found} (${bound})`;
  });
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** At most six characters. */
function compact(value: number): string {
  if (value < 99_999.5) return whole(value);
  return value < 999_500 ? `${Math.round(value / 1_000)}k` : `${(value / 1_000_000).toPrecision(3)}M`;
}

/** As many digits as tell something: 12,345 and 123 and 12.3 and 0.123. */
function short(value: number | null): string {
  if (value === null) return "-";
  return value >= 100 ? whole(value) : String(Number(value.toPrecision(3)));
}
