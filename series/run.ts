/**
 * The series' runner: `npm run series -- CHAPTER --list | --scenario NAME | --fragile | --test`.
 *
 * Exit codes: 0 as expected, 1 not as expected, 2 called wrongly.
 */
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { FRAGILE_STORIES, playFragile } from "./01-checkout/fragile-story.ts";
import { playScenario } from "./01-checkout/play.ts";
import { renderReport, renderVerdictLine } from "./01-checkout/report.ts";
import { type Scenario, SCENARIOS } from "./01-checkout/scenarios.ts";
import { type Action, parseArguments, USAGE } from "./arguments.ts";
import { openScratch } from "./growthcorp/scratch.ts";
import { endWithReader, openTerminal, type Terminal, wrapText } from "./growthcorp/terminal.ts";

/** Made when the first play needs it. */
let scratch: string | null = null;

async function act(action: Action, terminal: Terminal): Promise<number> {
  switch (action.kind) {
    case "help":
      terminal.print(USAGE);
      return 0;
    case "wrong":
      process.stderr.write(`${action.why}\n\n${USAGE}\n`);
      return 2;
    case "list":
      for (const scenario of SCENARIOS) printScenario(scenario, terminal);
      return 0;
    case "scenario":
      return playOne(action.scenario, terminal);
    case "fragile":
      return playAllFragile(terminal);
    case "test":
      return playAll(terminal);
  }
}

function printScenario({ name, shows }: Scenario, { print, paint, columns }: Terminal): void {
  print(paint.bold(name));
  for (const line of wrapText(shows, columns - 4)) print(`    ${line}`);
}

async function playOne(scenario: Scenario, terminal: Terminal): Promise<number> {
  const report = await inScratch((dir) => playScenario(scenario, dir));
  for (const line of renderReport(report, terminal)) terminal.print(line);
  return report.problems.length === 0 ? 0 : 1;
}

async function playAll(terminal: Terminal): Promise<number> {
  let failures = 0;
  for (const scenario of SCENARIOS) {
    const report = await inScratch((dir) => playScenario(scenario, dir));
    terminal.print(renderVerdictLine(report, terminal));
    for (const problem of report.problems) terminal.print(`    ${problem}`);
    if (report.problems.length > 0) failures += 1;
  }
  const { paint, print } = terminal;
  const verdict = failures === 0 ? paint.green("all as expected") : paint.red(`${failures} not as expected`);
  print(`\n${SCENARIOS.length} scenarios, ${verdict}`);
  return failures === 0 ? 0 : 1;
}

async function playAllFragile({ print, paint, columns }: Terminal): Promise<number> {
  for (const story of FRAGILE_STORIES) {
    const lines = await inScratch((dir) => playFragile(story, dir));
    print(paint.bold(story.name));
    for (const line of wrapText(story.shows, columns)) print(line);
    for (const line of lines) print(`  ${line}`);
    print();
  }
  return 0;
}

/** A fresh folder for each play. */
function inScratch<T>(work: (dir: string) => Promise<T>): Promise<T> {
  scratch ??= openScratch("series");
  return work(mkdtempSync(join(scratch, "play-")));
}

endWithReader(process.stdout);
process.exitCode = await act(parseArguments(process.argv.slice(2)), openTerminal(process.stdout, process.env));
