/**
 * Campaign: processes with real engines on one real file are killed with SIGKILL, over
 * and over; then what their steps witnessed and what they acknowledged is compared with
 * what the file holds.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Dice } from "../../src/model/dice.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";
import { check, violationText } from "../../src/testing/simulation/checker.ts";
import type { Crash, Evidence, Request, Story, WitnessEvent } from "../../src/testing/simulation/evidence.ts";
import { POLICIES, type ShapeName } from "../../src/testing/simulation/shapes.ts";
import type { ChildOrders, DeathPoint, Wanted } from "./child.ts";

/** How a process is to end: by itself at a named point, or killed so long after it said that it works. */
export type Life = { readonly death: DeathPoint | null; readonly killAfterMs: number };

/** Where a campaign is fought, and for how many runs. Same dice, same runs. */
export type Field = { readonly folder: string; readonly name: string; readonly dice: Dice; readonly runs: number };

/** One file and the processes on it. */
export type Campaign = {
  /** Start a process and let it live; true when it was killed, false when it saw all runs end. Several may live at once. */
  readonly live: (life: Life) => Promise<boolean>;
  readonly kills: () => number;
  /** Let so many processes bring everything to its end, and hold the promises against what is left. */
  readonly finish: (processes: number) => Promise<Report>;
};

/** What came of a campaign. `active`: processes that executed steps. */
export type Report = { readonly violations: readonly string[]; readonly kills: number; readonly active: number };

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

/** Where a process may be told to kill itself. */
export const DEATH_POINTS: readonly DeathPoint["at"][] = [
  "before flush",
  "after flush",
  "after claim",
  "step start",
  "step end",
  "acknowledged",
];

const LAST_START_MS_MAX = 60_000;
const RUNS_LISTED_MAX = 1_000;

type State = {
  readonly field: Field;
  readonly files: { readonly database: string; readonly witness: string; readonly requests: string };
  readonly runs: readonly Wanted[];
  readonly crashes: Crash[];
  starts: number;
};

/** Nobody has started yet. The folder must exist. */
export function openCampaign(field: Field): Campaign {
  const file = (suffix: string): string => join(field.folder, `${field.name}.${suffix}`);
  const files = { database: file("db"), witness: file("witness"), requests: file("requests") };
  const state: State = { field, files, runs: drawRuns(field), crashes: [], starts: 0 };
  return {
    live: (life) => live(state, life),
    kills: () => state.crashes.length,
    finish: (processes) => finish(state, processes),
  };
}

/**
 * Kill so many processes of those that share one file, in as many rounds as it takes: each has a file of its own, and
 * begins when all runs of the one before have ended.
 *
 * @param told hears of every round
 */
export async function killAmong(
  processes: number,
  kills: number,
  field: Field,
  told: (report: Report) => void = () => {},
): Promise<Report> {
  let total: Report = { violations: [], kills: 0, active: 0 };
  for (let round = 1; total.kills < kills; round += 1) {
    const name = `${field.name}-${round}`;
    const dice = field.dice.split(name);
    const campaign = openCampaign({ ...field, name, dice });
    const left = Math.min(kills - total.kills, processes * KILLS_PER_PROCESS);
    await Promise.all(Array.from({ length: processes }, () => killOverAndOver(campaign, dice, left)));
    const report = await campaign.finish(processes);
    told(report);
    const named = report.violations.map((violation) => `${name}: ${violation}`);
    total = {
      violations: [...total.violations, ...named],
      kills: total.kills + report.kills,
      active: total.active + report.active,
    };
  }
  return total;
}

/** After so many per process the runs of a round have mostly ended. */
const KILLS_PER_PROCESS = 6;

async function killOverAndOver(campaign: Campaign, dice: Dice, kills: number): Promise<void> {
  while (campaign.kills() < kills) if (!(await campaign.live(drawLife(dice)))) return;
}

/** Half at random moments, half at named points. */
function drawLife(dice: Dice): Life {
  if (dice.chance(0.5)) return { death: null, killAfterMs: dice.integer(400) };
  const at = dice.pick(DEATH_POINTS);
  return { death: { at, count: 1 + dice.integer(at === "after claim" ? 3 : 12) }, killAfterMs: 1_000 };
}

async function live(state: State, { death, killAfterMs }: Life): Promise<boolean> {
  state.starts += 1;
  const start = state.starts;
  const orders: ChildOrders = { start, seed: state.field.name, ...state.files, runs: state.runs, death };
  const { code, errors } = await spawnChild(orders, killAfterMs);
  if (code === 0) return false;
  if (code !== null) throw new Error(`The child ended with ${code}: ${errors}`);
  state.crashes.push({ at: start * 1_000_000 + 999_999, trueMs: 0, process: `child-${start}`, graceful: false });
  return true;
}

async function finish(state: State, processes: number): Promise<Report> {
  const kills = state.crashes.length;
  const last = { death: null, killAfterMs: LAST_START_MS_MAX };
  const killed = await Promise.all(Array.from({ length: processes }, () => live(state, last)));
  const evidence = await readEvidence(state);
  const violations = check(evidence).map(violationText);
  if (killed.includes(true)) violations.push(`A last start had not ended after ${LAST_START_MS_MAX} ms.`);
  const missing = state.runs.length - evidence.stories.length;
  if (missing > 0) violations.push(`${missing} runs were never stored.`);
  return { violations, kills, active: new Set(evidence.witness.map((event) => event.process)).size };
}

function drawRuns({ dice, runs }: Field): Wanted[] {
  return Array.from({ length: runs }, (_, index) => ({
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

async function readEvidence({ files, crashes }: State): Promise<Evidence> {
  const store = await openSqliteStore(files.database, { clock: () => 0 });
  const stories: Story[] = [];
  for (const run of (await store.listRuns({ limit: RUNS_LISTED_MAX })).runs.toReversed()) {
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
    codes: {},
    leaseMs: 2_000,
    healedMs: 0,
    healingMs: Infinity,
    setBackMs: 0,
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
