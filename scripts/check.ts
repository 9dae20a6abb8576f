/**
 * `npm run check`: everything that must hold, at quick sizes. A new kind of proof is a new line in PARTS.
 *
 * Ends with a line `N passed, N failed, N skipped`, and with status 1 when anything failed.
 */
import { join } from "node:path";
import { checkParts, type Part, shellRunner } from "./parts.ts";
import { TEST_REPORT } from "./test-report.ts";

/** The longest first, two at a time. */
export const PARTS: readonly Part[] = [
  {
    name: "tests",
    script: "test",
    args: "--coverage --reporter=default --reporter=./scripts/test-report.ts",
    report: TEST_REPORT,
  },
  {
    name: "tests in Bun",
    script: "test:runtimes",
    args: "bun --quick --report coverage/tests-bun.json",
    report: "coverage/tests-bun.json",
  },
  { name: "engine on PostgreSQL", script: "test:postgres", report: "coverage/tests-postgres.json" },
  { name: "build", script: "build:check" },
  { name: "types", script: "typecheck" },
  { name: "lint", script: "lint" },
  { name: "unused code", script: "knip" },
  { name: "doors", script: "doors" },
  { name: "format", script: "format:check" },
  { name: "generated files", script: "generate:check" },
];

if (import.meta.main) {
  const run = shellRunner(join(import.meta.dirname, ".."));
  const ok = await checkParts({ run, print: console.log, nowMs: () => performance.now(), width: 2 }, PARTS);
  process.exitCode = ok ? 0 : 1;
}
