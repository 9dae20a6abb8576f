/** F8, F28: see rolling.ts. */
import { expect, it } from "vitest";
import { useFreshDatabase } from "../../../../scripts/postgres/for-tests.ts";
import { openDice } from "../../src/model/dice.ts";
import { useFolder } from "../fleet/use-folder.ts";
import { deployRolling } from "./rolling.ts";

const folder = useFolder();
const url = useFreshDatabase();

it("F8: workers are replaced by newer ones under load, runs are handed over, and work never stands still", async () => {
  const harbour = { folder, name: "rolling", store: url() };
  const deployed = await deployRolling(harbour, { dice: openDice("chaos rolling"), workers: 2, lanes: 12 });
  expect(deployed.violations).toEqual([]);
  expect(deployed.handedOver).toBeGreaterThan(0);
  expect(deployed.gapMs).toBeLessThan(BEAT_MS_MAX);
}, 120_000);

/** Shorter than a lease: nobody waited for one to lapse. */
const BEAT_MS_MAX = 2_000;
