/**
 * Every workload on SQLite, at tiny sizes, in its own process; and the proof that `bare` does the
 * engine's writes, so that it cannot become a cheaper yardstick unnoticed.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Base, openBase } from "../base.ts";
import { runBench } from "../bench.ts";
import { runJob } from "../job.ts";
import type { Row } from "../row.ts";
import { measureBare } from "../workloads/bare.ts";
import { measureCheckout } from "../workloads/checkout.ts";
import { checkRow, tinyJobs, tinyTask } from "./tiny.ts";

const TINY = tinyJobs("sqlite");

let folder = "";
let base: Base;
const outerTmpdir = process.env["TMPDIR"];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "stepwell-bench-test-"));
  process.env["TMPDIR"] = folder;
  base = await openBase("sqlite");
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
    const result = await runBench(TINY, [base], { quick: true, json: true, rounds: 1 }, output);
    expect(warnings).toEqual([]);
    expect(result).toMatchObject({ failures: 0, medians: [] });
    const rows = lines.map((line) => JSON.parse(line) as Row);
    expect(rows).toEqual(result.rows);
    expect(rows.map((row) => row.workload)).toEqual(TINY.map((job) => job.workload));
    for (const row of rows) checkRow(row);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("reports a job that fails, without a row, and cleans up after it", { timeout: 60_000 }, async () => {
    const job = { ...TINY.find(({ workload }) => workload === "latency")!, measureRuns: 0 };
    await expect(runJob(job, base)).rejects.toThrow(/^latency at 4 failed \(1\): [\s\S]*no run completed/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("refuses an unknown flag with its usage and exit code 2", { timeout: 60_000 }, async () => {
    const { code, stdout, stderr } = await command(["--fast"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^Unknown option '--fast'\n\nnpm run bench -- \[options\]/);
  });

  it("says so where there is no PostgreSQL", { timeout: 60_000 }, async () => {
    const args = ["--store", "postgres", "--only", "bare@1"];
    const { code, stdout, stderr } = await command(args, { STEPWELL_TEST_PG: "none" });
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: "",
      stderr: "there is no PostgreSQL: STEPWELL_TEST_PG says none\n",
    });
  });
});

describe("bare", () => {
  it("leaves the same rows as the engine, in as many bytes", { timeout: 60_000 }, async () => {
    const paths = { bare: join(folder, "bare.db"), checkout: join(folder, "checkout.db") };
    const place = (path: string) => ({ url: `sqlite:${path}`, otherUrl: "", serverPid: null });
    const bareFigures = await measureBare(tinyTask("sqlite", "bare", place(paths.bare)));
    const checkoutFigures = await measureCheckout(tinyTask("sqlite", "checkout", place(paths.checkout)));
    expect(bareFigures).toMatchObject({ runs: 300, rowsPerRun: 6, flushesPerRun: 7 / 20 });
    expect(checkoutFigures).toMatchObject({ runs: 300, rowsPerRun: 6 });
    expect(Math.abs(bareFigures.bytesPerRun! / checkoutFigures.bytesPerRun! - 1)).toBeLessThan(0.02);
    expect(contentsOf(paths.bare)).toEqual(contentsOf(paths.checkout));
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
  });
});

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
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: unknown; readonly stdout: string; readonly stderr: string }> {
  const entry = join(import.meta.dirname, "..", "run.ts");
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env } };
    execFile(process.execPath, ["--conditions=stepwell-source", entry, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, stdout, stderr });
    });
  });
}
