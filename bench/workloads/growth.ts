/**
 * Growth: what a step costs on an empty file, and on one that holds millions of checkpoints. If it grew with what was
 * done before, an engine would get slower by getting old.
 *
 * Both files are open at once and take turns, so that what else the machine does meets both alike; the middle one of
 * the pairs' ratios is reported. The old rows are written by SQL, in the library's own schema.
 */
import { DatabaseSync } from "node:sqlite";
import { type Engine, openEngine, workflow } from "stepwell";
import type { Figures, Task } from "../job.ts";
import { RESULT } from "./checkout.ts";
import { createDatabase } from "./database.ts";
import { closedLoop, percentile, perRun, workOptions } from "./measure.ts";

const pages = workflow("bench/growth", { version: "1.0.0" }, async (ctx, steps: number) => {
  for (let index = 0; index < steps; index += 1) await ctx.step(["page", index], () => RESULT);
});

/** Turns that each file takes. */
const PAIRS = 9;

/** Steps of each run that is there already. */
const OLD_STEPS = 5;

/** Rows per transaction of the filling. */
const CHUNK_RUNS = 50_000;

/** One turn of one file. */
type Turn = { readonly latencies: readonly number[]; readonly cpuUs: number; readonly elapsedMs: number };

/** Turns of `task.concurrency` clients on either file. The figures are those of the full one; bytes those of the empty. */
export async function measureGrowth(task: Task): Promise<Figures> {
  const fullPath = `${task.path}-full`;
  const { bytes } = await createDatabase(task.path, pages);
  await createDatabase(fullPath, pages);
  fillFile(fullPath, task.rowsBefore ?? 0);
  const open = (path: string): Promise<Engine> =>
    openEngine({ store: `sqlite:${path}`, workflows: [pages], work: workOptions(task) });
  const [empty, full] = await Promise.all([open(task.path), open(fullPath)]);
  for (const engine of [empty, full]) await takeTurn(engine, task, task.warmupMs / 2, task.warmupRuns);
  const flushesBefore = full.stats().flushes;
  const pairs: (readonly [onEmpty: Turn, onFull: Turn])[] = [];
  const turnMs = task.measureMs / PAIRS / 2;
  const turnRuns = Math.max(1, Math.floor(task.measureRuns / PAIRS));
  for (let pair = 0; pair < PAIRS; pair += 1) {
    const onEmpty = await takeTurn(empty, task, turnMs, turnRuns);
    pairs.push([onEmpty, await takeTurn(full, task, turnMs, turnRuns)]);
  }
  const flushes = full.stats().flushes - flushesBefore;
  const rssMb = process.memoryUsage.rss() / 2 ** 20;
  await Promise.all([empty.close(), full.close()]);
  const file = perRun(task.path, bytes);
  return { ...figuresOf(pairs, flushes), rssMb, ...file, bytesPerStep: file.bytesPerRun / task.stepsPerRun };
}

function figuresOf(
  pairs: readonly (readonly [Turn, Turn])[],
  flushes: number,
): Omit<Figures, "rssMb" | "bytesPerRun" | "rowsPerRun" | "bytesPerStep"> {
  const full = pairs.map(([, onFull]) => onFull);
  const sum = (of: (turn: Turn) => number): number => full.reduce((total, turn) => total + of(turn), 0);
  const sorted = Float64Array.from(full.flatMap((turn) => turn.latencies)).sort();
  const ratios = pairs.map(([onEmpty, onFull]) => cpuPerRun(onFull) / cpuPerRun(onEmpty)).sort((a, b) => a - b);
  return {
    runs: sorted.length,
    elapsedMs: sum((turn) => turn.elapsedMs),
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    cpuUsPerRun: sum((turn) => turn.cpuUs) / sorted.length,
    flushesPerRun: flushes / sorted.length,
    tenthRatio: null,
    takeoverMs: null,
    recoveryMs: null,
    sleepersMb: null,
    growthRatio: ratios[ratios.length >> 1] ?? null,
  };
}

function cpuPerRun({ cpuUs, latencies }: Turn): number {
  return cpuUs / latencies.length;
}

/** @throws Error when no run has completed: there is nothing to divide by */
async function takeTurn(engine: Engine, task: Task, durationMs: number, runsMax: number): Promise<Turn> {
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  const limit = { untilMs: startedMs + durationMs, runsMax };
  const latencies = await closedLoop(task.concurrency, limit, () => engine.run(pages, task.stepsPerRun));
  const cpu = process.cpuUsage(cpuBefore);
  if (latencies.length === 0) throw new Error("no run completed in the measured time");
  return { latencies, cpuUs: cpu.user + cpu.system, elapsedMs: performance.now() - startedMs };
}

/** Completed runs of {@link OLD_STEPS} checkpoints each, without a log: nobody else has the file yet. */
function fillFile(path: string, rows: number): void {
  const db = new DatabaseSync(path);
  db.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -100000");
  const version = db.prepare("SELECT id, workflow_id FROM versions").get();
  const insertRuns = db.prepare(`
    INSERT INTO runs (id, state, workflow_id, version_id, public_id, history_seq, created_at_ms, ended_at_ms, seed, actor,
                      output, input)
    WITH RECURSIVE numbers (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2)
    SELECT n, 'completed', ?3, ?4, printf('01990000-0000-7000-8000-%012d', n), ?5, 0, 0, n, 'process:old:1', '{"ok":true}', '5'
    FROM numbers`);
  const insertSteps = db.prepare(`
    INSERT INTO steps (run_id, key, generation, seq, kind, outcome, attempt, compensable, at_ms, duration_ms, value)
    WITH RECURSIVE
      runs (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM runs WHERE n < ?2),
      pages (p) AS (SELECT 0 UNION ALL SELECT p + 1 FROM pages WHERE p < ?3 - 1)
    SELECT n, 'page/' || p, 1, p + 2, 'step', 'completed', 1, 0, 0, 0, ?4 FROM runs CROSS JOIN pages`);
  const value = JSON.stringify(RESULT);
  const last = Math.ceil(rows / OLD_STEPS);
  for (let first = 1; first <= last; first += CHUNK_RUNS) {
    const end = Math.min(first + CHUNK_RUNS - 1, last);
    db.exec("BEGIN");
    insertRuns.run(first, end, Number(version?.["workflow_id"]), Number(version?.["id"]), OLD_STEPS + 2);
    insertSteps.run(first, end, OLD_STEPS, value);
    db.exec("COMMIT");
  }
  db.close();
}
