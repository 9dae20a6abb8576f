/**
 * Demo of chapter 1 on PostgreSQL, `npm run demo -- --postgres`: eight checkouts on four worker processes, of which two
 * are killed with -9 in the middle. The others take over what they held; nobody starts anything again.
 */
import { join } from "node:path";
import { type Engine, openEngine } from "stepwell";
import { freshDatabase } from "../../scripts/postgres/database.ts";
import { type PostgresServer, startPostgres } from "../../scripts/postgres/server.ts";
import { type Terminal, wrapText } from "../growthcorp/terminal.ts";
import { describeError } from "../growthcorp/timeline.ts";
import { openClients } from "../growthcorp/world/clients.ts";
import { planFault } from "../growthcorp/world/fault.ts";
import { closeWorld, openWorld, type World, type WorldEvent } from "../growthcorp/world/world.ts";
import { DEMO_PACE, DEMO_RETRY_BASE_MS, type Role } from "./demo-cast.ts";
import { CREW, FLEET_CAST, FLEET_FAULTS } from "./demo-fleet-cast.ts";
import { type FleetScene, openFleetScene, printTakeovers } from "./demo-fleet-scene.ts";
import { printProof, printTimelines, proveAll } from "./demo-proof.ts";
import { startWorkerProcess, type WorkerProcess, type WorkerTask } from "./worker-process.ts";
import { processOrder } from "./workflow.ts";

/**
 * Play it.
 *
 * @param dir for the books of the services
 * @returns whether the proof holds
 * @throws PostgresMissing
 */
export async function playFleetDemo(dir: string, terminal: Terminal): Promise<boolean> {
  const server = await startPostgres();
  try {
    const database = await freshDatabase(server.url);
    try {
      printOpening(server, terminal);
      return await playOn(database.url, join(dir, "world.db"), terminal);
    } finally {
      await database.drop();
    }
  } finally {
    await server.stop();
  }
}

async function playOn(store: string, worldPath: string, terminal: Terminal): Promise<boolean> {
  const world = openWorld({ path: worldPath, nowMs: Date.now });
  for (const fault of FLEET_FAULTS) planFault(world.db, fault);
  // It starts nothing and executes nothing; it asks how the runs ended.
  const engine = await openEngine({ store, workflows: [processOrder(openClients(world))], work: false });
  try {
    const scene = await playScene({ engine, store, worldPath }, terminal);
    const orphans = FLEET_CAST.filter((role) => scene.orphans().includes(role.id));
    await printTimelines(engine, orphans, terminal);
    return prove(world, scene, terminal);
  } finally {
    await engine.close();
    closeWorld(world);
  }
}

function printOpening({ kind, version }: PostgresServer, { print, paint, columns }: Terminal): void {
  print(paint.bold("Stepwell demo: eight checkouts, four workers, two kill -9"));
  print();
  for (const { id, about } of FLEET_CAST) print(`  ${paint.cyan(id)}  ${about}`);
  print();
  const text = `Each worker process takes two orders. State lives in PostgreSQL ${version}${
    kind === "own" ? ", started for this" : ""
  }; the services keep books of their own.`;
  for (const line of wrapText(text, columns)) print(line);
}

type Stage = { readonly engine: Engine; readonly store: string; readonly worldPath: string };

/** Start the crew, kill who is to be killed, and wait until all orders have ended. */
async function playScene(stage: Stage, terminal: Terminal): Promise<FleetScene> {
  const crew = openCrew(stage);
  printCrew(crew, terminal);
  await Promise.all(crew.map(({ ready }) => ready));
  const scene = openFleetScene(terminal, FLEET_CAST);
  const begun = new Map(FLEET_CAST.map(({ id }) => [id, Promise.withResolvers<void>()]));
  const dead = new Set<string>();
  for (const { name, process, listen } of crew) {
    listen((event) => {
      if (dead.has(name)) return;
      begun.get(event.reference)?.resolve();
      scene.event(name, event);
      if (event.kind !== "acted" || roleOf(event.reference)?.killedDuring !== event.operation) return;
      dead.add(name);
      killWorker(name, process, scene, terminal);
    });
    process.tell("begin");
  }
  await Promise.all(
    FLEET_CAST.map(async ({ id }) => {
      await begun.get(id)?.promise;
      const run = await stage.engine.get("ecommerce/process_order", id);
      const outcome = await run.outcome();
      scene.ended(id, outcome.state, outcome.state === "completed" ? "" : describeError(outcome.error).code);
    }),
  );
  for (const { name, process } of crew) if (!dead.has(name)) process.tell("leave");
  await Promise.all(crew.map(({ process }) => process.gone));
  return scene;
}

type Member = {
  readonly name: string;
  readonly process: WorkerProcess;
  /** Its engine is open. */
  readonly ready: Promise<void>;
  readonly listen: (hear: (event: WorldEvent) => void) => void;
};

function openCrew(stage: Stage): readonly Member[] {
  return CREW.map(({ name, orders }) => {
    const ready = Promise.withResolvers<void>();
    let hear = (_event: WorldEvent): void => {};
    const process = startWorkerProcess(toTask(stage, name, orders), (message) => {
      if (message.kind === "ready") ready.resolve();
      if (message.kind === "world") hear(message.event);
    });
    process.gone.catch(ready.reject);
    const listen = (listener: typeof hear): void => {
      hear = listener;
    };
    return { name, process, ready: ready.promise, listen };
  });
}

function printCrew(crew: readonly Member[], { print, paint }: Terminal): void {
  const pids = crew.map(({ name, process }) => `${paint.bold(name)} ${paint.dim(`pid ${process.pid}`)}`);
  print(`\nWorkers  ${pids.join("  ")}\n`);
}

function toTask({ store, worldPath }: Stage, name: string, ids: readonly string[]): WorkerTask {
  const orders = FLEET_CAST.filter(({ id }) => ids.includes(id)).map(({ id, order }) => ({ id, order }));
  const pace = { pace: DEMO_PACE, retryBase: DEMO_RETRY_BASE_MS };
  return { checkout: "durable", store, worldPath, ...pace, orders, name, crew: true };
}

function roleOf(id: string): Role | undefined {
  return FLEET_CAST.find((role) => role.id === id);
}

function killWorker(name: string, worker: WorkerProcess, scene: FleetScene, { print, paint, columns }: Terminal): void {
  worker.kill();
  const before = scene.orphans();
  scene.killed(name);
  const held = scene.orphans().filter((id) => !before.includes(id));
  const sign = ` kill -9 ${worker.pid} `;
  const text = `worker ${name} dies, with ${held.join(" and ")} under way`;
  const beside = sign.length + 1 + text.length <= columns;
  print(`\n${paint.bgRed(paint.white(sign))}${beside ? ` ${paint.red(text)}` : ""}`);
  if (!beside) for (const line of wrapText(text, columns)) print(paint.red(line));
  print();
}

function prove(world: World, scene: FleetScene, terminal: Terminal): boolean {
  const { print, paint, columns } = terminal;
  printTakeovers(scene.takeovers(), terminal);
  const rows = proveAll(world, FLEET_CAST);
  printProof(rows, terminal);
  const holds = rows.every((row) => row.holds);
  const text = holds
    ? "Two workers died; the others finished what they held. One charge, one order, one e-mail per paid order."
    : "The proof does not hold.";
  for (const line of wrapText(text, columns)) print(holds ? paint.green(line) : paint.red(line));
  return holds;
}
