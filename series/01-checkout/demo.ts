/**
 * Demo of chapter 1, `npm run demo`: six checkouts at once, a worker that is killed with -9 in the
 * middle, another one that finishes, and the proof from the services' own books.
 *
 * Exit codes: 0 the proof holds, 1 it does not, 2 called wrongly.
 */
import { join } from "node:path";
import { openEngine } from "stepwell";
import { openScratch } from "../growthcorp/scratch.ts";
import { endWithReader, openTerminal, type Terminal, wrapText } from "../growthcorp/terminal.ts";
import { renderTimeline } from "../growthcorp/timeline.ts";
import { openClients } from "../growthcorp/world/clients.ts";
import { planFault } from "../growthcorp/world/fault.ts";
import { closeWorld, openWorld, type World } from "../growthcorp/world/world.ts";
import { CAST, DEMO_FAULTS, DEMO_PACE, DEMO_RETRY_BASE_MS, KILLED_ID } from "./demo-cast.ts";
import { printProof, proveAll } from "./demo-proof.ts";
import { openScene } from "./demo-scene.ts";
import { startWorkerProcess, type WorkerMessage, type WorkerTask } from "./worker-process.ts";
import { processOrder } from "./workflow.ts";

const USAGE = `Usage: npm run demo [-- --keep]

  --keep    leave the SQLite files of the demo, and say where they are`;

async function playDemo(dir: string, terminal: Terminal): Promise<boolean> {
  const task: WorkerTask = {
    checkout: "durable",
    storePath: join(dir, "runs.db"),
    worldPath: join(dir, "world.db"),
    pace: DEMO_PACE,
    retryBase: DEMO_RETRY_BASE_MS,
    orders: CAST.map(({ id, order }) => ({ id, order })),
  };
  const world = openWorld({ path: task.worldPath, nowMs: Date.now });
  try {
    for (const fault of DEMO_FAULTS) planFault(world.db, fault);
    printOpening(terminal);
    await runAndKill(task, terminal);
    await printTimelines(world, task, terminal);
    return prove(world, terminal);
  } finally {
    closeWorld(world);
  }
}

function printOpening({ print, paint, columns }: Terminal): void {
  print(paint.bold("Stepwell demo: six checkouts, one kill -9"));
  print();
  for (const { id, about } of CAST) print(`  ${paint.cyan(id)}  ${about}`);
  print();
  const text =
    "All are submitted at once to one worker process. State lives in a SQLite file; the services keep books of their own.";
  for (const line of wrapText(text, columns)) print(line);
}

/** The first worker is killed when the gateway has charged order 1001 and the answer is on its way; the second one finishes. */
async function runAndKill(task: WorkerTask, terminal: Terminal): Promise<void> {
  const { print, paint } = terminal;
  const hear = openScene(terminal);
  let killed = false;
  const first = startWorkerProcess(task, (message) => {
    if (killed) return;
    hear(message);
    if (!isKillSign(message)) return;
    killed = true;
    first.kill();
  });
  print(`\n${paint.bold("Worker 1")} ${paint.dim(`pid ${first.pid}`)}`);
  if ((await first.gone) !== "killed") throw new Error("the first worker ended before it could be killed");
  print(`\n${paint.bgRed(paint.white(` kill -9 ${first.pid} `))} ${paint.red("no handler ran, nothing was saved")}`);
  const second = startWorkerProcess(task, hear);
  print(`\n${paint.bold("Worker 2")} ${paint.dim(`pid ${second.pid}, the same orders again`)}`);
  await second.gone;
}

function isKillSign(message: WorkerMessage): boolean {
  if (message.kind !== "world") return false;
  const { kind, operation, reference } = message.event;
  return kind === "acted" && operation === "charge" && reference === KILLED_ID;
}

async function printTimelines(world: World, task: WorkerTask, terminal: Terminal): Promise<void> {
  const { print, paint } = terminal;
  const checkout = processOrder(openClients(world));
  const engine = await openEngine({ store: `sqlite:${task.storePath}`, workflows: [checkout], work: false });
  try {
    for (const { id, about } of CAST) {
      const run = await engine.get(checkout, id);
      print(`\n${paint.bold(paint.cyan(id))}  ${about}`);
      for (const line of renderTimeline(await run.history(), terminal)) print(line);
    }
  } finally {
    await engine.close();
  }
}

function prove(world: World, terminal: Terminal): boolean {
  const { print, paint, columns } = terminal;
  const rows = proveAll(world);
  const holds = rows.every((row) => row.holds);
  print(`\n${paint.bold("Proof, from the books of the services")}\n`);
  printProof(rows, terminal);
  print();
  const killed = rows.find((row) => row.role.id === KILLED_ID);
  const told = `${KILLED_ID} asked the gateway ${killed?.chargeCalls} times under one key, and was charged ${killed?.effects.charges} time.`;
  for (const line of wrapText(told, columns)) print(line);
  print(
    holds ? paint.green("One charge, one order, one e-mail per paid order.") : paint.red("The proof does not hold."),
  );
  return holds;
}

function readKeep(args: readonly string[]): boolean | "help" | "wrong" {
  if (args.length === 0) return false;
  if (args.length > 1) return "wrong";
  if (args[0] === "--help" || args[0] === "-h") return "help";
  return args[0] === "--keep" ? true : "wrong";
}

async function main(): Promise<number> {
  const keep = readKeep(process.argv.slice(2));
  if (keep === "help" || keep === "wrong") {
    (keep === "help" ? process.stdout : process.stderr).write(`${USAGE}\n`);
    return keep === "help" ? 0 : 2;
  }
  endWithReader(process.stdout);
  const terminal = openTerminal(process.stdout, process.env);
  const dir = openScratch("demo", keep);
  const holds = await playDemo(dir, terminal);
  if (keep) terminal.print(`\nFiles kept in ${dir}`);
  return holds ? 0 : 1;
}

process.exitCode = await main();
