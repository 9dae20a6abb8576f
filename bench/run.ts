/**
 * The benchmark's command: `npm run bench`, see USAGE in flags.ts.
 *
 * Nothing is written into the repository unless asked for with --save.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { styleText } from "node:util";
import { type Base, openBase, type StoreName } from "./base.ts";
import { type Output, type Result, runBench } from "./bench.ts";
import { parseFlags, USAGE } from "./flags.ts";
import { chooseJobs, planJobs } from "./plan.ts";
import { plotSvg } from "./plot.ts";
import { PostgresMissing } from "../scripts/postgres/server.ts";

/** Colours only on a terminal that wants them: `styleText` looks at stdout and NO_COLOR. */
const TERMINAL: Output = {
  print: (line) => console.log(line),
  warn: (line) => console.error(line),
  paint: (text, good) => styleText(good ? "green" : "yellow", text),
};

const bases: Base[] = [];

process.once("SIGINT", () => void leave(130));
process.once("SIGTERM", () => void leave(143));
process.exitCode = await main(process.argv.slice(2));

/** @returns the exit code: 0, 1 when a job failed or there is no server, 2 for flags that make no sense */
async function main(args: readonly string[]): Promise<number> {
  const parsed = parseFlags(args);
  if (!parsed.ok) return complain(parsed.message);
  const { flags } = parsed;
  if (flags.help) {
    console.log(USAGE);
    return 0;
  }
  const jobs = chooseJobs(planJobs(flags.quick, flags.store), flags.only);
  if (jobs === null) return complain(`--only names what is not measured on ${flags.store.join(", ")}`);
  try {
    for (const store of flags.store) bases.push(await openBase(store, flags.url));
    const result = await runBench(jobs, bases, flags, TERMINAL);
    if (flags.save) save(result, flags.store);
    return result.failures === 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof PostgresMissing)) throw error;
    console.error(`there is no PostgreSQL: ${error.message}`);
    return 1;
  } finally {
    await closeBases();
  }
}

async function closeBases(): Promise<void> {
  await Promise.all(bases.map((base) => base.close()));
}

/** Called off: what jobs have on somebody else's server goes, too. */
async function leave(code: number): Promise<void> {
  await closeBases();
  process.exit(code);
}

function complain(message: string): number {
  console.error(`${message}\n\n${USAGE}`);
  return 2;
}

/** No date in the names: a newer result replaces the older one, and the repository keeps the history. */
function save({ rows, medians }: Result, stores: readonly StoreName[]): void {
  const folder = join(import.meta.dirname, "results");
  const name = stores.join("-");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.jsonl`), [...rows, ...medians].map((row) => `${JSON.stringify(row)}\n`).join(""));
  writeFileSync(join(folder, `${name}.svg`), plotSvg(medians.length > 0 ? medians : rows));
  console.error(`wrote bench/results/${name}.jsonl and bench/results/${name}.svg`);
}
