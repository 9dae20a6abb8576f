/**
 * Idle: a fleet of workers that have nothing to do, and how many statements they send the server all the same: heartbeats,
 * looks at what is due, looks at one another.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Figures, type Task, UNMEASURED } from "../job.ts";
import { checkout } from "./checkout.ts";
import { createDatabase } from "./database.ts";
import { openFleet } from "./fleet.ts";
import { countStatements } from "./statements.ts";

/** `concurrency` workers. */
export async function measureIdle(task: Task): Promise<Figures> {
  await createDatabase(task.url, checkout);
  const fleet = await openFleet(task, task.concurrency);
  await fleet.tell("work");
  await pause(task.warmupMs);
  const startedMs = performance.now();
  const before = await countStatements(task.url, task.otherUrl);
  await pause(task.measureMs);
  const after = await countStatements(task.url, task.otherUrl);
  const elapsedMs = performance.now() - startedMs;
  const { rssMb } = await fleet.tell("end");
  const queriesPerSecond = ((after.calls - before.calls) / elapsedMs) * 1_000;
  return { ...UNMEASURED, runs: 0, elapsedMs, rssMb, queriesPerSecond };
}
