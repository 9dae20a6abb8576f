/** The reporter, run by a real vitest over a small file: what is counted, and why tests were skipped. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { TEST_REPORT } from "./test-report.ts";

const SAMPLE = `
import { expect, it } from "vitest";
it("holds", ({ annotate }) => annotate("40 held"));
it("breaks", () => { throw new Error("broken"); });
it("cannot run here", (context) => context.skip("no such tool"));
it.skip("is silent", () => {});
`;

it("counts what passed, failed and was skipped, with the reasons", { timeout: 60_000 }, () => {
  const scratch = mkdtempSync(join(tmpdir(), "stepwell-report-"));
  try {
    symlinkSync(join(import.meta.dirname, "../node_modules"), join(scratch, "node_modules"), "junction");
    writeFileSync(join(scratch, "sample.test.ts"), SAMPLE);
    writeFileSync(join(scratch, "broken.test.ts"), "import './gone.ts';");
    const vitest = join(scratch, "node_modules/vitest/vitest.mjs");
    const reporter = join(import.meta.dirname, "test-report.ts");
    const { status } = spawnSync(process.execPath, [vitest, "run", `--reporter=${reporter}`], { cwd: scratch });
    expect(status).toBe(1);
    expect(JSON.parse(readFileSync(join(scratch, TEST_REPORT), "utf8"))).toEqual({
      passed: 1,
      failed: 2,
      skipped: [
        { name: "sample.test.ts > cannot run here", why: "no such tool" },
        { name: "sample.test.ts > is silent", why: "no reason given; call context.skip with one" },
      ],
      numbers: ["40 held"],
    });
  } finally {
    rmSync(scratch, { recursive: true });
  }
});
