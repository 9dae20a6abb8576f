/** F2, on PostgreSQL. */
import { expect, it } from "vitest";
import { useFreshDatabase } from "../../../../scripts/postgres/for-tests.ts";
import { openDice } from "../../src/model/dice.ts";
import { useFolder } from "../fleet/use-folder.ts";
import { killWorkers } from "./kills.ts";

const folder = useFolder();
const url = useFreshDatabase();

it("F2: four workers on one database are killed over and over, and nothing is lost or repeated", async () => {
  const slaughter = { dice: openDice("chaos kills"), workers: 4, kills: 20, runs: 90, lanes: 30 };
  const { violations, ...toll } = await killWorkers({ folder, name: "kills", store: url() }, slaughter);
  expect(violations).toEqual([]);
  expect(toll.kills).toBeGreaterThanOrEqual(20);
  expect(toll.takeovers).toBeGreaterThan(0);
}, 120_000);
