/**
 * Table: rows for people, in 80 columns of plain text.
 */
import type { StoreName } from "./base.ts";
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
  { title: "runs/s", width: 7, cell: (row) => rate(row.runsPerSecond) },
  { title: "steps/s", width: 8, cell: (row) => rate(row.stepsPerSecond) },
  { title: "p50 ms", width: 7, cell: (row) => short(row.p50Ms) },
  { title: "p99 ms", width: 7, cell: (row) => short(row.p99Ms) },
  { title: "CPU us", width: 7, cell: (row) => compact(row.cpuUsPerRun) },
  { title: "srv us", width: 7, cell: (row) => compact(row.serverCpuUsPerRun) },
  { title: "flushes", width: 8, cell: (row) => short(row.flushesPerRun) },
  { title: "B/run", width: 7, cell: (row) => compact(row.bytesPerRun) },
];

const NAME_WIDTH = 10;
const WIDTH = 80;

/** What stands before the rows of a store, where there are several. */
export const STORE_TITLES: Readonly<Record<StoreName, string>> = { sqlite: "SQLite", postgres: "PostgreSQL" };

/** Where it was measured: the machine, and the stores of these settings. */
export function settingText(settings: readonly Setting[]): string {
  const [{ machine, fdatasyncPerSecond, versions, settings: common }] = settings as readonly [Setting];
  const { cpu, cores, memoryGb, os } = machine;
  const commit = versions.commit === null ? "" : ` (${versions.commit})`;
  return [
    `stepwell ${versions.stepwell}${commit}, Node ${versions.node}`,
    `${cpu}, ${cores} cores, ${memoryGb} GB, ${os}`.slice(0, WIDTH),
    `${whole(fdatasyncPerSecond)} fdatasync/s${common.quick ? "; quick" : ""}`,
    ...settings.flatMap(storeTexts),
  ].join("\n");
}

function storeTexts({ versions, settings }: Setting): readonly string[] {
  if (versions.postgres === null) return [`SQLite ${versions.sqlite}; WAL, synchronous=FULL`];
  const { server, quick: _quick, rounds: _rounds, ...own } = settings;
  const whose = server === "own" ? "started for this" : "a server that ran already";
  const told = Object.entries(own).map(([name, value]) => `${name} ${value}`);
  return wrapped(`PostgreSQL ${versions.postgres}, ${whose}; ${told.join(", ")}`);
}

/** Lines of at most {@link WIDTH}, the later ones indented. */
function wrapped(text: string): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = `  ${word}`;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** The heading of the columns. CPU (of the process, of the database's server), flushes and bytes are per run. */
export function headerText(): string {
  return "workload".padEnd(NAME_WIDTH) + COLUMNS.map(({ title, width }) => title.padStart(width)).join("");
}

/** One row. */
export function rowText(row: Row): string {
  return row.workload.padEnd(NAME_WIDTH) + COLUMNS.map(({ width, cell }) => cell(row).padStart(width)).join("");
}

/** What the columns do not say: ratios, the recovery, the goals. `paint` colours the verdict on a goal. */
export function summaryText(rows: readonly Row[], paint: Paint = (text) => text): string {
  const several = new Set(rows.map(({ store }) => store)).size > 1;
  const named = rows.map((row) => [row, several ? `${row.store} ` : ""] as const);
  return [
    ...named.flatMap(([row, store]) => remarks(row).map((text) => store + text)),
    ...named.flatMap(([row, store]) => goalTexts(row, store, paint)),
  ].join("\n");
}

/** Colour a text by whether it is good news, or leave it as it is. */
export type Paint = (text: string, good: boolean) => string;

function remarks(row: Row): readonly string[] {
  const { workload, concurrency, bareRatio, tenthRatio, workersRatio, queriesPerSecond } = row;
  if (bareRatio !== null) return [`${workload} at ${whole(concurrency)}: ${short(bareRatio)} x bare`];
  if (tenthRatio !== null) {
    return [`sequential: last tenth ${short(tenthRatio)} x first tenth of ${whole(row.stepsPerRun)} steps`];
  }
  if (row.sleepersMb !== null) return [sleepersText(row, row.sleepersMb)];
  if (row.growthRatio !== null) return [growthText(row, row.growthRatio)];
  if (row.recoveryMs !== null) return [recoveryText(row, row.recoveryMs)];
  if (row.claimUs !== null) return [claimText(row, row.claimUs)];
  if (workersRatio !== null) return [`${whole(concurrency)} workers: ${short(workersRatio)} x one`];
  if (queriesPerSecond !== null) return [`${whole(concurrency)} idle workers: ${short(queriesPerSecond)} queries/s`];
  return [];
}

function recoveryText({ concurrency, takeoverMs }: Row, recoveryMs: number): string {
  const first = takeoverMs === null ? "" : `first step after ${whole(takeoverMs)} ms, `;
  return `recovery of ${whole(concurrency)} runs: ${first}the last after ${whole(recoveryMs)} ms`;
}

function sleepersText({ concurrency, runsPerSecond }: Row, sleepersMb: number): string {
  return `${whole(concurrency)} sleepers: ${short(sleepersMb)} MB above the empty engine, ${whole(runsPerSecond)} starts/s`;
}

/** Rows are said, because a quick run has fewer than the goal is about. */
function growthText({ rowsBefore, bytesPerStep }: Row, growthRatio: number): string {
  const old = whole(rowsBefore ?? 0);
  return `growth: ${short(growthRatio)} x CPU per step at ${old} rows, ${short(bytesPerStep)} B per step`;
}

function claimText({ concurrency, claimRatio }: Row, claimUs: number): string {
  const ratio = claimRatio === null ? "" : `, ${short(claimRatio)} x with the fewest`;
  return `claim with ${whole(concurrency)} due: ${short(claimUs)} us of the server${ratio}`;
}

function goalTexts(row: Row, store: string, paint: Paint): readonly string[] {
  return row.goals.map(({ figure, least, most, met }) => {
    const bound = least === undefined ? `<= ${short(most ?? 0)}` : `>= ${short(least)}`;
    const found = short(row[figure] as number);
    const verdict = paint(met ? "met   " : "missed", met);
    return `goal ${verdict} ${store}${row.workload} at ${whole(row.concurrency)}: ${figure} ${found} (${bound})`;
  });
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** At most six characters. */
function compact(value: number | null): string {
  if (value === null) return "-";
  if (value < 99_999.5) return whole(value);
  return value < 999_500 ? `${Math.round(value / 1_000)}k` : `${(value / 1_000_000).toPrecision(3)}M`;
}

/** At most six characters, also where little happens in a second. */
function rate(value: number): string {
  return value < 100 ? short(value) : compact(value);
}

/** As many digits as tell something: 12,345 and 123 and 12.3 and 0.123. */
function short(value: number | null): string {
  if (value === null) return "-";
  return value >= 100 ? whole(value) : String(Number(value.toPrecision(3)));
}
