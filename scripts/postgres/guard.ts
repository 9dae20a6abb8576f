/**
 * Guard: the process that keeps a PostgreSQL for another one, obeys its orders, and outlives it just long enough to clean
 * up. However its owner ends, by SIGKILL too, the channel between them closes; then the server is stopped and its folder
 * removed.
 *
 * It leads a process group of its own, so that Ctrl-C reaches the owner alone.
 */
import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Account, accountsHere } from "./account.ts";
import { type BinariesName, findBinaries } from "./binaries.ts";
import { openCluster } from "./cluster.ts";
import {
  halt,
  hasCrashed,
  killAll,
  type Launch,
  LaunchError,
  launchPostgres,
  type Postmaster,
  type StopMode,
} from "./postmaster.ts";
import { openPrograms, type Programs } from "./programs.ts";

/** What to keep. Null: `dataDir` is a folder that goes with the server, `port` a free one, `account` one that works. */
export type Plan = {
  readonly binaries: BinariesName;
  readonly dataDir: string | null;
  readonly cacheDir: string;
  readonly port: number | null;
  readonly password: string | null;
  readonly durable: boolean;
  readonly settings: Readonly<Record<string, string>>;
  readonly account: Account | null;
};

/** From the owner. The first is a start, and there is no second one. */
export type Order =
  | { readonly kind: "start"; readonly plan: Plan }
  | { readonly kind: "restart"; readonly mode: StopMode }
  | { readonly kind: "kill" }
  | { readonly kind: "stop"; readonly mode: StopMode };

/** One for each order. */
export type Reply =
  | {
      readonly kind: "running";
      readonly pid: number;
      readonly port: number;
      readonly dataDir: string;
      readonly version: string;
    }
  | { readonly kind: "killed" }
  | { readonly kind: "ended" }
  | { readonly kind: "missing"; readonly why: string }
  | { readonly kind: "failed"; readonly why: string };

/** The server that is kept. `postmaster` is the latest; it may be gone. */
type Kept = { readonly programs: Programs; readonly launch: Launch; readonly postmaster: Postmaster };

/**
 * Below the ports that the system gives to outgoing connections: no client can sit on the server's while it restarts, nor
 * can one that tries to reconnect meet itself.
 */
const PORTS = [20_000, 32_000] as const;

/** Only a power loss takes what was committed; a crash of the server does not. */
const NOT_DURABLE = { fsync: "off", full_page_writes: "off" };

/** A port or a piece of shared memory may belong, for a moment more, to what was there before. */
const LAUNCHES_MAX = 30;
const LAUNCH_PAUSE_MS = 100;

const folder = mkdtempSync(join(tmpdir(), "stepwell-postgres-"));
let kept: Kept | null = null;

async function obey(order: Order): Promise<Reply> {
  switch (order.kind) {
    case "start":
      return start(order.plan);
    case "restart":
      await halt(held().postmaster, order.mode);
      return runAgain(held());
    case "kill":
      await killAll(held().postmaster);
      return { kind: "killed" };
    case "stop":
      await end(order.mode);
      return { kind: "ended" };
  }
}

async function start(plan: Plan): Promise<Reply> {
  const binaries = findBinaries(plan.binaries);
  if ("missing" in binaries) return { kind: "missing", why: binaries.missing };
  const programs = openPrograms(binaries, folder, plan.account === null ? accountsHere() : [plan.account]);
  if ("missing" in programs) return { kind: "missing", why: programs.missing };
  const dataDir = plan.dataDir ?? join(folder, "data");
  openCluster(programs, { ...plan, dataDir });
  const settings = { ...(plan.durable ? {} : NOT_DURABLE), ...plan.settings };
  const anyPorts = Array.from({ length: LAUNCHES_MAX }, () => randomInt(...PORTS));
  return run(programs, { dataDir, settings }, plan.port === null ? anyPorts : [plan.port]);
}

/** At the first of the ports at which nothing is in the way; they are tried in turn. */
async function run(programs: Programs, home: Omit<Launch, "port">, ports: readonly number[]): Promise<Reply> {
  for (const [at, port] of ports.entries()) {
    try {
      const launch = { ...home, port };
      const postmaster = await launchPostgres(programs, launch);
      kept = { programs, launch, postmaster };
      return { kind: "running", pid: postmaster.pid, port, dataDir: home.dataDir, version: programs.version };
    } catch (error) {
      const passing = error instanceof LaunchError && error.message.includes("in use");
      if (!passing || at === ports.length - 1) throw error;
      await sleep(LAUNCH_PAUSE_MS);
    }
  }
  throw new Error("no port was given");
}

function runAgain({ programs, launch }: Kept): Promise<Reply> {
  return run(programs, launch, Array<number>(LAUNCHES_MAX).fill(launch.port));
}

function held(): Kept {
  if (kept === null) throw new Error("there is no server to give orders to");
  return kept;
}

/** Leave nothing. May be called again. */
async function end(mode: StopMode): Promise<void> {
  try {
    if (kept === null) return;
    await halt(kept.postmaster, mode);
    if (!hasCrashed(kept.launch.dataDir)) return;
    // Its shared memory stays with the system until the next start clears it away.
    await runAgain(kept);
    await halt(kept.postmaster, mode);
  } finally {
    kept = null;
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function serve(order: Order): Promise<void> {
  const reply = await obey(order).catch((error: unknown): Reply => {
    return { kind: "failed", why: error instanceof Error ? error.message : String(error) };
  });
  // The owner may have left.
  if (process.connected) process.send?.(reply, () => {});
}

let work = Promise.resolve();

function leave(): void {
  // An order that is under way may be one to wait for clients.
  if (kept !== null) void halt(kept.postmaster, "immediate");
  void work
    .then(() => end("immediate"))
    .catch(() => {})
    .finally(() => process.exit());
}

process.on("message", (order: Order) => {
  work = work.then(() => serve(order));
});
for (const sign of ["disconnect", "SIGTERM", "SIGINT", "SIGHUP"]) process.once(sign, leave);
