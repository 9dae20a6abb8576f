/**
 * Postmaster: the first process of a PostgreSQL, from its start until nothing is left of it.
 */
import type { ChildProcess } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { spawnAs } from "./account.ts";
import type { Programs } from "./programs.ts";

/**
 * How a server is stopped. `fast` ends all connections and writes everything to its tables; `immediate` drops everything,
 * and the next start recovers from the log, as after a crash; `smart` waits until the last client has left.
 */
export type StopMode = "fast" | "immediate" | "smart";

/** A running server's first process. `gone` resolves when it has ended, whatever ended it. */
export type Postmaster = { readonly pid: number; readonly gone: Promise<void>; readonly isGone: () => boolean };

/** `settings` as in postgresql.conf. */
export type Launch = {
  readonly dataDir: string;
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
};

/** The server ended instead of starting; the message has what it said last. */
export class LaunchError extends Error {
  override readonly name = "LaunchError";
}

/** There from the start on, and removed by the server at its end. */
const PID_FILE = "postmaster.pid";

const SIGNALS = { fast: "SIGINT", immediate: "SIGQUIT", smart: "SIGTERM" } as const;

/** Recovery after a crash included. */
const START_MS_MAX = 60_000;
const LOOK_MS = 5;
const LOG_LINES = 12;

/** Where the server writes what it has to say. */
function logOf(dataDir: string): string {
  return join(dataDir, "postgres.log");
}

/**
 * Start the server and wait until it takes connections.
 *
 * @throws LaunchError when it ends instead
 */
export async function launchPostgres(programs: Programs, { dataDir, port, settings }: Launch): Promise<Postmaster> {
  const all = { listen_addresses: "127.0.0.1", unix_socket_directories: "", ...settings, port: `${port}` };
  const flags = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const log = openSync(logOf(dataDir), "a");
  const child = spawnAs(programs.account, [join(programs.bin, "postgres"), "-D", dataDir, ...flags], dataDir, log);
  closeSync(log);
  const postmaster = watch(child);
  const untilMs = performance.now() + START_MS_MAX;
  while (!isReady(dataDir, postmaster.pid)) {
    if (postmaster.isGone()) throw new LaunchError(`PostgreSQL did not start: ${lastWords(dataDir)}`);
    if (performance.now() > untilMs) {
      await halt(postmaster, "immediate");
      throw new LaunchError(`PostgreSQL did not start within ${START_MS_MAX} ms: ${lastWords(dataDir)}`);
    }
    await sleep(LOOK_MS);
  }
  return postmaster;
}

/** Ask the server to stop, and wait until it has. */
export async function halt(postmaster: Postmaster, mode: StopMode): Promise<void> {
  if (!postmaster.isGone()) signal(postmaster.pid, SIGNALS[mode]);
  await postmaster.gone;
}

/** Of a server that is gone: nobody asked it to stop. */
export function hasCrashed(dataDir: string): boolean {
  return existsSync(join(dataDir, PID_FILE));
}

/** SIGKILL to every process of the server: what it has not handed to the system is lost. */
export async function killAll(postmaster: Postmaster): Promise<void> {
  if (postmaster.isGone()) return;
  // Held still, it starts no process that this would miss.
  signal(postmaster.pid, "SIGSTOP");
  while (lookAt(postmaster.pid)?.state !== "T" && !postmaster.isGone()) await sleep(1);
  for (const pid of [...childrenOf(postmaster.pid), postmaster.pid]) signal(pid, "SIGKILL");
  await postmaster.gone;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by itself.
  }
}

function watch(child: ChildProcess): Postmaster {
  let ended = false;
  const gone = new Promise<void>((resolve) => {
    const end = (): void => {
      ended = true;
      resolve();
    };
    child.once("exit", end);
    child.once("error", end);
  });
  return { pid: child.pid ?? 0, gone, isGone: () => ended };
}

/** The server's own sign: the last line of its pid file, as pg_ctl reads it. One left by a crash has another pid. */
function isReady(dataDir: string, pid: number): boolean {
  try {
    const lines = readFileSync(join(dataDir, PID_FILE), "utf8").split("\n");
    return lines[0] === `${pid}` && lines[7]?.trim() === "ready";
  } catch {
    return false;
  }
}

function lastWords(dataDir: string): string {
  return readFileSync(logOf(dataDir), "utf8").trimEnd().split("\n").slice(-LOG_LINES).join("\n");
}

function childrenOf(parent: number): readonly number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && lookAt(pid)?.parent === parent);
}

/** What the system says of a process: after its name, which stands in brackets and may hold anything. */
function lookAt(pid: number): { readonly state: string; readonly parent: number } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state = "", parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { state, parent: Number(parent) };
  } catch {
    return null;
  }
}
