/** Every scenario ends as its data says; the ones with a kill use real processes and a real kill -9. */
import { describe, expect, it } from "vitest";
import { useFreshDatabase } from "../../../scripts/postgres/for-tests.ts";
import { playScenario } from "../play.ts";
import { SCENARIOS } from "../scenarios.ts";
import { withScratch } from "./scratch.ts";

const KILL_TIMEOUT_MS = 60_000;

const KILLING = SCENARIOS.filter((scenario) => scenario.kill !== undefined);
const PEACEFUL = SCENARIOS.filter((scenario) => scenario.kill === undefined);

describe("scenarios", () => {
  it("have names of their own", () => {
    expect(new Set(SCENARIOS.map((scenario) => scenario.name)).size).toBe(SCENARIOS.length);
  });

  it.each(PEACEFUL)("$name: $shows", async (scenario) => {
    const report = await withScratch((dir) => playScenario(scenario, dir));
    expect(report.problems).toEqual([]);
  });

  it.each(KILLING)(
    "$name: $shows",
    async (scenario) => {
      const report = await withScratch((dir) => playScenario(scenario, dir));
      expect(report.problems).toEqual([]);
      expect(report.calls.filter((call) => call.code === null)).toHaveLength(1);
    },
    KILL_TIMEOUT_MS,
  );

  it("notice when something is otherwise than expected", async () => {
    const [happy] = SCENARIOS;
    if (happy === undefined) throw new Error("no scenarios");
    const wrong = {
      ...happy,
      expected: { ...happy.expected, kept: 1, effects: { ...happy.expected.effects, refunds: 1 } },
    };
    const report = await withScratch((dir) => playScenario(wrong, dir));
    expect(report.problems).toEqual(["cents kept: 12476, expected 1", "refunds: 0, expected 1"]);
  });
});

// Those that are killed wait for a lease to lapse, side by side.
describe.concurrent("scenarios on PostgreSQL", { timeout: KILL_TIMEOUT_MS }, () => {
  const url = useFreshDatabase();

  it.each(SCENARIOS)("$name: $shows", async (scenario) => {
    const store = new URL(url());
    store.searchParams.set("schema", scenario.name.replaceAll(/\W/g, "_"));
    const report = await withScratch((dir) => playScenario(scenario, dir, store.href));
    expect(report.problems).toEqual([]);
  });
});
