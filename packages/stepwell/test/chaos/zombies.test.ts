/** F12: see zombies.ts. */
import { expect, it } from "vitest";
import { useFreshDatabase } from "../../../../scripts/postgres/for-tests.ts";
import { openDice } from "../../src/model/dice.ts";
import { useFolder } from "../fleet/use-folder.ts";
import { suspendWorkers } from "./zombies.ts";

const folder = useFolder();
const url = useFreshDatabase();

it("F12: of a worker held still beyond its lease the runs go on elsewhere in time, and what it writes is refused", async () => {
  const harbour = { folder, name: "zombies", store: url() };
  const haunting = { dice: openDice("chaos zombies"), workers: 3, leaseMs: 1_500, rounds: 1 };
  const { violations } = await suspendWorkers(harbour, haunting);
  expect(violations).toEqual([]);
}, 120_000);
