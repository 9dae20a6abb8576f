/**
 * Bench: take the jobs one after another, round by round, and print a row as soon as it is measured.
 */
import type { Flags } from "./flags.ts";
import { type Job, runJob } from "./job.ts";
import { describeSetting, type Setting } from "./machine.ts";
import { medianRows, type Row, toRow } from "./row.ts";
import { headerText, type Paint, rowText, settingText, summaryText } from "./table.ts";

/** Where the lines go. */
export type Output = {
  readonly print: (line: string) => void;
  /** For failures; never mixed with the rows. */
  readonly warn: (line: string) => void;
  readonly paint: Paint;
};

/** What came of it. */
export type Result = {
  /** In the order in which they were measured. */
  readonly rows: readonly Row[];
  /** Medians over the rounds; empty when there was one round. */
  readonly medians: readonly Row[];
  /** Jobs that failed. */
  readonly failures: number;
};

/** Measure and print. */
export async function runBench(
  jobs: readonly Job[],
  flags: Pick<Flags, "quick" | "json" | "rounds">,
  output: Output,
): Promise<Result> {
  const printer = flags.json ? jsonPrinter(output) : tablePrinter(output, flags.rounds);
  const setting = describeSetting(flags.quick, flags.rounds);
  const rows: Row[] = [];
  let failures = 0;
  printer.begin(setting);
  for (let round = 1; round <= flags.rounds; round += 1) {
    printer.round(round);
    const measured = await runRound(jobs, { round, setting, printer, output });
    failures += jobs.length - measured.length;
    rows.push(...measured);
  }
  const medians = flags.rounds === 1 ? [] : medianRows(rows);
  if (medians.length > 0) printer.round("median");
  for (const row of medians) printer.row(row);
  printer.end(medians.length > 0 ? medians : rows);
  return { rows, medians, failures };
}

/** All jobs once. Those that fail are reported and have no row. */
async function runRound(
  jobs: readonly Job[],
  to: { readonly round: number; readonly setting: Setting; readonly printer: Printer; readonly output: Output },
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const job of jobs) {
    try {
      const row = toRow(job, await runJob(job), to.round, { earlier: rows, setting: to.setting });
      to.printer.row(row);
      rows.push(row);
    } catch (error) {
      to.output.warn(error instanceof Error ? error.message : String(error));
    }
  }
  return rows;
}

/** Prints what has been measured, as it comes. */
type Printer = {
  readonly begin: (setting: Setting) => void;
  readonly round: (round: number | "median") => void;
  readonly row: (row: Row) => void;
  readonly end: (rows: readonly Row[]) => void;
};

function jsonPrinter({ print }: Output): Printer {
  return { begin: () => {}, round: () => {}, row: (row) => print(JSON.stringify(row)), end: () => {} };
}

function tablePrinter({ print, paint }: Output, rounds: number): Printer {
  return {
    begin: (setting) => print(`${settingText(setting)}\n\n${headerText()}`),
    round: (round) => {
      if (rounds > 1) print(round === "median" ? `median of ${rounds} rounds` : `round ${round}`);
    },
    row: (row) => print(rowText(row)),
    end: (rows) => print(`\n${summaryText(rows, paint)}`),
  };
}
