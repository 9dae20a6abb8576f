/**
 * Repeat: the tests, so many times in a row. A test that fails once in twenty is a bug in it or in what it tests.
 */
import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { TEST_REPORT, type TestReport } from "../test-report.ts";
import { deepPart } from "./part.ts";

const HELP = `node scripts/deep/repeat.ts [flags]

Run all tests --times times; --only restricts them to files whose path holds that text.`;

const ROOT = join(import.meta.dirname, "../..");

async function runTests(only: string): Promise<{ readonly code: number | null; readonly output: string }> {
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const args = ["run", ...(only === "" ? [] : [only]), "--reporter=default", "--reporter=./scripts/test-report.ts"];
  const child = spawn(process.execPath, [vitest, ...args], { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  process.once("exit", () => child.kill("SIGKILL"));
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  const code = await new Promise<number | null>((resolve) => {
    child.on("close", resolve);
  });
  return { code, output };
}

await deepPart({ help: HELP, flags: { times: "20", only: "" } }, async ({ flags, whole, check, tell }) => {
  const times = whole("times", 1);
  process.setMaxListeners(times + 20);
  let passed = 0;
  for (let time = 1; time <= times; time += 1) {
    await check(`time ${time} of ${times}`, async (remark) => {
      rmSync(join(ROOT, TEST_REPORT), { force: true });
      const { code, output } = await runTests(flags.only);
      if (code !== 0) {
        return [`vitest ended with ${code}`, ...output.split("\n").filter((line) => /FAIL|Error/.test(line))];
      }
      const report = JSON.parse(readFileSync(join(ROOT, TEST_REPORT), "utf8")) as TestReport;
      passed += report.passed;
      remark(`${report.passed} tests passed`);
      return [];
    });
  }
  tell(`the tests ran ${times} times, ${passed} tests passed in all`);
});
