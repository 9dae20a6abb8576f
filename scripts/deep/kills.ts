/**
 * Kill processes that share one file, at random and at named points, and hold the promises against what is left;
 * see packages/stepwell/test/kill/campaign.ts.
 *
 *     node scripts/deep/kills.ts --kills 500                 exit code 1 when a promise was broken
 *     node scripts/deep/kills.ts --kills 50 --seed autumn    other runs, killed at other moments
 *
 * `--processes 3` and `--runs 72` (per round) are the size of a round. The seed draws runs and moments; what the
 * processes do in between is the machine's, so that a violation need not come again. Its files are kept then.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openDice } from "../../packages/stepwell/src/model/dice.ts";
import { killAmong } from "../../packages/stepwell/test/kill/campaign.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "500" },
    processes: { type: "string", default: "3" },
    runs: { type: "string", default: "72" },
    seed: { type: "string", default: "kills" },
  },
});

const folder = mkdtempSync(join(tmpdir(), "stepwell-kills-"));
const field = { folder, name: "round", dice: openDice(values.seed), runs: atLeastOne("runs") };
let rounds = 0;
const { violations, kills } = await killAmong(atLeastOne("processes"), atLeastOne("kills"), field, (report) => {
  rounds += 1;
  console.log(`round ${rounds}: ${report.kills} kills, ${report.active} processes executed steps`);
  for (const violation of report.violations) console.log(violation);
});
console.log(`${kills} kills in ${rounds} rounds, ${violations.length} violations`);
if (violations.length === 0) rmSync(folder, { recursive: true });
else console.log(`The files are in ${folder}.`);
process.exitCode = violations.length === 0 ? 0 : 1;

function atLeastOne(option: "kills" | "processes" | "runs"): number {
  const count = Number(values[option]);
  if (Number.isSafeInteger(count) && count >= 1) return count;
  throw new Error(`--${option} is a whole number from 1 up, got "${values[option]}".`);
}
