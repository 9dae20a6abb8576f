/**
 * Kills: processes that share one file are killed at random and at named points, and the promises are held against
 * what is left; see packages/stepwell/test/kill/campaign.ts. The seed draws runs and moments; what the processes do in
 * between is the machine's, so that a violation need not come again. Its files are kept then.
 */
import { openDice } from "../../packages/stepwell/src/model/dice.ts";
import { killAmong } from "../../packages/stepwell/test/kill/campaign.ts";
import { deepPart } from "./part.ts";

const HELP = `node scripts/deep/kills.ts [flags]

Kill --kills processes, --processes of which share a file at a time and execute --runs runs a round. --seed draws the
runs, and when who is killed.`;

const FLAGS = { kills: "500", processes: "3", runs: "72", seed: "kills" };

await deepPart({ help: HELP, flags: FLAGS }, async ({ flags, whole, folder, check, tell, say }) => {
  const field = { folder, name: "round", dice: openDice(flags.seed), runs: whole("runs", 1) };
  await check(`kill -9 among ${flags.processes} processes on one file`, async (remark) => {
    let rounds = 0;
    const { violations, kills } = await killAmong(whole("processes", 1), whole("kills", 1), field, (report) => {
      rounds += 1;
      say(`round ${rounds}: ${report.kills} kills, ${report.active} processes executed steps`);
    });
    remark(`${kills} kills in ${rounds} rounds`);
    tell(`${kills} kills, ${violations.length} violations`);
    return violations;
  });
});
