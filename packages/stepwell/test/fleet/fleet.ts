/**
 * Fleet: processes with real engines on one store, what becomes of them, and the verdict in the end.
 *
 * A process may die by SIGKILL and may leave when it is told to. Whatever else ends one is a fault of the engine.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openHost } from "../../src/engine/host.ts";
import { check, violationText } from "../../src/testing/simulation/checker.ts";
import type { Crash, Evidence } from "../../src/testing/simulation/evidence.ts";
import { CODE } from "../../src/testing/simulation/shapes.ts";
import { type Files, hasOpenRuns, readEvidence } from "./evidence.ts";
import { nameOf, type Orders, type Wanted } from "./orders.ts";
import { openStoreAt } from "./store-at.ts";

/** How a process ended. `code` null: by that signal. */
export type Ended = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** One process. */
export type Member = {
  readonly name: string;
  readonly pid: number;
  /** It says that it works; false: it has ended before. */
  readonly working: Promise<boolean>;
  readonly ended: Promise<Ended>;
  readonly isGone: () => boolean;
  /** SIGKILL; resolves when it has ended. */
  readonly kill: () => Promise<Ended>;
  /** SIGTERM: a worker leaves, one that asks asks for no more; resolves when it has ended. */
  readonly leave: () => Promise<Ended>;
  /** SIGSTOP, until `resume`. */
  readonly suspend: () => void;
  readonly resume: () => void;
};

/** What a process is to do; as a worker, unless told. */
export type Hire = Partial<
  Pick<Orders, "store" | "asks" | "slots" | "lease" | "code" | "patient" | "clock" | "death">
> & {
  /** Added to the environment. */
  readonly env?: NodeJS.ProcessEnv;
};

/** What came of it all. */
export type Verdict = {
  readonly violations: readonly string[];
  readonly evidence: Evidence;
  /** Processes that executed steps. */
  readonly active: number;
  readonly kills: number;
};

/** See the header. */
export type Fleet = {
  readonly files: Files;
  readonly hire: (hire?: Hire) => Member;
  /** All that live. */
  readonly members: () => readonly Member[];
  readonly kills: () => number;
  /** Wait until every run has come to its end, also those that nobody waits for; false: not in this time. */
  readonly settle: (msMax: number) => Promise<boolean>;
  /** All processes must have ended: hold the promises against what is left. `runs` must be there. */
  readonly judge: (runs: readonly Wanted[]) => Promise<Verdict>;
  /** SIGKILL to all that live. */
  readonly end: () => Promise<void>;
};

/** Where a fleet is; the folder must exist. What is in the store already is another's. */
export type Harbour = {
  readonly folder: string;
  readonly name: string;
  /** URL of the store. */
  readonly store: string;
};

type State = {
  readonly harbour: Harbour;
  readonly files: Files;
  readonly afterRowId: number;
  readonly members: Set<Member>;
  readonly crashes: Crash[];
  /** Ends that nobody asked for. */
  readonly complaints: string[];
  starts: number;
};

/** Nobody is hired yet. */
export async function openFleet(harbour: Harbour): Promise<Fleet> {
  const { folder, name, store } = harbour;
  const file = (suffix: string): string => join(folder, `${name}.${suffix}`);
  const files = { store, witness: file("witness"), requests: file("requests"), log: file("log") };
  const afterRowId = await newestRun(store);
  const state: State = { harbour, files, afterRowId, members: new Set(), crashes: [], complaints: [], starts: 0 };
  return {
    files,
    hire: (hire = {}) => enlist(state, hire),
    members: () => [...state.members],
    kills: () => state.crashes.length,
    settle: (msMax) => settle(state, msMax),
    judge: (runs) => judge(state, runs),
    end: async () => void (await Promise.all([...state.members].map((member) => member.kill()))),
  };
}

/** 0: there is none. */
async function newestRun(url: string): Promise<number> {
  const store = await openStoreAt(url, openHost());
  const { runs } = await store.listRuns({ limit: 1 });
  await store.close();
  return runs[0]?.rowId ?? 0;
}

function enlist(state: State, { env = {}, ...hire }: Hire): Member {
  state.starts += 1;
  const start = state.starts;
  const orders: Orders = { ...WORKER, ...state.files, start, seed: state.harbour.name, ...hire };
  const path = join(state.harbour.folder, `${state.harbour.name}.${start}.orders`);
  writeFileSync(path, JSON.stringify(orders));
  const member = spawnMember(state, path, orders, env);
  state.members.add(member);
  void member.ended.then(() => state.members.delete(member));
  return member;
}

const WORKER = {
  asks: null,
  slots: 8,
  lease: "2s",
  code: CODE.older,
  patient: true,
  clock: null,
  death: null,
} as const satisfies Partial<Orders>;

function spawnMember(state: State, path: string, orders: Orders, env: NodeJS.ProcessEnv): Member {
  const child: ChildProcess = spawn(process.execPath, [join(import.meta.dirname, "programs/member.ts"), path], {
    env: { ...process.env, NODE_COMPILE_CACHE: join(state.harbour.folder, "compiled"), ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const name = nameOf(orders.start);
  let [said, gone, dismissed] = ["", false, false];
  child.stderr?.on("data", (data) => (said += String(data)));
  const ended = new Promise<Ended>((resolve) => {
    child.once("close", (code, signal) => {
      gone = true;
      if (signal === "SIGKILL") state.crashes.push(crashOf(orders.start));
      else if (code !== 0 || (orders.asks === null && !dismissed)) {
        state.complaints.push(`${name} ended with ${signal ?? code}: ${said}`);
      }
      resolve({ code, signal });
    });
  });
  const send = (signal: NodeJS.Signals): Promise<Ended> => {
    child.kill(signal);
    return ended;
  };
  return {
    name,
    pid: child.pid!,
    working: Promise.race([
      new Promise<boolean>((resolve) => child.stdout?.once("data", () => resolve(true))),
      ended.then(() => false),
    ]),
    ended,
    isGone: () => gone,
    kill: () => send("SIGKILL"),
    leave: () => {
      dismissed = true;
      return send("SIGTERM");
    },
    suspend: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
  };
}

/** After all that the process wrote down. */
function crashOf(start: number): Crash {
  return { at: start * 1_000_000 + 999_999, trueMs: 0, process: nameOf(start), graceful: false };
}

async function settle({ files, afterRowId }: State, msMax: number): Promise<boolean> {
  const store = await openStoreAt(files.store, openHost());
  const untilMs = performance.now() + msMax;
  let open = true;
  while (open && performance.now() < untilMs) {
    open = await hasOpenRuns(store, afterRowId);
    if (open) await sleep(LOOK_MS);
  }
  await store.close();
  return !open;
}

const LOOK_MS = 200;

async function judge(state: State, runs: readonly Wanted[]): Promise<Verdict> {
  const { files, afterRowId, crashes, complaints } = state;
  const evidence = await readEvidence(files, afterRowId, crashes);
  const violations = [...complaints, ...check(evidence).map(violationText)];
  const stored = new Set(evidence.stories.map(({ run }) => run.id));
  const missing = runs.filter(({ id }) => !stored.has(id)).length;
  if (missing > 0) violations.push(`${missing} runs were never stored.`);
  const active = new Set(evidence.witness.map((event) => event.process)).size;
  return { violations, evidence, active, kills: crashes.length };
}
