/**
 * Differential: a million random operations for every store that there is, every answer compared with the model's.
 * A divergence is told with its seed and the few operations that lead there.
 */
import { compareStores } from "../../packages/stepwell/src/testing/differential/differential.ts";
import { listContenders } from "../../packages/stepwell/test/differential/contenders.ts";
import { deepPart } from "./part.ts";

const HELP = `node scripts/deep/differential.ts [flags]

Compare the stores over --operations operations. They come in worlds of 300; --seed is that of the first world, and each
next one has the next seed, so a divergence is found again at once with the seed that it tells.`;

/** Between two lines of progress. */
const SAY_EVERY = 50_000;

await deepPart({ help: HELP, flags: { operations: "1000000", seed: "1" } }, async ({ whole, check, tell, say }) => {
  const [operations, seed] = [whole("operations", 1), whole("seed", 0)];
  const contenders = listContenders(null);
  await check(contenders.map(({ name }) => name).join(", "), async (remark) => {
    let told = 0;
    const onWorld = (done: number): void => {
      if (done - told < SAY_EVERY) return;
      told = done;
      say(`${done} operations`);
    };
    const { divergence, tally, ...done } = await compareStores(contenders, { seed, operations, onWorld });
    remark(`from seed ${seed} on`);
    tell(`${done.operations} operations in ${done.worlds} worlds; ${tellTally(tally)}`);
    return divergence === null ? [] : [divergence.text];
  });
});

/** What tells that the operations met. */
function tellTally(tally: { readonly [what: string]: number }): string {
  const sum = (ending: string): number =>
    Object.entries(tally).reduce((total, [what, times]) => (what.endsWith(ending) ? total + times : total), 0);
  return [
    `${sum(" stored")} writes stored, ${sum(" stale")} stale, ${sum(" refused")} refused`,
    `${tally["runs claimed"] ?? 0} claims, ${tally["died: freed"] ?? 0} takeovers, ${tally["quarantined"] ?? 0} in quarantine`,
  ].join("; ");
}
