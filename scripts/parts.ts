/**
 * Parts of a check: scripts run side by side, each told in one line, all counted in the last.
 *
 * A part counts as one that passed or failed; a part with a `report` counts the tests written there instead.
 */
import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { stripVTControlCharacters, styleText } from "node:util";
import type { TestReport } from "./test-report.ts";

/** One thing to check. */
export type Part = {
  readonly name: string;
  /** Name of the script in package.json; or, with a slash in it, a TypeScript file that Node runs. */
  readonly script: string;
  /** What to add to the script, as a shell would read it. */
  readonly args?: string;
  /** Where the script leaves a {@link TestReport}, from the root of the repository. */
  readonly report?: string;
};

/** What became of a part. `output` is what it printed, both streams in order. */
export type Outcome = { readonly ok: boolean; readonly output: string; readonly tests: TestReport | null };

type Manifest = { readonly scripts: Readonly<Record<string, string>> };

/** How parts are run and told; replaced in tests. */
export type Bench = {
  readonly run: (part: Part) => Promise<Outcome>;
  readonly print: (line: string) => void;
  readonly nowMs: () => number;
  /** Parts that run at the same time; ≥ 1. */
  readonly width: number;
};

/**
 * Run all parts, whatever fails, and print a line for each as it ends, and below it the numbers of its report; below a
 * failing one, all that it printed.
 * Then the tests that were skipped with their reasons, the parts that failed, and `N passed, N failed, N skipped`.
 *
 * @returns true when nothing failed
 */
export async function checkParts(bench: Bench, parts: readonly Part[]): Promise<boolean> {
  const outcomes = new Map<Part, Outcome>();
  const queue = [...parts];
  const nameWidth = Math.max(...parts.map((part) => part.name.length));
  const work = async (): Promise<void> => {
    for (let part = queue.shift(); part !== undefined; part = queue.shift()) {
      const startMs = bench.nowMs();
      const outcome = await bench.run(part);
      outcomes.set(part, outcome);
      const seconds = ((bench.nowMs() - startMs) / 1_000).toFixed(1).padStart(6);
      bench.print(`${verdict(outcome.ok)}  ${part.name.padEnd(nameWidth)} ${seconds} s${remark(outcome)}`);
      for (const number of outcome.tests?.numbers ?? []) bench.print(`      ${number}`);
      if (!outcome.ok) bench.print(`\n${outcome.output.trimEnd()}\n`);
    }
  };
  await Promise.all(Array.from({ length: bench.width }, work));
  return conclude(
    bench,
    parts.map((part) => [part, outcomes.get(part)] as const),
  );
}

/** Runs parts as shell commands from `root`: the installed tools on the path, nothing on standard input. */
export function shellRunner(root: string): (part: Part) => Promise<Outcome> {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;
  return async ({ script, args, report }) => {
    const command = script.includes("/") ? `node ${script}` : manifest.scripts[script];
    if (command === undefined) return { ok: false, output: `package.json has no script "${script}"`, tests: null };
    const path = report === undefined ? null : join(root, report);
    if (path !== null) rmSync(path, { force: true });
    const { ok, output } = await runShell(root, `${command} ${args ?? ""}`);
    return { ok, output, tests: path === null ? null : readReport(path) };
  };
}

function runShell(cwd: string, command: string): Promise<{ readonly ok: boolean; readonly output: string }> {
  return new Promise((resolve) => {
    const path = [join(cwd, "node_modules/.bin"), process.env.PATH].join(delimiter);
    const env = { ...process.env, PATH: path };
    const child = spawn(command, { cwd, env, shell: true, stdio: ["ignore", "pipe", "pipe"] });
    const chunks: Buffer[] = [];
    const keep = (chunk: Buffer): void => void chunks.push(chunk);
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", (error) => resolve({ ok: false, output: error.message }));
    child.on("close", (code) => {
      // Some tools colour what they print wherever CI is set.
      resolve({ ok: code === 0, output: stripVTControlCharacters(Buffer.concat(chunks).toString("utf8")) });
    });
  });
}

/** Null: the script ended before it could write one. */
function readReport(path: string): TestReport | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as TestReport;
  } catch {
    return null;
  }
}

function conclude(bench: Bench, results: readonly (readonly [Part, Outcome | undefined])[]): boolean {
  const outcomes = results.flatMap(([, outcome]) => outcome ?? []);
  const skipped = outcomes.flatMap((outcome) => outcome.tests?.skipped ?? []);
  for (const { name, why } of skipped) bench.print(`skipped: ${name}: ${why}`);
  const failing = results.filter(([, outcome]) => outcome?.ok !== true).map(([part]) => part.name);
  if (failing.length > 0) bench.print(`failed: ${failing.join(", ")}`);
  const total = (count: (outcome: Outcome) => number): number =>
    outcomes.reduce((sum, outcome) => sum + count(outcome), 0);
  const passed = total((outcome) => outcome.tests?.passed ?? (outcome.ok ? 1 : 0));
  bench.print(`${passed} passed, ${total(failures)} failed, ${skipped.length} skipped`);
  return failing.length === 0;
}

/** A part that failed though all its tests passed (coverage too low, a crash) is one failure itself. */
function failures(outcome: Outcome): number {
  return Math.max(outcome.tests?.failed ?? 0, outcome.ok ? 0 : 1);
}

function verdict(ok: boolean): string {
  return ok ? styleText("green", "ok  ") : styleText("red", "FAIL");
}

function remark({ tests }: Outcome): string {
  return tests === null ? "" : `  ${tests.passed} passed`;
}
