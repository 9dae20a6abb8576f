/**
 * Worker process: the parent's side of worker.ts.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Pace, WorldEvent } from "../growthcorp/world/world.ts";
import type { OrderInput } from "./domain.ts";

/** An order and the id that makes submitting it twice harmless. */
export type Submission = { readonly id: string; readonly order: OrderInput };

/** What a worker is told. */
export type WorkerTask = {
  readonly checkout: "durable" | "fragile";
  /** Where the runs are kept, as `openEngine` takes it. */
  readonly store: string;
  readonly worldPath: string;
  readonly pace: Pace;
  readonly retryBase: number;
  readonly orders: readonly Submission[];
  /** How the worker is called where workers are listed. */
  readonly name?: string;
  /** One of several: begins with its orders when it is told to, and works on for others until it is told to leave. */
  readonly crew?: boolean;
};

/** What a worker tells. */
export type WorkerMessage =
  | { readonly kind: "ready" }
  | { readonly kind: "world"; readonly event: WorldEvent }
  | { readonly kind: "ended"; readonly id: string; readonly state: string; readonly error: string };

/** A worker process. */
export type WorkerProcess = {
  readonly pid: number;
  /** kill -9: no handler of it runs. */
  readonly kill: () => void;
  /** To one of a crew. */
  readonly tell: (order: "begin" | "leave") => void;
  /** Resolves when the process is gone: `done` when it finished its task, `killed` by {@link kill}. */
  readonly gone: Promise<"done" | "killed">;
};

/** The package's source is run as it stands, see `exports` in packages/stepwell/package.json. */
const NODE_FLAGS = ["--conditions=stepwell-source"];

/** Start a worker. `hear` is called for each message, in order. */
export function startWorkerProcess(task: WorkerTask, hear: (message: WorkerMessage) => void): WorkerProcess {
  const script = fileURLToPath(new URL("worker.ts", import.meta.url));
  const child = fork(script, [], { execArgv: NODE_FLAGS, stdio: ["ignore", "inherit", "inherit", "ipc"] });
  child.on("message", (message) => hear(message as WorkerMessage));
  child.send(task);
  // Before anything else that happens at the exit of this process, such as the removal of the worker's files.
  const end = (): void => void child.kill("SIGKILL");
  process.prependOnceListener("exit", end);
  child.once("close", () => process.off("exit", end));
  return {
    pid: child.pid ?? 0,
    kill: () => void child.kill("SIGKILL"),
    tell: (order) => void child.send(order),
    gone: goneOf(child),
  };
}

function goneOf(child: ChildProcess): Promise<"done" | "killed"> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (signal === "SIGKILL") resolve("killed");
      else if (code === 0) resolve("done");
      else reject(new Error(`the worker ended with ${signal ?? `code ${code}`}`));
    });
  });
}
