/**
 * Job: one workload at one size, measured in a process of its own and on a database of its own.
 *
 * A process per job gives each a clean heap and cold code, so that no job pays for the one
 * before it. What the child has measured comes back as one line of JSON on its stdout.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Base, Place, StoreName } from "./base.ts";

/** All workloads, in the order in which they are run; `bare` stands before what is compared with it. */
export const WORKLOADS = [
  "bare",
  "checkout",
  "latency",
  "tx",
  "fanout",
  "sequential",
  "recovery",
  "sleepers",
  "growth",
  "claim",
  "workers",
  "idle",
] as const;

/** Name of a workload, see bench/workloads/. */
export type Workload = (typeof WORKLOADS)[number];

/** What to measure, and for how long. */
export type Job = {
  readonly store: StoreName;
  readonly workload: Workload;
  /**
   * Runs under way at once: clients in a closed loop, for `recovery` the runs in flight at the kill, for `sleepers`
   * those asleep at the end, for `claim` those that are due. For `workers` and `idle`: worker processes.
   */
  readonly concurrency: number;
  readonly stepsPerRun: number;
  /** Runs are made for so long, or until `warmupRuns` have ended, before anything is counted. */
  readonly warmupMs: number;
  readonly warmupRuns: number;
  /** No run begins after so long, or after `measureRuns`. */
  readonly measureMs: number;
  readonly measureRuns: number;
  /** `growth`: checkpoints that are in the database before anything is measured; `claim`, `workers`: runs that are due. */
  readonly rowsBefore?: number;
};

/**
 * What the child is told: the job, its part in it, and where. `crash` is the first life of `recovery`, `work` one of the
 * processes of `workers` and `idle`.
 */
export type Task = Job &
  Omit<Place, "remove"> & {
    readonly part: "measure" | "crash" | "work";
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
  /** User and system time of the whole process; of all of them, where there are several. */
  readonly cpuUsPerRun: number | null;
  /** The same of all processes of the database's server; null also where that is not ours to look at. */
  readonly serverCpuUsPerRun: number | null;
  readonly flushesPerRun: number | null;
  /** Resident memory at the end of the measured time; of all processes, where there are several. */
  readonly rssMb: number;
  /** Growth of the database, checkpointed, by all runs (also those of the warm-up). */
  readonly bytesPerRun: number | null;
  /** Rows of all tables that hold runs and what belongs to them. */
  readonly rowsPerRun: number | null;
  /** `sequential`: time of the run's last tenth of steps over that of its first. */
  readonly tenthRatio: number | null;
  /** `recovery`: from the second process's start to the first step it executed. */
  readonly takeoverMs: number | null;
  /** `recovery`: from the second process's start to the last run's completion. */
  readonly recoveryMs: number | null;
  /** `sleepers`: resident memory with all of them asleep, above that of the engine without any. */
  readonly sleepersMb: number | null;
  /** `growth`: CPU time per step on the database that holds `rowsBefore` checkpoints, over that on an empty one. */
  readonly growthRatio: number | null;
  /** `growth`: growth of the database per step of 200 bytes, its run's own row and all indexes included. */
  readonly bytesPerStep: number | null;
  /** `claim`: the server's time per claimed run. */
  readonly claimUs: number | null;
  /** `idle`: statements that the server is sent. */
  readonly queriesPerSecond: number | null;
};

/** For those who measure a part of it. */
export const UNMEASURED: Omit<Figures, "runs" | "elapsedMs" | "rssMb"> = {
  p50Ms: null,
  p99Ms: null,
  cpuUsPerRun: null,
  serverCpuUsPerRun: null,
  flushesPerRun: null,
  bytesPerRun: null,
  rowsPerRun: null,
  tenthRatio: null,
  takeoverMs: null,
  recoveryMs: null,
  sleepersMb: null,
  growthRatio: null,
  bytesPerStep: null,
  claimUs: null,
  queriesPerSecond: null,
};

/** Printed by the first life of `recovery` when all its runs are in flight. */
export const READY = "ready";

/** A child that takes longer than its time and this is stuck. */
const GRACE_MS = 60_000;
/** Far more than it takes to fill a file before the measurement. */
const FILL_MS_PER_ROW = 0.05;

/** Measure one job. @throws Error with the child's last words, when it fails or is stuck */
export async function runJob(job: Job, base: Base): Promise<Figures> {
  const { remove, ...place } = await base.openPlace();
  try {
    const task = { ...job, ...place };
    if (job.workload === "recovery") await runChild({ ...task, part: "crash" }, READY);
    return JSON.parse(await runChild({ ...task, part: "measure" }, null)) as Figures;
  } finally {
    await remove();
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
  if (children.size === 0) process.off("exit", sweep);
  const line = said.out.trim().split("\n").at(-1) ?? "";
  const asPlanned = killAt === null ? code === 0 : line === killAt;
  if (asPlanned) return line;
  throw new Error(`${task.workload} at ${task.concurrency} failed (${code}): ${said.err.trim() || "no message"}`);
}

function spawnChild(task: Task): ChildProcess {
  const entry = fileURLToPath(new URL("child.ts", import.meta.url));
  const flags = ["--conditions=stepwell-source", "--disable-warning=ExperimentalWarning"];
  const child = spawn(process.execPath, [...flags, entry, JSON.stringify(task)], { stdio: ["ignore", "pipe", "pipe"] });
  if (children.size === 0) process.once("exit", sweep);
  children.add(child);
  return child;
}

function ended(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
}

/** What must not outlive this process, however it ends. */
const children = new Set<ChildProcess>();

function sweep(): void {
  for (const child of children) child.kill("SIGKILL");
}
