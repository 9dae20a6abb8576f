/**
 * Workers: how fast a backlog is worked off, by one worker process or by several that take it from one another.
 *
 * The runs are due before any worker begins. Were they started meanwhile, whoever starts them would compete for the
 * same processors, and the slower of the two sides would be measured; and a worker that starts its own runs claims
 * nothing. Each worker has as many slots as the one has: the question is what another of the same kind is good for.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Figures, type Task, UNMEASURED } from "../job.ts";
import { checkout, ORDER } from "./checkout.ts";
import { createDatabase, perRun, withClient } from "./database.ts";
import { fillDue } from "./fill.ts";
import { openFleet } from "./fleet.ts";
import { cpuPerRun, startCpu } from "./measure.ts";

/** The first part of the runs, while which the processes get warm. */
const WARMUP_PART = 0.2;

/** How often it is looked whether all runs have ended. */
const LOOK_MS = 100;

/** `concurrency` workers and `rowsBefore` runs. Runs per second are those after the warm-up; all else is of all runs. */
export async function measureWorkers(task: Task): Promise<Figures> {
  const all = task.rowsBefore ?? 0;
  const empty = await createDatabase(task.url, checkout);
  await fillDue(task.url, all, JSON.stringify(ORDER));
  const fleet = await openFleet(task, task.concurrency);
  const before = await fleet.tell("look");
  const readCpu = startCpu(task);
  await fleet.tell("work");
  await ended(task.url);
  const { serverUs } = readCpu();
  const after = await fleet.tell("look");
  await fleet.tell("end");
  return {
    ...UNMEASURED,
    ...(await paceOf(task.url)),
    ...cpuPerRun({ ownUs: after.cpuUs - before.cpuUs, serverUs }, all),
    flushesPerRun: (after.flushes - before.flushes) / all,
    rssMb: after.rssMb,
    ...(await perRun(task.url, empty.bytes)),
  };
}

/** Wait until no run is due or under way, which is read off two small indexes. */
function ended(url: string): Promise<void> {
  return withClient(url, async (client) => {
    const text = `
      SELECT EXISTS (SELECT FROM runs WHERE due_at_ms IS NOT NULL AND crashes < 2)
        OR EXISTS (SELECT FROM runs WHERE worker_id IS NOT NULL) AS busy`;
    while ((await client.query<{ busy: boolean }>(text)).rows[0]?.busy === true) await pause(LOOK_MS);
  });
}

/** By the moments at which the runs ended. @throws Error when one has not completed, or all ended at once */
function paceOf(url: string): Promise<Pick<Figures, "runs" | "elapsedMs">> {
  return withClient(url, async (client) => {
    const text = `
      WITH warm AS (SELECT percentile_disc($1::float8) WITHIN GROUP (ORDER BY ended_at_ms) AS at_ms FROM runs)
      SELECT count(*) FILTER (WHERE ended_at_ms > warm.at_ms)::float8 AS runs,
             (max(ended_at_ms) - min(warm.at_ms))::float8 AS "elapsedMs",
             count(*) FILTER (WHERE state <> 'completed')::float8 AS others
      FROM runs, warm`;
    const { rows } = await client.query<{ runs: number; elapsedMs: number; others: number }>(text, [WARMUP_PART]);
    const { runs, elapsedMs, others } = rows[0]!;
    if (others > 0) throw new Error(`${others} runs have not completed`);
    if (elapsedMs === 0) throw new Error("too few runs: all ended at once");
    return { runs, elapsedMs };
  });
}
