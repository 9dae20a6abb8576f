/**
 * The benchmark's command: `npm run bench`, see USAGE in flags.ts.
 *
 * Nothing is written into the repository unless asked for with --save.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { styleText } from "node:util";
import { type Output, type Result, runBench } from "./bench.ts";
import { parseFlags, USAGE } from "./flags.ts";
import { chooseJobs, planJobs } from "./plan.ts";
import { plotSvg } from "./plot.ts";

/** Colours only on a terminal that wants them: `styleText` looks at stdout and NO_COLOR. */
const TERMINAL: Output = {
  print: (line) => console.log(line),
  warn: (line) => console.error(line),
  paint: (text, good) => styleText(good ? "green" : "yellow", text),
};

process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));
process.exitCode = await main(process.argv.slice(2));

/** @returns the exit code: 0, 1 when a job failed, 2 for flags that make no sense */
async function main(args: readonly string[]): Promise<number> {
  const parsed = parseFlags(args);
  if (!parsed.ok) return complain(parsed.message);
  const { flags } = parsed;
  if (flags.help) {
    console.log(USAGE);
    return 0;
  }
  const jobs = chooseJobs(planJobs(flags.quick), flags.only);
  if (jobs === null) return complain("--only names a concurrency that is not measured");
  const result = await runBench(jobs, flags, TERMINAL);
  if (flags.save) save(result);
  return result.failures === 0 ? 0 : 1;
}

function complain(message: string): number {
  console.error(`${message}\n\n${USAGE}`);
  return 2;
}

/** No date in the names: a newer result replaces the older one, and the repository keeps the history. */
function save({ rows, medians }: Result): void {
  const folder = join(import.meta.dirname, "results");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "latest.jsonl"), [...rows, ...medians].map((row) => `${JSON.stringify(row)}\n`).join(""));
  writeFileSync(join(folder, "latest.svg"), plotSvg(medians.length > 0 ? medians : rows));
  console.error("wrote bench/results/latest.jsonl and bench/results/latest.svg");
}
