/**
 * Bare: the rows of `checkout`, written by a plain loop in the same batches. No engine: what
 * this needs for a run is what the database and the disk ask for; the rest is the engine's.
 *
 * One commit per turn of the event loop. `concurrency` runs go in lock-step: all are inserted, then all save their
 * first step, …
 */
import { hostname } from "node:os";
import type { Figures, Task } from "../job.ts";
import { openBarePostgres } from "./bare-postgres.ts";
import { openBareSqlite } from "./bare-sqlite.ts";
import type { BareStore, BareText } from "./bare-store.ts";
import { ORDER, OUTPUT, RESULT, STEPS } from "./checkout.ts";
import { type Limit, measure } from "./measure.ts";

const TEXT: BareText = {
  input: JSON.stringify(ORDER),
  value: JSON.stringify(RESULT),
  output: JSON.stringify(OUTPUT),
  // As long as the engine's own default.
  actor: `process:${hostname()}:${process.pid}`,
};

/** Batches of `concurrency` runs, one after another. */
export async function measureBare(task: Task): Promise<Figures> {
  const open = { sqlite: openBareSqlite, postgres: openBarePostgres }[task.store];
  const store = await open(task.url, TEXT);
  const loop = { store, commits: 0, ids: 0 };
  const measured = await measure(task, {
    loop: (limit) => batches(loop, task.concurrency, limit),
    flushes: () => loop.commits,
  });
  return { ...measured, ...(await store.close()) };
}

type Loop = { readonly store: BareStore; commits: number; ids: number };

async function batches(loop: Loop, concurrency: number, limit: Limit): Promise<readonly number[]> {
  const { store } = loop;
  const latencies: number[] = [];
  while (performance.now() < limit.untilMs && latencies.length < limit.runsMax) {
    const startedMs = performance.now();
    const size = Math.min(concurrency, limit.runsMax - latencies.length);
    const rowIds = await store.insertRuns(Array.from({ length: size }, () => freshId(loop)));
    for (const [index, key] of STEPS.entries()) await store.saveSteps(rowIds, { key, seq: index + 2 });
    await store.completeRuns(rowIds, STEPS.length + 2);
    loop.commits += STEPS.length + 2;
    const latencyMs = performance.now() - startedMs;
    for (let run = 0; run < size; run += 1) latencies.push(latencyMs);
  }
  return latencies;
}

/** 36 characters that increase in time, like the engine's ids. */
function freshId(loop: Loop): string {
  const time = Date.now().toString(16).padStart(12, "0");
  const count = (loop.ids += 1).toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${count}`;
}
