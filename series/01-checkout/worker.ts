/**
 * Worker: a process of its own that runs checkouts, so that it can be killed. Started by
 * worker-process.ts, which tells it by message what to do; it reads neither flags nor environment.
 *
 * It starts the orders it is given (starting an order again is harmless), finishes whatever an
 * earlier worker left behind, and ends. One of a crew waits for the word to begin, and for the word to leave.
 */
import { once } from "node:events";
import { openEngine } from "stepwell";
import type { Clients } from "../growthcorp/clients.ts";
import { describeError } from "../growthcorp/timeline.ts";
import { openClients } from "../growthcorp/world/clients.ts";
import { closeWorld, openWorld } from "../growthcorp/world/world.ts";
import { fragileCheckout } from "./fragile.ts";
import type { WorkerMessage, WorkerTask } from "./worker-process.ts";
import { processOrder } from "./workflow.ts";

process.once("message", (task) => void work(task as WorkerTask));
// Nobody is left to work for.
process.once("disconnect", () => process.exit(1));

async function work(task: WorkerTask): Promise<void> {
  const watch = (event: Extract<WorkerMessage, { kind: "world" }>["event"]): void => tell({ kind: "world", event });
  const world = openWorld({ path: task.worldPath, nowMs: Date.now, pace: task.pace, watch });
  const run = task.checkout === "fragile" ? runFragile : runDurable;
  await run(task, openClients(world));
  closeWorld(world);
  process.exit(0);
}

async function runDurable(task: WorkerTask, services: Clients): Promise<void> {
  const checkout = processOrder(services, { retryBase: task.retryBase });
  const work = task.name === undefined ? true : { name: task.name };
  const engine = await openEngine({ store: task.store, workflows: [checkout], work });
  tell({ kind: "ready" });
  const finish = async ({ id, order }: WorkerTask["orders"][number]): Promise<void> => {
    const run = await engine.start(checkout, order, { id });
    const outcome = await run.outcome();
    const error = outcome.state === "completed" ? "" : describeError(outcome.error).code;
    tell({ kind: "ended", id, state: outcome.state, error });
  };
  if (task.crew === true) await once(process, "message");
  await Promise.all(task.orders.map(finish));
  if (task.crew === true) await once(process, "message");
  await engine.close();
}

async function runFragile(task: WorkerTask, services: Clients): Promise<void> {
  let calls = 0;
  const freshKey = (): string => `${process.pid}:${(calls += 1)}`;
  tell({ kind: "ready" });
  for (const { id, order } of task.orders) {
    try {
      await fragileCheckout(services, id, order, freshKey);
      tell({ kind: "ended", id, state: "completed", error: "" });
    } catch (error) {
      tell({ kind: "ended", id, state: "failed", error: describeError(error).message });
    }
  }
}

function tell(message: WorkerMessage): void {
  process.send?.(message);
}
