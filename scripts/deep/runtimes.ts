/**
 * Runtimes: the library's tests under Bun and under the Nodes that it takes, and what a user sees of a crash there.
 *
 *     npm run test:runtimes                      Bun, and Node 22, 24, 26
 *     npm run test:runtimes -- bun 22            some of them
 *     npm run test:runtimes -- bun --quick       only the engine and the store
 *     npm run test:runtimes -- --report FILE     writes what was counted, too
 *
 * The same test files run in the same vitest, which the runtime itself executes; runtime-proof.ts sees to that. Before
 * them, runtime-smoke.ts is started, dies in a step, is started again, and must go on. Ends with a line
 * `N passed, N failed, N skipped`. A runtime that cannot be had here counts as one skipped.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs, styleText } from "node:util";
import type { TestReport } from "../test-report.ts";
import { type Runtime, RUNTIMES } from "./runtime.ts";

const ROOT = join(import.meta.dirname, "../..");
const TESTS = "packages/stepwell/test";
/** What a runtime can do otherwise than another; the model is pure. */
const QUICK_TESTS = [`${TESTS}/engine`, `${TESTS}/store`];

/** Where vitest begins to tell what failed, after a list of all. */
const FAILURES = /⎯+ (Failed|Unhandled)/;

/** Of all tests under one runtime, on a slow machine. */
const TESTS_MS_MAX = 1_800_000;
const SMOKE_MS_MAX = 60_000;

type Ended = { readonly code: number | null; readonly signal: string | null; readonly output: string };

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: "boolean", default: false }, report: { type: "string" } },
  });
  const unknown = positionals.find((name) => !RUNTIMES.some((runtime) => runtime.name === name));
  if (unknown !== undefined) {
    console.error(`There is no runtime "${unknown}"; there are ${RUNTIMES.map(({ name }) => name).join(", ")}.`);
    process.exitCode = 2;
    return;
  }
  const reports: TestReport[] = [];
  for (const runtime of RUNTIMES) {
    if (positionals.length > 0 && !positionals.includes(runtime.name)) continue;
    reports.push(await testRuntime(runtime, values.quick ? QUICK_TESTS : [TESTS]));
  }
  conclude(reports, values.report);
}

/** Smoke, then tests; prints a line, and all that was said where something failed. */
async function testRuntime({ name, find }: Runtime, tests: readonly string[]): Promise<TestReport> {
  const found = find();
  if ("missing" in found) {
    console.log(`skip  ${name}: ${found.missing}`);
    return { passed: 0, failed: 0, skipped: [{ name: `tests under ${name}`, why: found.missing }] };
  }
  const folder = mkdtempSync(join(tmpdir(), "stepwell-runtimes-"));
  try {
    const startedMs = performance.now();
    const { title, says } = await smoke(found.binary, join(folder, "runs.db"));
    const { report, output } = await runTests(found.binary, { title, tests, file: join(folder, "report.json") });
    const total = {
      ...report,
      passed: report.passed + (says === "" ? 1 : 0),
      failed: report.failed + (says === "" ? 0 : 1),
    };
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
    const verdict = total.failed === 0 ? styleText("green", "ok  ") : styleText("red", "FAIL");
    console.log(`${verdict}  ${title}: ${counts(total)}  ${seconds} s`);
    if (total.failed > 0) console.log([says, report.failed > 0 ? output : ""].join("\n"));
    return { ...total, skipped: report.skipped.map((test) => ({ ...test, name: `${title}: ${test.name}` })) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `says`: what is wrong with it, empty when nothing is. */
async function smoke(binary: string, database: string): Promise<{ readonly title: string; readonly says: string }> {
  const program = ["--conditions=stepwell-source", join(import.meta.dirname, "runtime-smoke.ts"), `sqlite:${database}`];
  const first = await run(binary, [...program, "crash"], {}, SMOKE_MS_MAX);
  const second = await run(binary, program, {}, SMOKE_MS_MAX);
  const title = /^runs on (.*)$/m.exec(second.output)?.[1] ?? binary;
  const wanted = [`runs on ${title}`, "ships the lamp", "order:42 completed, parcel 1 for payment 1"].join("\n");
  if (first.signal !== "SIGKILL" || !first.output.includes("charges 5998 cents")) {
    return { title, says: `The first process should have charged and died, but said:\n${told(first)}` };
  }
  if (second.code !== 0 || second.output.trim() !== wanted) {
    return { title, says: `The second process should have said:\n${wanted}\nbut said:\n${told(second)}` };
  }
  return { title, says: "" };
}

type Tests = { readonly title: string; readonly tests: readonly string[]; readonly file: string };

async function runTests(
  binary: string,
  { title, tests, file }: Tests,
): Promise<{ readonly report: TestReport; readonly output: string }> {
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const flags = ["--config", join(import.meta.dirname, "runtimes.config.ts"), "--reporter=default"];
  const args = [vitest, "run", ...flags, "--reporter=./scripts/test-report.ts", ...tests];
  const ended = await run(binary, args, { STEPWELL_RUNTIME: title, STEPWELL_TEST_REPORT: file }, TESTS_MS_MAX);
  const report = readReport(file);
  // Failed without a failed test: an error at the end, no report, too late.
  const failed = Math.max(report.failed, ended.code === 0 ? 0 : 1);
  const output = told(ended);
  return { report: { ...report, failed }, output: output.slice(Math.max(0, output.search(FAILURES))) };
}

function readReport(file: string): TestReport {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as TestReport;
  } catch {
    return { passed: 0, failed: 1, skipped: [] };
  }
}

function conclude(reports: readonly TestReport[], file: string | undefined): void {
  const skipped = reports.flatMap((report) => report.skipped);
  const sum = (count: (report: TestReport) => number): number => reports.reduce((total, one) => total + count(one), 0);
  const total = { passed: sum((one) => one.passed), failed: sum((one) => one.failed), skipped };
  for (const { name, why } of skipped) console.log(`skipped: ${name}: ${why}`);
  console.log(counts(total));
  process.exitCode = total.failed === 0 ? 0 : 1;
  if (file === undefined) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(total));
}

function counts({ passed, failed, skipped }: TestReport): string {
  return `${passed} passed, ${failed} failed, ${skipped.length} skipped`;
}

function told({ code, signal, output }: Ended): string {
  return `${output.trimEnd()}\n(ended with ${signal ?? code})`;
}

function run(
  binary: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
  timeout: number,
): Promise<Ended> {
  return new Promise((resolve) => {
    // Node 22 warns that its SQLite is experimental.
    const env = { ...process.env, NODE_NO_WARNINGS: "1", NO_COLOR: "1", FORCE_COLOR: undefined, ...variables };
    const child = spawn(binary, args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"], timeout });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
    child.on("error", (error) => resolve({ code: 1, signal: null, output: error.message }));
    child.on("close", (code, signal) => resolve({ code, signal, output }));
  });
}

await main();
