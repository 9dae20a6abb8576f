/**
 * Bench: take the jobs one after another, round by round, and print a row as soon as it is measured.
 */
import type { Base, StoreName } from "./base.ts";
import type { Flags } from "./flags.ts";
import { type Job, runJob } from "./job.ts";
import { describeSetting, onServer, type Setting } from "./machine.ts";
import { medianRows, type Row, toRow } from "./row.ts";
import { headerText, type Paint, rowText, settingText, STORE_TITLES, summaryText } from "./table.ts";

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

/** Measure and print. `bases` has one for the store of each job. */
export async function runBench(
  jobs: readonly Job[],
  bases: readonly Base[],
  flags: Pick<Flags, "quick" | "json" | "rounds">,
  output: Output,
): Promise<Result> {
  const grounds = groundsOf(bases, describeSetting(flags.quick, flags.rounds));
  const printer = flags.json ? jsonPrinter(output) : tablePrinter(output, flags.rounds, bases.length > 1);
  const rows: Row[] = [];
  let failures = 0;
  printer.begin([...grounds.values()].map(({ setting }) => setting));
  for (let round = 1; round <= flags.rounds; round += 1) {
    printer.round(round);
    const measured = await runRound(jobs, { round, grounds, printer, output });
    failures += jobs.length - measured.length;
    rows.push(...measured);
  }
  const medians = flags.rounds === 1 ? [] : medianRows(rows);
  if (medians.length > 0) printer.round("median");
  for (const row of medians) printer.row(row);
  printer.end(medians.length > 0 ? medians : rows);
  return { rows, medians, failures };
}

/** A store's base, and what its rows say of where they were measured. */
type Grounds = ReadonlyMap<StoreName, { readonly base: Base; readonly setting: Setting }>;

function groundsOf(bases: readonly Base[], setting: Setting): Grounds {
  return new Map(
    bases.map((base) => {
      const { store, server } = base;
      return [store, { base, setting: server === null ? setting : onServer(setting, server) }];
    }),
  );
}

/** All jobs once. Those that fail are reported and have no row. */
async function runRound(
  jobs: readonly Job[],
  to: { readonly round: number; readonly grounds: Grounds; readonly printer: Printer; readonly output: Output },
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const job of jobs) {
    try {
      const { base, setting } = to.grounds.get(job.store)!;
      const row = toRow(job, await runJob(job, base), to.round, { earlier: rows, setting });
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
  readonly begin: (settings: readonly Setting[]) => void;
  readonly round: (round: number | "median") => void;
  readonly row: (row: Row) => void;
  readonly end: (rows: readonly Row[]) => void;
};

function jsonPrinter({ print }: Output): Printer {
  return { begin: () => {}, round: () => {}, row: (row) => print(JSON.stringify(row)), end: () => {} };
}

/** `several` stores: before the rows of each stands its name. */
function tablePrinter({ print, paint }: Output, rounds: number, several: boolean): Printer {
  let store: StoreName | null = null;
  return {
    begin: (settings) => print(`${settingText(settings)}\n\n${headerText()}`),
    round: (round) => {
      store = null;
      if (rounds > 1) print(round === "median" ? `median of ${rounds} rounds` : `round ${round}`);
    },
    row: (row) => {
      if (several && row.store !== store) print(STORE_TITLES[row.store]);
      ({ store } = row);
      print(rowText(row));
    },
    end: (rows) => print(`\n${summaryText(rows, paint)}`),
  };
}
