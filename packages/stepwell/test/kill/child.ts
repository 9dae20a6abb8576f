/**
 * The process that is killed: a real engine on a real SQLite file, a mixed workload,
 * a witness log on disk. Told by argv[2] what to do, says "working" when it does that,
 * exits with 0 when every run has ended.
 */
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { type Engine, openEngineOn } from "../../src/engine/engine.ts";
import { openHost } from "../../src/engine/host.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";
import type { Store } from "../../src/store/store.ts";
import type { Request, WitnessEvent } from "../../src/testing/simulation/evidence.ts";
import { ORDER, type ShapeInput } from "../../src/testing/simulation/behaviour.ts";
import { CODE, openShapes, type ShapeName } from "../../src/testing/simulation/shapes.ts";

/** A run that the child asks for. */
export type Wanted = {
  readonly shape: ShapeName;
  readonly id: string;
  readonly input: ShapeInput;
  readonly cancelled: boolean;
};

/** Where the process kills itself: at the n-th event of that kind. */
export type DeathPoint = {
  readonly at: "before flush" | "after flush" | "after claim" | "step start" | "step end" | "acknowledged";
  readonly count: number;
};

/** Between two looks of the operator. */
const LOOK_MS = 250;

/** What the child is told. Files are appended to. */
export type ChildOrders = {
  /** Which start this is, from 1. */
  readonly start: number;
  readonly seed: string;
  readonly database: string;
  readonly witness: string;
  readonly requests: string;
  readonly runs: readonly Wanted[];
  readonly death: DeathPoint | null;
};

// Not import.meta.main, which Node 22 does not know.
if (process.argv[1] === import.meta.filename) await work(JSON.parse(process.argv[2]!) as ChildOrders);

async function work(orders: ChildOrders): Promise<void> {
  const name = `child-${orders.start}`;
  const death = openDeath(orders.death);
  const witness = openLog(orders.witness);
  const requests = openLog(orders.requests);
  let order = orders.start * 1_000_000;
  let executions = order;
  const host = openHost();
  const store = await openSqliteStore(orders.database, { clock: host.nowMs, pace: host });
  const desk = {
    seed: orders.seed,
    log: {
      push: (event: WitnessEvent): void => {
        witness(event);
        if (event.kind === "start") death("step start");
        if (event.kind === "end") death("step end");
      },
    },
    stamp: () => ({ at: (order += 1), trueMs: host.nowMs(), process: name }),
    wallMs: host.nowMs,
    wait: (ms: number, task: () => void) => {
      const timer = setTimeout(task, ms);
      return () => clearTimeout(timer);
    },
    nextExecution: () => (executions += 1),
    die: () => false,
  };
  const workflows = openShapes(desk, CODE.older);
  const engine = await openEngineOn(mortal(store, death), host, {
    workflows,
    lease: "2s",
    hotWait: "200ms",
    work: { concurrency: 8 },
  });
  writeSync(1, "working\n");
  const keep = (request: object): void => {
    const stamp = desk.stamp();
    requests({ process: name, askedAt: stamp.at, answeredAt: stamp.at, answeredMs: stamp.trueMs, ...request });
    death("acknowledged");
  };
  const operator = setInterval(() => void cancelQuarantined(engine, keep), LOOK_MS);
  await Promise.all(orders.runs.map((wanted) => see(engine, wanted, keep)));
  clearInterval(operator);
  await engine.close();
}

/** A run that was executed whenever its process was killed is a suspect like any other; nothing else ever ends it. */
async function cancelQuarantined(engine: Engine, keep: (request: object) => void): Promise<void> {
  const { runs } = await engine.list({ state: "quarantined", limit: 1_000 });
  for (const { workflow, id } of runs) {
    await engine.cancel(workflow, id, { reason: "it was there whenever a process died" });
    keep({ kind: "cancel", run: `${workflow} ${id}` });
  }
}

/** Ask for one run and wait for its end, writing down what is acknowledged. */
async function see(engine: Engine, wanted: Wanted, keep: (request: object) => void): Promise<void> {
  const { shape, id, input } = wanted;
  const run = `sim/${shape} ${id}`;
  const handle = await engine.start(`sim/${shape}`, input, { id });
  keep({ kind: "start", run, input: JSON.stringify(input) } satisfies Partial<Request>);
  if (shape === "signals") await sendOrders(engine, wanted, keep);
  if (wanted.cancelled) {
    await handle.cancel({ reason: "enough" });
    keep({ kind: "cancel", run });
  }
  const outcome = await handle.outcome();
  const value = outcome.state === "completed" ? JSON.stringify(outcome.output) : JSON.stringify(outcome.error.message);
  keep({ kind: "outcome", run, answer: { state: outcome.state, value: value ?? "undefined" } });
}

async function sendOrders(
  engine: Engine,
  { shape, id, input }: Wanted,
  keep: (request: object) => void,
): Promise<void> {
  for (let index = 0; index < input.size; index += 1) {
    try {
      await engine.signal(`sim/${shape}`, id, ORDER, index, { id: `${id}-${index}` });
      keep({
        kind: "signal",
        run: `sim/${shape} ${id}`,
        name: "order",
        payload: String(index),
        operation: String(index),
      });
    } catch (error) {
      // Sent again after a restart, when the run has got what it needed.
      if ((error as { readonly code?: unknown }).code !== "RUN_ENDED") throw error;
    }
  }
}

/** The store, with a place to die on either side of a commit. */
function mortal(store: Store, death: (at: DeathPoint["at"]) => void): Store {
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

function openDeath(point: DeathPoint | null): (at: DeathPoint["at"]) => void {
  let left = point?.count ?? 0;
  return (at) => {
    if (point?.at !== at) return;
    left -= 1;
    if (left === 0) process.kill(process.pid, "SIGKILL");
  };
}

/** One line of JSON per entry, on disk before the caller goes on. */
function openLog(path: string): (entry: object) => void {
  const file = openSync(path, "a");
  process.on("exit", () => closeSync(file));
  return (entry) => {
    writeSync(file, `${JSON.stringify(entry)}\n`);
    fsyncSync(file);
  };
}
