/**
 * Demo of chapter 1, `npm run demo`: six checkouts at once, a worker that is killed with -9 in the
 * middle, another one that finishes, and the proof from the services' own books. With `--postgres`: demo-fleet.ts.
 *
 * Exit codes: 0 the proof holds, 1 it does not, 2 called wrongly, 3 there is no PostgreSQL.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openEngine } from "stepwell";
import { PostgresMissing } from "../../scripts/postgres/server.ts";
import { openScratch } from "../growthcorp/scratch.ts";
import { endWithReader, openTerminal, type Terminal, wrapText } from "../growthcorp/terminal.ts";
import { planFault } from "../growthcorp/world/fault.ts";
import { closeWorld, openWorld, type World } from "../growthcorp/world/world.ts";
import { CAST, DEMO_FAULTS, DEMO_PACE, DEMO_RETRY_BASE_MS, KILLED_ID } from "./demo-cast.ts";
import { playFleetDemo } from "./demo-fleet.ts";
import { printProof, printTimelines, proveAll } from "./demo-proof.ts";
import { openScene } from "./demo-scene.ts";
import { startWorkerProcess, type WorkerMessage, type WorkerTask } from "./worker-process.ts";
import { openClients } from "../growthcorp/world/clients.ts";
import { processOrder } from "./workflow.ts";

const USAGE = `Usage: npm run demo [-- --postgres] [--keep]

  --postgres  on PostgreSQL: four worker processes, of which two are killed.
              It is started for the demo; STEPWELL_TEST_PG names another one.
  --keep      leave the SQLite files of the demo, and say where they are`;

async function playDemo(dir: string, terminal: Terminal): Promise<boolean> {
  const task: WorkerTask = {
    checkout: "durable",
    store: `sqlite:${join(dir, "runs.db")}`,
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
    const engine = await openEngine({ store: task.store, workflows: [processOrder(openClients(world))], work: false });
    try {
      await printTimelines(engine, CAST, terminal);
    } finally {
      await engine.close();
    }
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
  const hear = openScene(terminal, CAST);
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

function prove(world: World, terminal: Terminal): boolean {
  const { print, paint, columns } = terminal;
  const rows = proveAll(world, CAST);
  const holds = rows.every((row) => row.holds);
  printProof(rows, terminal);
  const killed = rows.find((row) => row.role.id === KILLED_ID);
  const told = `${KILLED_ID} asked the gateway ${killed?.chargeCalls} times under one key, and was charged ${killed?.effects.charges} time.`;
  for (const line of wrapText(told, columns)) print(line);
  print(
    holds ? paint.green("One charge, one order, one e-mail per paid order.") : paint.red("The proof does not hold."),
  );
  return holds;
}

type Flags = { readonly postgres: boolean; readonly keep: boolean; readonly help: boolean };

function readFlags(args: readonly string[]): Flags | null {
  const flag = { type: "boolean", default: false } as const;
  try {
    return parseArgs({ args: [...args], options: { postgres: flag, keep: flag, help: { ...flag, short: "h" } } })
      .values;
  } catch {
    return null;
  }
}

async function main(): Promise<number> {
  const flags = readFlags(process.argv.slice(2));
  if (flags === null || flags.help) {
    (flags === null ? process.stderr : process.stdout).write(`${USAGE}\n`);
    return flags === null ? 2 : 0;
  }
  endWithReader(process.stdout);
  const terminal = openTerminal(process.stdout, process.env);
  const dir = openScratch("demo", flags.keep);
  try {
    const holds = await (flags.postgres ? playFleetDemo : playDemo)(dir, terminal);
    if (flags.keep) terminal.print(`\nFiles kept in ${dir}`);
    return holds ? 0 : 1;
  } catch (error) {
    if (!(error instanceof PostgresMissing)) throw error;
    process.stderr.write(`There is no PostgreSQL here: ${error.message}\n`);
    return 3;
  }
}

process.exitCode = await main();
