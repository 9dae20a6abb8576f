/**
 * Play: carry one scenario out on files of its own, and hold what happened against what was expected.
 */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Engine, openEngine, type RunHandle } from "stepwell";
import { CATALOGUE } from "../growthcorp/catalogue.ts";
import { describeError, type TimelineEvent } from "../growthcorp/timeline.ts";
import { openClients } from "../growthcorp/world/clients.ts";
import { planFault } from "../growthcorp/world/fault.ts";
import {
  countEffects,
  type Effects,
  listCalls,
  type LoggedCall,
  stockOf,
  sumMoney,
  sumStockMoves,
} from "../growthcorp/world/ledger.ts";
import { closeWorld, openWorld, PACE_TEST, type World } from "../growthcorp/world/world.ts";
import type { Kill, Scenario } from "./scenarios.ts";
import { startWorkerProcess, type WorkerMessage, type WorkerTask } from "./worker-process.ts";
import { processOrder } from "./workflow.ts";

/** What happened. */
export type Report = {
  readonly scenario: Scenario;
  readonly state: string;
  /** Code of the error that ended the run; empty when it completed. */
  readonly error: string;
  readonly history: readonly TimelineEvent[];
  readonly effects: Effects;
  /** Cents that stayed with GrowthCorp. */
  readonly kept: number;
  readonly calls: readonly LoggedCall[];
  /** Every expectation that was not met; empty: all as expected. */
  readonly problems: readonly string[];
};

/** First wait between attempts, in milliseconds: short, but real. */
const RETRY_BASE_MS = 15;

/** How long a call is held up so that its worker can be killed in it; nobody waits for its end. */
const HELD_MS = 60_000;

/** No scenario takes a tenth of this; a run that waits for ever must end its player. */
const PLAY_MS_MAX = 45_000;

const ORDER_ID = "order:1";

/**
 * Play a scenario in `dir`, an empty folder that the caller removes.
 *
 * @param store URL of an empty store; by default a file in that folder
 */
export async function playScenario(
  scenario: Scenario,
  dir: string,
  store: string = `sqlite:${join(dir, "runs.db")}`,
): Promise<Report> {
  const worldPath = join(dir, "world.db");
  const world = openWorld({ path: worldPath, nowMs: Date.now });
  try {
    for (const fault of scenario.faults) planFault(world.db, fault);
    if (scenario.kill !== undefined) {
      await killWorker(world, scenario.kill, toTask(scenario, worldPath, store));
    }
    const ended = await runHere(world, scenario, store);
    return judge(world, scenario, ended);
  } finally {
    closeWorld(world);
  }
}

function toTask(scenario: Scenario, worldPath: string, store: string): WorkerTask {
  const orders = [{ id: ORDER_ID, order: scenario.order }];
  return { checkout: "durable", store, worldPath, pace: PACE_TEST, retryBase: RETRY_BASE_MS, orders };
}

/** Let a worker process begin the task and be killed in the middle of a call. Whoever takes the task up again finishes it. */
export async function killWorker(world: World, kill: Kill, task: WorkerTask): Promise<void> {
  const { service, operation, moment } = kill;
  planFault(world.db, { service, operation, times: 1, trouble: { kind: "delay", moment, delayMs: HELD_MS } });
  const sign = moment === "before" ? "called" : "acted";
  const first = startWorkerProcess(task, (message: WorkerMessage) => {
    if (message.kind !== "world" || message.event.kind !== sign) return;
    if (message.event.service === service && message.event.operation === operation) first.kill();
  });
  if ((await first.gone) !== "killed") throw new Error(`the worker ended before ${service} ${operation} was seen`);
}

type Ended = Pick<Report, "state" | "error" | "history"> & { readonly runs: number };

/** Start the order, or go on with it after a kill, and read how it ended. */
async function runHere(world: World, scenario: Scenario, store: string): Promise<Ended> {
  const checkout = processOrder(openClients(world), { retryBase: RETRY_BASE_MS });
  const engine = await openEngine({ store, workflows: [checkout] });
  try {
    const submissions = Array.from({ length: scenario.submissions ?? 1 }, () =>
      engine.start(checkout, scenario.order, { id: ORDER_ID }),
    );
    const [run] = await Promise.all(submissions);
    return await readEnd(engine, run as RunHandle);
  } finally {
    await engine.close();
  }
}

async function readEnd(engine: Engine, run: RunHandle): Promise<Ended> {
  const outcome = await Promise.race([run.outcome(), failLater(run)]);
  const error = outcome.state === "completed" ? "" : describeError(outcome.error).code;
  const history = await run.history();
  return { state: outcome.state, error, history, runs: (await engine.list()).runs.length };
}

async function failLater(run: RunHandle): Promise<never> {
  await delay(PLAY_MS_MAX, undefined, { ref: false });
  const { state, waitingFor } = await run.status();
  throw new Error(
    `the run has not ended in ${PLAY_MS_MAX} ms: ${state} ${waitingFor.map((wait) => wait.key).join(", ")}`,
  );
}

function judge(world: World, scenario: Scenario, ended: Ended): Report {
  const effects = countEffects(world);
  const kept = Object.values(sumMoney(world)).reduce((sum, cents) => sum + cents, 0);
  const calls = listCalls(world);
  const { expected } = scenario;
  const facts: readonly (readonly [what: string, is: string | number, expected: string | number])[] = [
    ["state", ended.state, expected.state],
    ["error", ended.error, expected.error ?? ""],
    ["runs", ended.runs, 1],
    ["cents kept", kept, expected.kept],
    ...Object.entries(expected.effects).map(([name, n]) => [name, effects[name as keyof Effects], n] as const),
    ...Object.entries(expected.calls ?? {}).map(
      ([operation, n]) =>
        [`calls of ${operation}`, calls.filter((call) => call.operation === operation).length, n] as const,
    ),
    ...CATALOGUE.map(
      ({ id, stock }) => [`stock of ${id}`, stockOf(world, id), stock + sumStockMoves(world, id)] as const,
    ),
  ];
  const problems = facts.flatMap(([what, is, should]) => (is === should ? [] : [`${what}: ${is}, expected ${should}`]));
  return { scenario, ...ended, effects, kept, calls, problems };
}
