/**
 * Interleavings: every pair of the store's operations meets on two connections to PostgreSQL, one held up wherever it can
 * be. What remains must be what one after the other would have left; see packages/stepwell/test/store/postgres.
 */
import { PostgresMissing, type PostgresServer, startPostgres } from "../postgres/server.ts";
import { deepPart } from "./part.ts";
import { runTests } from "./tests.ts";

const HELP = `node scripts/deep/interleavings.ts [flags]

Play --which meetings: all of them, those whose name has that text, as in --which "A parks × B claims", or the sample.
What diverges stands with its name in tests.txt, in the folder that is left.`;

await deepPart({ help: HELP, flags: { which: "all" } }, async ({ flags, check, tell, skip, folder }) => {
  const name = `meetings: ${flags.which}`;
  const server = await openServer();
  if (typeof server === "string") return skip(name, server);
  const wish = flags.which === "sample" ? "" : flags.which;
  const variables = { STEPWELL_INTERLEAVINGS: wish, STEPWELL_TEST_PG: server.url };
  try {
    await check(name, async () => {
      const { report, violations } = await runTests({ only: "postgres/interleavings.test.ts", folder, variables });
      for (const number of report?.numbers ?? []) tell(number);
      return report?.passed === 0 ? ["no test passed", ...violations] : violations;
    });
  } finally {
    await server.stop();
  }
});

/** Or why there is none. */
async function openServer(): Promise<PostgresServer | string> {
  try {
    return await startPostgres({ durable: false });
  } catch (error) {
    if (error instanceof PostgresMissing) return `no PostgreSQL: ${error.message}`;
    throw error;
  }
}
