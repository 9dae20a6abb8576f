/**
 * F1, F2: a process with a real engine and a real file is killed with SIGKILL, over and
 * over, at random moments and at named points; then what its steps witnessed and what
 * it acknowledged is compared with what the file holds.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type Dice, openDice } from "../../src/model/dice.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";
import { check, violationText } from "../../src/testing/simulation/checker.ts";
import type { Crash, Evidence, Request, Story, WitnessEvent } from "../../src/testing/simulation/evidence.ts";
import { POLICIES, type ShapeName } from "../../src/testing/simulation/shapes.ts";
import type { ChildOrders, DeathPoint, Wanted } from "./child.ts";

const FOLDER = mkdtempSync(join(tmpdir(), "stepwell-kill-"));
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

/** Kills per test; after them the child is left alone. */
const KILLS = 20;
const LAST_START_MS_MAX = 30_000;
const TEST_MS_MAX = 90_000;

/** The shapes whose work is done in a few real seconds. */
const SHAPES: readonly ShapeName[] = [
  "sequence",
  "fan",
  "caught",
  "shaped",
  "signals",
  "saga",
  "race",
  "timed",
  "derived",
];

const NAMED_POINTS: readonly DeathPoint["at"][] = [
  "before flush",
  "after flush",
  "after claim",
  "step start",
  "step end",
  "acknowledged",
];

describe.concurrent("kill -9", () => {
  it(
    "at random moments loses nothing and repeats nothing",
    async () => {
      const dice = openDice("kill at random");
      const campaign = openCampaign("random", dice);
      for (let kill = 0; kill < KILLS; kill += 1) {
        await campaign.live({ death: null, killAfterMs: dice.integer(350) });
      }
      expect(await campaign.finish()).toEqual([]);
      expect(campaign.crashes().length).toBeGreaterThanOrEqual(KILLS - 2);
    },
    TEST_MS_MAX,
  );

  it(
    "at named points loses nothing and repeats nothing",
    async () => {
      const dice = openDice("kill at points");
      const campaign = openCampaign("points", dice);
      for (let kill = 0; kill < KILLS; kill += 1) {
        const at = NAMED_POINTS[kill % NAMED_POINTS.length]!;
        await campaign.live({
          death: { at, count: 1 + dice.integer(at === "after claim" ? 3 : 12) },
          killAfterMs: 3_000,
        });
      }
      expect(await campaign.finish()).toEqual([]);
      expect(campaign.crashes().length).toBeGreaterThanOrEqual(KILLS - 4);
    },
    TEST_MS_MAX,
  );
});

type Life = { readonly death: DeathPoint | null; readonly killAfterMs: number };

function openCampaign(name: string, dice: Dice) {
  const file = (suffix: string): string => join(FOLDER, `${name}.${suffix}`);
  const crashes: Crash[] = [];
  const runs = drawRuns(dice);
  let starts = 0;
  const live = async ({ death, killAfterMs }: Life): Promise<number | null> => {
    starts += 1;
    const orders: ChildOrders = {
      start: starts,
      seed: name,
      database: file("db"),
      witness: file("witness"),
      requests: file("requests"),
      runs,
      death,
    };
    const { code, errors } = await spawnChild(orders, killAfterMs);
    if (code === null) {
      crashes.push({ at: starts * 1_000_000 + 999_999, trueMs: 0, process: `child-${starts}`, graceful: false });
    } else if (code !== 0) throw new Error(`The child ended with ${code}: ${errors}`);
    return code;
  };
  return {
    live,
    crashes: () => crashes,
    /** Let it end, and hold the promises against what is left. */
    finish: async (): Promise<readonly string[]> => {
      const code = await live({ death: null, killAfterMs: LAST_START_MS_MAX });
      const evidence = await readEvidence(
        { database: file("db"), witness: file("witness"), requests: file("requests") },
        crashes,
      );
      expect(evidence.stories.length).toBeGreaterThanOrEqual(runs.length);
      const active = new Set(evidence.witness.map((event) => event.process));
      expect(active.size).toBeGreaterThan(KILLS / 2);
      const unended = code === 0 ? [] : [`The last start had not ended after ${LAST_START_MS_MAX} ms.`];
      return [...unended, ...check(evidence).map(violationText)];
    },
  };
}

function drawRuns(dice: Dice): Wanted[] {
  return Array.from({ length: 36 }, (_, index) => ({
    shape: SHAPES[index % SHAPES.length]!,
    id: `run-${index}`,
    input: { salt: dice.integer(12), size: 1 + dice.integer(3) },
    cancelled: index % 9 === 5 && index > 9,
  }));
}

/** Killed so long after it said that it works. `code` null: it was killed. */
function spawnChild(
  orders: ChildOrders,
  killAfterMs: number,
): Promise<{ readonly code: number | null; readonly errors: string }> {
  const child: ChildProcess = spawn(process.execPath, [join(import.meta.dirname, "child.ts"), JSON.stringify(orders)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errors = "";
  let timer: NodeJS.Timeout | undefined;
  child.stderr?.on("data", (data) => (errors += String(data)));
  child.stdout?.once("data", () => (timer = setTimeout(() => child.kill("SIGKILL"), killAfterMs)));
  return new Promise((resolve) => {
    child.on("exit", (code) => {
      clearTimeout(timer);
      resolve({ code, errors });
    });
  });
}

async function readEvidence(
  files: { readonly database: string; readonly witness: string; readonly requests: string },
  crashes: readonly Crash[],
): Promise<Evidence> {
  const store = await openSqliteStore(files.database, { clock: () => 0 });
  const stories: Story[] = [];
  for (const run of (await store.listRuns({ limit: 1_000 })).runs.toReversed()) {
    stories.push({ run, history: await store.listHistory(run.rowId), memory: await store.loadMemory(run.rowId) });
  }
  await store.close();
  return {
    stories,
    records: [],
    witness: readLines<WitnessEvent>(files.witness),
    requests: once(readLines<Request>(files.requests)),
    snapshots: [],
    crashes,
    strays: [],
    replays: [],
    policies: POLICIES,
    leaseMs: 2_000,
    healedMs: 0,
    healingMs: Infinity,
    cancelMs: Infinity,
    calm: false,
  };
}

/** A start asks for everything again: one request, however often it was acknowledged. */
function once(requests: readonly Request[]): Request[] {
  const seen = new Set<string>();
  return requests.filter((request) => {
    if (request.kind !== "signal") return true;
    const name = `${request.run} ${request.operation}`;
    return seen.size !== seen.add(name).size;
  });
}

/** A line is one write, so that a kill leaves it out or leaves it whole. */
function readLines<T>(path: string): T[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.slice(0, -1).map((line) => JSON.parse(line) as T);
}
