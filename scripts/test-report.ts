/** Test report: what `npm run check` must know of a vitest run, as a reporter that writes it down. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Reporter, TestCase } from "vitest/node";

/** Where the report goes, from the root of the repository; STEPWELL_TEST_REPORT names another file. */
export const TEST_REPORT = "coverage/tests.json";

/** Tests counted. A file that could not be run, or an error that no test caught, counts as one that failed. */
export type TestReport = {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly { readonly name: string; readonly why: string }[];
  /** Lines to be told with the part's own, also when it passes; of a test: its annotations. */
  readonly numbers?: readonly string[];
};

/** The reporter, for `vitest --reporter`. */
export default function testReport(): Reporter {
  return {
    onTestRunEnd: (modules, unhandled) => {
      const cases = modules.flatMap((module) => [...module.children.allTests()]);
      const ended = (state: string): readonly TestCase[] => cases.filter((test) => test.result().state === state);
      const report: TestReport = {
        passed: ended("passed").length,
        failed: ended("failed").length + modules.flatMap((module) => module.errors()).length + unhandled.length,
        skipped: [...ended("skipped"), ...ended("pending")].map((test) => ({
          name: `${test.module.relativeModuleId} > ${test.fullName}`,
          why: reason(test),
        })),
        numbers: cases.flatMap((test) => test.annotations().map(({ message }) => message)),
      };
      const path = process.env["STEPWELL_TEST_REPORT"] ?? TEST_REPORT;
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, JSON.stringify(report));
    },
  };
}

function reason(test: TestCase): string {
  const result = test.result();
  return (result.state === "skipped" ? result.note : undefined) ?? "no reason given; call context.skip with one";
}
