/** F9: the server goes away and comes back. */
import { expect, it } from "vitest";
import { freshDatabase } from "../../../../scripts/postgres/database.ts";
import { useOwnServer } from "../../../../scripts/postgres/for-tests.ts";
import { openDice } from "../../src/model/dice.ts";
import { useFolder } from "../fleet/use-folder.ts";
import { BLOWS, shakeServer } from "./server.ts";

const folder = useFolder();
const server = useOwnServer({ durable: false });

it("F9: no process ends and nothing is lost while the server restarts, is killed, and ends connections", async () => {
  const { url } = await freshDatabase(server().url);
  const shaking = { dice: openDice("chaos server"), workers: 2, lanes: 30, blows: BLOWS, pauseMsMax: 800 };
  const { violations, active } = await shakeServer({ folder, name: "server", store: url }, server(), shaking);
  expect(violations).toEqual([]);
  expect(active).toBe(2);
}, 120_000);
