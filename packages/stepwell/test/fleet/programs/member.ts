/**
 * Member: a process of a fleet. A real engine on a real store, a mixed workload, a witness log on disk.
 *
 * argv[2] is the file of its orders. It says "working" when it does, and ends with 0 in good order; see orders.ts.
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import module from "node:module";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Engine, openEngineOn } from "../../../src/engine/engine.ts";
import { type Host, openHost } from "../../../src/engine/host.ts";
import type { Store } from "../../../src/store/store.ts";
import { ORDER } from "../../../src/testing/simulation/behaviour.ts";
import type { Request, WitnessEvent } from "../../../src/testing/simulation/evidence.ts";
import type { Desk } from "../../../src/testing/simulation/scribe.ts";
import { openDuties, workflowOf } from "../duties.ts";
import { type ClockAnchor, type DeathPoint, machineMs, nameOf, type Orders, type Wanted } from "../orders.ts";
import { openStoreAt } from "../store-at.ts";

/** Between two looks of the operator, and before a store that failed is asked again. */
const LOOK_MS = 250;
const AGAIN_MS = 50;

/** Faults of a store that pass. */
const PASSING: readonly unknown[] = ["STORE_UNREACHABLE", "STORE_OUTCOME_UNKNOWN", "STORE_FAILED", "STORE_BUSY"];

await work(JSON.parse(readFileSync(process.argv[2]!, "utf8")) as Orders);

/** What an asker has at hand. */
type Post = {
  readonly engine: Engine;
  /** Write down what was acknowledged. */
  readonly keep: (request: object) => void;
  /** Ask until the store answers, where that is the order. */
  readonly ask: <T>(question: () => Promise<T>) => Promise<T>;
};

async function work(orders: Orders): Promise<void> {
  endWithHirer();
  // For those who come later: one that is killed leaves no compiled code behind, and is ready four times as late.
  module.flushCompileCache?.();
  const death = openDeath(orders.death);
  const host = openHost();
  const desk = openDesk(orders, host, death);
  const requests = openLog(orders.requests);
  const ask: Post["ask"] = (question) => (orders.patient ? persist(question) : question());
  const engine = await ask(() => openWorks(orders, { host, desk, death }));
  writeSync(1, "working\n");
  if (orders.asks === null) return;
  const keep = (request: object): void => {
    const { at, trueMs, process } = desk.stamp();
    requests({ process, askedAt: at, answeredAt: at, answeredMs: trueMs, ...request });
    death("acknowledged");
  };
  await askForRuns({ engine, keep, ask }, orders.asks);
  await engine.close();
}

/** Its end of the pipe is closed, however he ended. */
function endWithHirer(): void {
  process.stdin.once("close", () => process.exit(1)).resume();
  (process.stdin as Socket).unref();
}

async function openWorks(
  { store: url, asks, slots, lease, code, log }: Orders,
  { host, desk, death }: { readonly host: Host; readonly desk: Desk; readonly death: Death },
): Promise<Engine> {
  const store = await openStoreAt(url, host);
  const drainOn = asks === null ? (["SIGTERM"] as const) : [];
  const logged = openLog(log);
  try {
    return await openEngineOn(mortal(store, death), host, {
      workflows: openDuties(desk, code),
      lease,
      hotWait: "200ms",
      work: slots === null ? false : { concurrency: slots, drainOn },
      log: (entry) => entry.level === "info" || logged({ atMs: desk.wallMs(), ...desk.stamp(), ...entry }),
    });
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Where step code writes down what it does. */
function openDesk(orders: Orders, host: Host, death: Death): Desk {
  const witness = openLog(orders.witness);
  const trueMs = openClock(orders.clock, host);
  let order = orders.start * 1_000_000;
  let executions = order;
  return {
    seed: orders.seed,
    log: {
      push: (event: WitnessEvent): void => {
        witness(event);
        if (event.kind === "start") death("step start");
        if (event.kind === "end") death("step end");
      },
    },
    stamp: () => ({ at: (order += 1), trueMs: trueMs(), process: nameOf(orders.start) }),
    wallMs: trueMs,
    wait: (ms: number, task: () => void) => {
      const timer = setTimeout(task, ms);
      return () => clearTimeout(timer);
    },
    nextExecution: () => (executions += 1),
    die: () => false,
  };
}

function openClock(anchor: ClockAnchor | null, host: Host): () => number {
  if (anchor === null) return host.nowMs;
  return () => Math.floor(anchor.wallMs + machineMs() - anchor.machineMs);
}

async function persist<T>(question: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await question();
    } catch (error) {
      if (!PASSING.includes((error as { readonly code?: unknown }).code)) throw error;
      await sleep(AGAIN_MS);
    }
  }
}

