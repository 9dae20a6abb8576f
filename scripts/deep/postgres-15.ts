/**
 * PostgreSQL 15: the tests that use a PostgreSQL, on Debian's instead of npm's: the oldest major version that is promised
 * to do, with the system's own libraries.
 */
import { findBinaries } from "../postgres/binaries.ts";
import { deepPart } from "./part.ts";
import { runTests } from "./tests.ts";

const HELP = `node scripts/deep/postgres-15.ts [flags]

Run the tests that use a PostgreSQL on Debian's PostgreSQL 15; --only chooses the files whose path holds that text.`;

await deepPart({ help: HELP, flags: { only: "postgres" } }, async ({ flags, check, skip, folder }) => {
  const name = "tests on PostgreSQL 15";
  const binaries = findBinaries("debian-15");
  if ("missing" in binaries) return skip(name, binaries.missing);
  await check(name, async (remark) => {
    const variables = { STEPWELL_TEST_PG: binaries.name };
    const { report, violations } = await runTests({ only: flags.only, folder, variables });
    if (report === null || violations.length > 0) return violations;
    remark(`${report.passed} tests passed, ${report.skipped.length} skipped`);
    return report.passed === 0 ? ["no test ran"] : [];
  });
});
