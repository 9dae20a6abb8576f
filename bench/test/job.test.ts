/**
 * Every workload, at tiny sizes, in its own process; and the proof that `bare` does the
 * engine's writes, so that it cannot become a cheaper yardstick unnoticed.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runBench } from "../bench.ts";
import { type Job, runJob, type Task, WORKLOADS } from "../job.ts";
import type { Row } from "../row.ts";
import { measureBare } from "../workloads/bare.ts";
import { measureCheckout } from "../workloads/checkout.ts";
import { aRow } from "./a-row.ts";

const STEPS_PER_RUN = {
  bare: 5,
  checkout: 5,
  latency: 1,
  fanout: 30,
  sequential: 20,
  recovery: 4,
  sleepers: 1,
  growth: 5,
} as const;
const TINY: readonly Job[] = WORKLOADS.map((workload) => ({
  workload,
  concurrency: workload === "recovery" || workload === "sleepers" ? 20 : 4,
  stepsPerRun: STEPS_PER_RUN[workload],
  warmupMs: 5_000,
  warmupRuns: 1,
  measureMs: 5_000,
  measureRuns: 6,
  ...(workload === "growth" ? { rowsBefore: 1_000 } : {}),
}));

let folder = "";
const outerTmpdir = process.env["TMPDIR"];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "stepwell-bench-test-"));
  process.env["TMPDIR"] = folder;
});

afterAll(() => {
  if (outerTmpdir === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = outerTmpdir;
  rmSync(folder, { recursive: true, force: true });
});

describe("the benchmark", () => {
  it("runs each workload and prints a line of JSON with every field and sane values", { timeout: 60_000 }, async () => {
    const lines: string[] = [];
    const warnings: string[] = [];
    const output = {
      print: (line: string) => lines.push(line),
      warn: (line: string) => warnings.push(line),
      paint: String,
    };
    const result = await runBench(TINY, { quick: true, json: true, rounds: 1 }, output);
    expect(warnings).toEqual([]);
    expect(result).toMatchObject({ failures: 0, medians: [] });
    const rows = lines.map((line) => JSON.parse(line) as Row);
    expect(rows).toEqual(result.rows);
    expect(rows.map((row) => row.workload)).toEqual(WORKLOADS);
    for (const row of rows) checkRow(row);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("reports a job that fails, without a row, and cleans up after it", { timeout: 60_000 }, async () => {
    const job = { ...TINY.find(({ workload }) => workload === "latency")!, measureRuns: 0 };
    await expect(runJob(job)).rejects.toThrow(/^latency at 4 failed \(1\): [\s\S]*no run completed/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("refuses an unknown flag with its usage and exit code 2", { timeout: 60_000 }, async () => {
    const { code, stdout, stderr } = await command(["--fast"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^Unknown option '--fast'\n\nnpm run bench -- \[options\]/);
  });
});

describe("bare", () => {
  it("leaves the same rows as the engine, in as many bytes", { timeout: 60_000 }, async () => {
    const size = {
      concurrency: 20,
      stepsPerRun: 5,
      warmupMs: 5_000,
      warmupRuns: 20,
      measureMs: 5_000,
      measureRuns: 300,
    };
    const task = { ...size, part: "measure", spawnedAtMs: 0 } as const;
    const bare: Task = { ...task, workload: "bare", path: join(folder, "bare.db") };
    const checkout: Task = { ...task, workload: "checkout", path: join(folder, "checkout.db") };
    const bareFigures = await measureBare(bare);
    const checkoutFigures = await measureCheckout(checkout);
    expect(bareFigures).toMatchObject({ runs: 300, rowsPerRun: 6, flushesPerRun: 7 / 20 });
    expect(checkoutFigures).toMatchObject({ runs: 300, rowsPerRun: 6 });
    expect(Math.abs(bareFigures.bytesPerRun / checkoutFigures.bytesPerRun - 1)).toBeLessThan(0.02);
    expect(contentsOf(bare.path)).toEqual(contentsOf(checkout.path));
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
  });
});

function checkRow(row: Row): void {
  const what = `${row.workload}: ${JSON.stringify(row)}`;
  expect(Object.keys(row).toSorted(), what).toEqual(Object.keys(aRow()).toSorted());
  const positive = ["runs", "runsPerSecond", "stepsPerSecond", "cpuUsPerRun", "flushesPerRun", "rssMb"] as const;
  for (const figure of positive) expect(row[figure], what).toBeGreaterThan(0);
  expect(row.fdatasyncPerSecond, what).toBeGreaterThan(0);
  expect(row.bytesPerRun, what).toBeGreaterThanOrEqual(0);
  expect(row.rowsPerRun, what).toBe(1 + row.stepsPerRun + (row.workload === "recovery" ? 1 : 0));
  expect(row.stepsPerSecond / row.runsPerSecond / row.stepsPerRun, what).toBeCloseTo(1, 1);
  const { p50Ms, p99Ms, bareRatio, tenthRatio, takeoverMs, recoveryMs } = row;
  const { sleepersMb, growthRatio, bytesPerStep, rowsBefore } = row;
  const told = { p50Ms, p99Ms, bareRatio, tenthRatio, takeoverMs, recoveryMs };
  const filled = Object.entries({ ...told, sleepersMb, growthRatio, bytesPerStep, rowsBefore });
  expect(
    filled.filter(([, value]) => value !== null).map(([name]) => name),
    what,
  ).toEqual(FILLED[row.workload]);
  if (p50Ms !== null && p99Ms !== null) expect(p50Ms, what).toBeLessThanOrEqual(p99Ms);
  if (takeoverMs !== null && recoveryMs !== null) expect(takeoverMs, what).toBeLessThanOrEqual(recoveryMs);
}

/** What a row has beyond the figures that all have. A recovered run has a takeover in its history, hence a row more. */
const FILLED: Readonly<Record<Row["workload"], readonly string[]>> = {
  bare: ["p50Ms", "p99Ms"],
  checkout: ["p50Ms", "p99Ms", "bareRatio"],
  latency: ["p50Ms", "p99Ms"],
  fanout: ["p50Ms", "p99Ms"],
  sequential: ["p50Ms", "p99Ms", "tenthRatio"],
  recovery: ["takeoverMs", "recoveryMs"],
  sleepers: ["p50Ms", "p99Ms", "sleepersMb"],
  growth: ["p50Ms", "p99Ms", "growthRatio", "bytesPerStep", "rowsBefore"],
};

/** How many runs and steps look alike, without what is each one's own: ids, moments, dice, durations. */
function contentsOf(path: string): unknown {
  const db = new DatabaseSync(path);
  const kindsOf = (table: string, columns: string): unknown =>
    db.prepare(`SELECT count(*) AS n, ${columns} FROM ${table} GROUP BY ${columns}`).all();
  const contents = {
    runs: kindsOf(
      "runs",
      `workflow_id, version_id, state, worker_id, fence, generation, inbox_seq, due_at_ms, crashes, history_seq,
       ending, actor, input_hash, parent_id, parent_key, parent_awaits, waiting_for, progress, error, output, input,
       length(public_id)`,
    ),
    steps: kindsOf("steps", "key, generation, seq, kind, outcome, attempt, compensable, value"),
  };
  db.close();
  return contents;
}

function command(
  args: readonly string[],
): Promise<{ readonly code: unknown; readonly stdout: string; readonly stderr: string }> {
  const entry = join(import.meta.dirname, "..", "run.ts");
  return new Promise((resolve) => {
    execFile(process.execPath, ["--conditions=stepwell-source", entry, ...args], (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, stdout, stderr });
    });
  });
}
