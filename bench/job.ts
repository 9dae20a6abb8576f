/**
 * Job: one workload at one size, measured in a process and a database file of its own.
 *
 * A process per job gives each a clean heap and cold code, so that no job pays for the one
 * before it. What the child has measured comes back as one line of JSON on its stdout.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** All workloads, in the order in which they are run; `bare` stands before what is compared with it. */
export const WORKLOADS = [
  "bare",
  "checkout",
  "latency",
  "fanout",
  "sequential",
  "recovery",
  "sleepers",
  "growth",
] as const;

/** Name of a workload, see bench/workloads/. */
export type Workload = (typeof WORKLOADS)[number];

/** What to measure, and for how long. */
export type Job = {
  readonly workload: Workload;
  /**
   * Runs under way at once: clients in a closed loop, for `recovery` the runs in flight at the kill, for `sleepers`
   * those asleep at the end.
   */
  readonly concurrency: number;
  readonly stepsPerRun: number;
  /** Runs are made for so long, or until `warmupRuns` have ended, before anything is counted. */
  readonly warmupMs: number;
  readonly warmupRuns: number;
  /** No run begins after so long, or after `measureRuns`. */
  readonly measureMs: number;
  readonly measureRuns: number;
  /** `growth`: checkpoints that are in the file before anything is measured. */
  readonly rowsBefore?: number;
};

/** What the child is told: the job, its part in it, and where. `crash` is the first life of `recovery`. */
export type Task = Job & {
  readonly part: "measure" | "crash";
  readonly path: string;
  /** When the parent started the child; epoch milliseconds. */
  readonly spawnedAtMs: number;
};

/** What the child has measured. Null: has no meaning for this workload. */
export type Figures = {
  /** Completed in the measured time. */
  readonly runs: number;
  readonly elapsedMs: number;
  /** From the call of `start` to the run's result. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** User and system time of the whole process. */
  readonly cpuUsPerRun: number;
  readonly flushesPerRun: number;
  /** Resident memory at the end of the measured time. */
  readonly rssMb: number;
  /** Growth of the database file, checkpointed, by all runs (also those of the warm-up). */
  readonly bytesPerRun: number;
  /** Rows of all tables that hold runs and what belongs to them. */
  readonly rowsPerRun: number;
  /** `sequential`: time of the run's last tenth of steps over that of its first. */
  readonly tenthRatio: number | null;
  /** `recovery`: from the second process's start to the first step it executed. */
  readonly takeoverMs: number | null;
  /** `recovery`: from the second process's start to the last run's completion. */
  readonly recoveryMs: number | null;
  /** `sleepers`: resident memory with all of them asleep, above that of the engine without any. */
  readonly sleepersMb: number | null;
  /** `growth`: CPU time per step on the file that holds `rowsBefore` checkpoints, over that on an empty one. */
  readonly growthRatio: number | null;
  /** `growth`: growth of the file per step of 200 bytes, its run's own row and all indexes included. */
  readonly bytesPerStep: number | null;
};

/** Printed by the first life of `recovery` when all its runs are in flight. */
export const READY = "ready";

/** A child that takes longer than its time and this is stuck. */
const GRACE_MS = 60_000;
/** Far more than it takes to fill a file before the measurement. */
const FILL_MS_PER_ROW = 0.05;

/** Measure one job. @throws Error with the child's last words, when it fails or is stuck */
export async function runJob(job: Job): Promise<Figures> {
  const folder = openFolder();
  try {
    const task = { ...job, path: join(folder, "bench.db") };
    if (job.workload === "recovery") await runChild({ ...task, part: "crash" }, READY);
    return JSON.parse(await runChild({ ...task, part: "measure" }, null)) as Figures;
  } finally {
    closeFolder(folder);
  }
}

/**
 * Start a child and wait for its end.
 *
 * @param killAt the line of output at which the child is killed with -9; null: it ends by itself
 * @returns its last line of output
 */
async function runChild(task: Omit<Task, "spawnedAtMs">, killAt: string | null): Promise<string> {
  const child = spawnChild({ ...task, spawnedAtMs: Date.now() });
  const said = { out: "", err: "" };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    said.out += text;
    if (killAt !== null && said.out.includes(killAt)) child.kill("SIGKILL");
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said.err += text;
  });
  const fillMs = (task.rowsBefore ?? 0) * FILL_MS_PER_ROW;
  const timer = setTimeout(() => child.kill("SIGKILL"), task.warmupMs + task.measureMs + fillMs + GRACE_MS);
  const code = await ended(child);
  clearTimeout(timer);
  children.delete(child);
  const line = said.out.trim().split("\n").at(-1) ?? "";
  const asPlanned = killAt === null ? code === 0 : line === killAt;
  if (asPlanned) return line;
  throw new Error(`${task.workload} at ${task.concurrency} failed (${code}): ${said.err.trim() || "no message"}`);
}

function spawnChild(task: Task): ChildProcess {
  const entry = fileURLToPath(new URL("child.ts", import.meta.url));
  const flags = ["--conditions=stepwell-source", "--disable-warning=ExperimentalWarning"];
  const child = spawn(process.execPath, [...flags, entry, JSON.stringify(task)], { stdio: ["ignore", "pipe", "pipe"] });
  children.add(child);
  return child;
}

function ended(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
}

// What must not outlive this process, however it ends.
const children = new Set<ChildProcess>();
const folders = new Set<string>();

function openFolder(): string {
  if (folders.size === 0) process.once("exit", sweep);
  const folder = mkdtempSync(join(tmpdir(), "stepwell-bench-"));
  folders.add(folder);
  return folder;
}

function closeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
  if (folders.size === 0) process.off("exit", sweep);
}

function sweep(): void {
  for (const child of children) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}
