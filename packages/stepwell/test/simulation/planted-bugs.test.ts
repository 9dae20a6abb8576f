/**
 * Proof that tests can fail: for every invariant a bug is planted in a copy of the library, and that invariant notices. Few
 * seeds here, those that are known to catch it first; `npm run planted-bugs` tries a thousand.
 *
 * A bug that a test must notice costs a process of vitest. So of these only the races are planted here, which nothing but the
 * interleavings would notice; `npm run planted-bugs`, a part of check:deep, plants them all.
 */
import { describe, expect, inject, it } from "vitest";
import { listPlantedBugs, plant, type PlantedBug, whyStale } from "../../../../scripts/planted-bugs.ts";
import { INVARIANTS } from "../../src/testing/simulation/checker.ts";

const SEEDS_MAX = 40;
const BUG_MS_MAX = 60_000;

const bugs = listPlantedBugs();
const advice = "see scripts/planted-bugs.ts; a patch that does not apply any more is made anew";

const catcherOf = ({ catcher }: PlantedBug): string => (catcher.kind === "test" ? catcher.named : catcher.id);
const isRace = ({ catcher }: PlantedBug): boolean => catcher.kind === "test" && /\/interleavings\b/.test(catcher.file);

describe.concurrent("planted bugs", { timeout: BUG_MS_MAX }, () => {
  const server = inject("postgres");
  const planted = bugs.filter((bug) => bug.catcher.kind === "invariant" || isRace(bug));

  it.for(planted.map((bug) => [catcherOf(bug), bug.name, bug] as const))("%s notices %s", async (row, { skip }) => {
    const [, , bug] = row;
    if (isRace(bug) && "missing" in server) skip(`no PostgreSQL: ${server.missing}`);
    const verdict = await plant(bug, { seedsMax: SEEDS_MAX, postgres: "url" in server ? server.url : null });
    expect(verdict.kind, `${JSON.stringify(verdict)}; ${advice}`).toBe("caught");
  });

  it("stand for every invariant", () => {
    const noticed = new Set(bugs.map(catcherOf));
    expect(INVARIANTS.map(({ id }) => id).filter((id) => !noticed.has(id))).toEqual([]);
  });

  it.each(bugs.filter((bug) => !planted.includes(bug)))("$name can be planted", (bug) => {
    expect(whyStale(bug), advice).toBe(null);
  });
});
