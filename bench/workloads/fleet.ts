/**
 * Fleet: several worker processes on one database, each with an engine of its own, which do as they are told.
 */
import { type ChildProcess, fork } from "node:child_process";
import { openEngine } from "stepwell";
import type { Task } from "../job.ts";
import { checkout } from "./checkout.ts";
import { workOptions } from "./measure.ts";

/** `look` changes nothing; after `end` there is no worker left to ask. */
export type Order = "work" | "look" | "end";

/** What a worker has used so far. */
export type Standing = { readonly cpuUs: number; readonly flushes: number; readonly rssMb: number };

/** Workers that wait for orders. */
export type Fleet = {
  /** Give all of them an order; resolves when all have obeyed, with the sums of their standings. */
  readonly tell: (order: Order) => Promise<Standing>;
};

/** Start `size` processes. Each has opened its engine, and works when it is told to. */
export async function openFleet(task: Task, size: number): Promise<Fleet> {
  const workers = Array.from({ length: size }, () => openWorker({ ...task, part: "work" }));
  const gather = async (standings: readonly Promise<Standing>[]): Promise<Standing> =>
    sumOf(await Promise.all(standings));
  await gather(workers.map(({ ready }) => ready));
  return { tell: (order) => gather(workers.map(({ tell }) => tell(order))) };
}

/** The worker's side. Ends with the process that started it. */
export async function serveFleet(task: Task): Promise<void> {
  process.once("disconnect", () => process.exit(1));
  const engine = await openEngine({ store: task.url, workflows: [checkout], work: false });
  const report = (): void => {
    const { user, system } = process.cpuUsage();
    const standing = {
      cpuUs: user + system,
      flushes: engine.stats().flushes,
      rssMb: process.memoryUsage.rss() / 2 ** 20,
    };
    process.send?.(standing satisfies Standing);
  };
  const obey = async (order: Order): Promise<void> => {
    if (order === "work") await engine.work(workOptions({ ...task, concurrency: 1 }));
    if (order === "end") await engine.close();
    report();
    if (order === "end") process.exit(0);
  };
  process.on("message", (order) => void obey(order as Order));
  report();
}

type Worker = { readonly ready: Promise<Standing>; readonly tell: (order: Order) => Promise<Standing> };

function openWorker(task: Task): Worker {
  const child = fork(process.argv[1]!, [JSON.stringify(task)], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  return {
    ready: answerOf(child),
    tell: (order) => {
      child.send(order);
      return answerOf(child);
    },
  };
}

function answerOf(child: ChildProcess): Promise<Standing> {
  return new Promise((resolve, reject) => {
    const end = (code: number | null): void => reject(new Error(`a worker ended with ${code}`));
    child.once("exit", end);
    child.once("message", (standing) => {
      child.off("exit", end);
      resolve(standing as Standing);
    });
  });
}

function sumOf(standings: readonly Standing[]): Standing {
  const sum = (of: (standing: Standing) => number): number => standings.reduce((total, one) => total + of(one), 0);
  return { cpuUs: sum((one) => one.cpuUs), flushes: sum((one) => one.flushes), rssMb: sum((one) => one.rssMb) };
}
