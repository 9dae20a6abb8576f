/** F1, F2: a process, then three on one file, are killed with SIGKILL over and over; see campaign.ts. */
import { describe, expect, it } from "vitest";
import { openDice } from "../../src/model/dice.ts";
import { useFolder } from "../fleet/use-folder.ts";
import { DEATH_POINTS, killAmong, openCampaign } from "./campaign.ts";

const folder = useFolder();

/** Kills per test; after them the child is left alone. */
const KILLS = 20;
const SHARED_KILLS = 15;
const RUNS = 36;
const SHARED_RUNS = 72;
const TEST_MS_MAX = 150_000;

describe.concurrent("kill -9", () => {
  it(
    "at random moments loses nothing and repeats nothing",
    async () => {
      const dice = openDice("kill at random");
      const campaign = await openCampaign({ folder, name: "random", dice, runs: RUNS });
      for (let kill = 0; kill < KILLS; kill += 1) {
        await campaign.live({ death: null, killAfterMs: dice.integer(350) });
      }
      const { violations, kills, active } = await campaign.finish(1);
      expect(violations).toEqual([]);
      expect(active).toBeGreaterThan(KILLS / 2);
      expect(kills).toBeGreaterThanOrEqual(KILLS - 2);
    },
    TEST_MS_MAX,
  );

  it(
    "at named points loses nothing and repeats nothing",
    async () => {
      const dice = openDice("kill at points");
      const campaign = await openCampaign({ folder, name: "points", dice, runs: RUNS });
      for (let kill = 0; kill < KILLS; kill += 1) {
        const at = DEATH_POINTS[kill % DEATH_POINTS.length]!;
        await campaign.live({
          death: { at, count: 1 + dice.integer(at === "after claim" ? 3 : 12) },
          killAfterMs: 3_000,
        });
      }
      const { violations, kills, active } = await campaign.finish(1);
      expect(violations).toEqual([]);
      expect(active).toBeGreaterThan(KILLS / 2);
      expect(kills).toBeGreaterThanOrEqual(KILLS - 4);
    },
    TEST_MS_MAX,
  );

  it(
    "among three processes on one file loses nothing and repeats nothing",
    async () => {
      const field = { folder, name: "shared", dice: openDice("kill among three"), runs: SHARED_RUNS };
      const { violations, kills, active } = await killAmong(3, SHARED_KILLS, field);
      expect(violations).toEqual([]);
      expect(kills).toBeGreaterThanOrEqual(SHARED_KILLS);
      expect(active).toBeGreaterThan(3);
    },
    TEST_MS_MAX,
  );
});
