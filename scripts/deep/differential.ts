/**
 * Differential: a million random operations for every store that there is, every answer compared with the model's.
 * A divergence is told with its seed and the few operations that lead there.
 */
import { compareStores } from "../../packages/stepwell/src/testing/differential/differential.ts";
import type { Contender } from "../../packages/stepwell/src/testing/differential/world.ts";
import { MODEL, openPostgresContender, SQLITE } from "../../packages/stepwell/test/differential/contenders.ts";
import { freshDatabase } from "../postgres/database.ts";
import { PostgresMissing, type PostgresServer, startPostgres } from "../postgres/server.ts";
import { deepPart, type Frame } from "./part.ts";

const HELP = `node scripts/deep/differential.ts [flags]

Compare each store with the model over --operations operations. They come in worlds of 300; --seed is that of the first
world, and each next one has the next seed, so a divergence is found again at once with the seed that it tells. --only
chooses a store: sqlite, postgres.`;

const FLAGS = { operations: "1000000", seed: "1", only: "" };

/** Between two lines of progress. */
const SAY_EVERY = 50_000;

await deepPart({ help: HELP, flags: FLAGS }, async (frame) => {
  const { only } = frame.flags;
  if (only === "" || only === "sqlite") await compare(frame, SQLITE);
  if (only === "" || only === "postgres") await comparePostgres(frame);
});

async function comparePostgres(frame: Frame<typeof FLAGS>): Promise<void> {
  const server = await openServer();
  if (typeof server === "string") return frame.skip("model, PostgreSQL", server);
  const database = await freshDatabase(server.url);
  const contender = await openPostgresContender(database.url);
  await compare(frame, contender);
  await contender.close();
  await database.drop();
  await server.stop("immediate");
}

/** Or why there is none. */
async function openServer(): Promise<PostgresServer | string> {
  try {
    return await startPostgres({ durable: false });
  } catch (error) {
    if (error instanceof PostgresMissing) return error.message;
    throw error;
  }
}

async function compare({ whole, check, tell, say }: Frame<typeof FLAGS>, contender: Contender): Promise<void> {
  const [operations, seed] = [whole("operations", 1), whole("seed", 0)];
  await check(`model, ${contender.name}`, async (remark) => {
    let told = 0;
    const onWorld = (done: number): void => {
      if (done - told < SAY_EVERY) return;
      told = done;
      say(`${done} operations`);
    };
    const { divergence, tally, ...done } = await compareStores([MODEL, contender], { seed, operations, onWorld });
    remark(`from seed ${seed} on`);
    tell(`${contender.name}: ${done.operations} operations in ${done.worlds} worlds; ${tellTally(tally)}`);
    return divergence === null ? [] : [divergence.text];
  });
}

/** What tells that the operations met. */
function tellTally(tally: { readonly [what: string]: number }): string {
  const sum = (ending: string): number =>
    Object.entries(tally).reduce((total, [what, times]) => (what.endsWith(ending) ? total + times : total), 0);
  return [
    `${sum(" stored")} writes stored, ${sum(" stale")} stale, ${sum(" refused")} refused`,
    `${tally["runs claimed"] ?? 0} claims, ${tally["died: freed"] ?? 0} takeovers, ${tally["quarantined"] ?? 0} in quarantine`,
  ].join("; ");
}