async function askForRuns(post: Post, { runs, lanes }: NonNullable<Orders["asks"]>): Promise<void> {
  const left = runs.toReversed();
  process.once("SIGTERM", () => void (left.length = 0));
  const operator = setInterval(() => void cancelQuarantined(post).catch(() => {}), LOOK_MS);
  const lane = async (): Promise<void> => {
    for (let wanted = left.pop(); wanted !== undefined; wanted = left.pop()) await see(post, wanted);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  clearInterval(operator);
}

/** A run that was executed whenever its process was killed is a suspect like any other; nothing else ever ends it. */
async function cancelQuarantined({ engine, keep }: Post): Promise<void> {
  const { runs } = await engine.list({ state: "quarantined", limit: 1_000 });
  for (const { workflow, id } of runs) {
    await engine.cancel(workflow, id, { reason: "it was there whenever a process died" });
    keep({ kind: "cancel", run: `${workflow} ${id}` });
  }
}

/** Ask for one run and wait for its end, writing down what is acknowledged. */
async function see(post: Post, wanted: Wanted): Promise<void> {
  const { engine, keep, ask } = post;
  const { shape, id, input } = wanted;
  const run = `${workflowOf(shape)} ${id}`;
  const handle = await ask(() => engine.start(workflowOf(shape), input, { id }));
  keep({ kind: "start", run, input: JSON.stringify(input) } satisfies Partial<Request>);
  if (shape === "signals") await sendOrders(post, wanted, run);
  if (wanted.cancelled) {
    await ask(() => handle.cancel({ reason: "enough" }));
    keep({ kind: "cancel", run });
  }
  const outcome = await ask(() => handle.outcome());
  const value = outcome.state === "completed" ? JSON.stringify(outcome.output) : JSON.stringify(outcome.error.message);
  keep({ kind: "outcome", run, answer: { state: outcome.state, value: value ?? "undefined" } });
}

async function sendOrders({ engine, keep, ask }: Post, { shape, id, input }: Wanted, run: string): Promise<void> {
  for (let index = 0; index < input.size; index += 1) {
    try {
      await ask(() => engine.signal(workflowOf(shape), id, ORDER, index, { id: `${id}-${index}` }));
      keep({ kind: "signal", run, name: "order", payload: String(index), operation: String(index) });
    } catch (error) {
      // Sent again after a restart, when the run has got what it needed.
      if ((error as { readonly code?: unknown }).code !== "RUN_ENDED") throw error;
    }
  }
}

/** The store, with a place to die on either side of a commit. */
function mortal(store: Store, death: Death): Store {
  return {
    ...store,
    flush: async (writes, nowMs) => {
      death("before flush");
      const results = await store.flush(writes, nowMs);
      death("after flush");
      return results;
    },
    claimRuns: async (by) => {
      const claims = await store.claimRuns(by);
      if (claims.length > 0) death("after claim");
      return claims;
    },
  };
}

type Death = (at: DeathPoint["at"]) => void;

function openDeath(point: DeathPoint | null): Death {
  let left = point?.count ?? 0;
  return (at) => {
    if (point?.at !== at) return;
    left -= 1;
    if (left === 0) process.kill(process.pid, "SIGKILL");
  };
}

/** One line of JSON per entry, in the hands of the system before the caller goes on: SIGKILL takes none of it back. */
function openLog(path: string): (entry: object) => void {
  const file = openSync(path, "a");
  process.on("exit", () => closeSync(file));
  return (entry) => void writeSync(file, `${JSON.stringify(entry)}\n`);
}
