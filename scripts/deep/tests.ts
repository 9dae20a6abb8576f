/** Tests: the workspace's, or some of them, run by vitest on behalf of a deep part. */
import { spawn } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestReport } from "../test-report.ts";

const ROOT = join(import.meta.dirname, "../..");

/** `only`: files whose path holds that text; empty for all. `folder` is for what is of no use afterwards. */
export type TestRun = {
  readonly only: string;
  readonly folder: string;
  readonly variables?: Readonly<Record<string, string>>;
};

/** What vitest counted, null where it came to no count; and what went wrong, empty when nothing did. */
export type TestsEnded = { readonly report: TestReport | null; readonly violations: readonly string[] };

/** Run them; a test that fails is a violation, no error. All that vitest said is left in the folder. */
export async function runTests({ only, folder, variables = {} }: TestRun): Promise<TestsEnded> {
  const file = join(folder, "tests.json");
  rmSync(file, { force: true });
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const flags = ["--reporter=default", "--reporter=./scripts/test-report.ts"];
  const child = spawn(process.execPath, [vitest, "run", ...(only === "" ? [] : [only]), ...flags], {
    cwd: ROOT,
    env: { ...process.env, STEPWELL_TEST_REPORT: file, ...variables },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  const code = await new Promise<number | null>((resolve) => {
    child.on("close", resolve);
  });
  process.off("exit", kill);
  writeFileSync(join(folder, "tests.txt"), output);
  const faults = code === 0 ? [] : output.split("\n").filter((line) => /FAIL|Error/.test(line));
  return { report: readReport(file), violations: code === 0 ? [] : [`vitest ended with ${code}`, ...faults] };
}

function readReport(file: string): TestReport | null {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as TestReport;
  } catch {
    return null;
  }
}
