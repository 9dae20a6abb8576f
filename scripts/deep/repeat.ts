/**
 * Repeat: the tests, so many times in a row. A test that fails once in twenty is a bug in it or in what it tests.
 */
import { deepPart } from "./part.ts";
import { runTests } from "./tests.ts";

const HELP = `node scripts/deep/repeat.ts [flags]

Run all tests --times times; --only restricts them to files whose path holds that text.`;

await deepPart({ help: HELP, flags: { times: "20", only: "" } }, async ({ flags, whole, check, tell, folder }) => {
  const times = whole("times", 1);
  let passed = 0;
  for (let time = 1; time <= times; time += 1) {
    await check(`time ${time} of ${times}`, async (remark) => {
      const { report, violations } = await runTests({ only: flags.only, folder });
      if (violations.length > 0 || report === null) return violations;
      passed += report.passed;
      remark(`${report.passed} tests passed`);
      return [];
    });
  }
  tell(`the tests ran ${times} times, ${passed} tests passed in all`);
});
