/**
 * World: the processes of a simulation. Each slot holds a worker that is crashed,
 * closed and started again; each start is a fresh process with a fresh engine.
 */
import { type Engine, openEngineOn } from "../../engine/engine.ts";
import type { Dice } from "../../model/dice.ts";
import type { Crash, Stamp, WitnessEvent } from "./evidence.ts";
import type { Disk } from "./faulty-line.ts";
import { openFaultyStore } from "./faulty-store.ts";
import { type Machine, openSimulatedHost } from "./host.ts";
import type { Process } from "./kernel.ts";
import type { Accident, Scenario } from "./scenario.ts";
import type { Desk } from "./scribe.ts";
import { CODE, type CodeVersion, openShapes } from "./shapes.ts";

/** One start of one slot. `engine` is null until it is open, and again once it closes. */
export type Incarnation = { readonly process: Process; readonly code: CodeVersion; engine: Engine | null };

/** A place for a process; `now` is null while it is down. */
export type Slot = { readonly index: number; readonly works: boolean; starts: number; now: Incarnation | null };

/** See the header. */
export type World = {
  readonly seed: string;
  readonly scenario: Scenario;
  readonly dice: Dice;
  readonly machine: Machine;
  readonly disk: Disk;
  readonly slots: readonly Slot[];
  readonly witness: WitnessEvent[];
  readonly crashes: Crash[];
  /** Version of the workflows by process. */
  readonly codes: Map<string, string>;
  readonly strays: (Stamp & { readonly text: string })[];
  /** A stamp of the given process, now. */
  readonly stamp: (process: string) => Stamp;
  readonly nextExecution: () => number;
  /** True once faults have ended: what is down comes back at once. */
  healed: boolean;
};

/** Slots for the workers of a scenario, and for its bystander. */
export function openSlots(scenario: Scenario): readonly Slot[] {
  const count = scenario.workers + (scenario.bystander ? 1 : 0);
  return Array.from({ length: count }, (_, index) => ({
    index,
    works: index < scenario.workers,
    starts: 0,
    now: null,
  }));
}

/** A pause before a process that could not start, or was closed, is started again. */
const RESTART_MS = 400;

/** Start a process in this slot, unless one runs. */
export function startSlot(world: World, slot: Slot): void {
  if (slot.now !== null) return;
  const { machine, disk, scenario } = world;
  slot.starts += 1;
  const name = `${slot.works ? "worker" : "bystander"}-${slot.index}.${slot.starts}`;
  const process = machine.kernel.openProcess(name);
  const code = codeFor(world, slot);
  const incarnation: Incarnation = { process, code, engine: null };
  slot.now = incarnation;
  world.codes.set(name, code);
  const skewMs = scenario.skewsMs[slot.index]!;
  const host = openSimulatedHost(machine, process, { dice: world.dice.split(`host ${name}`), skewMs });
  const store = openFaultyStore(disk, process, world.dice.split(`store ${name}`), host.nowMs);
  const options = {
    actor: name,
    lease: scenario.leaseMs,
    stuckAfter: false,
    hotWait: scenario.hotWaitMs,
    lingerMax: scenario.lingerMax,
    grace: scenario.graceMs,
    work: slot.works ? { concurrency: scenario.concurrency } : false,
    workflows: openShapes(
      deskOf(world, slot, incarnation, () => host.nowMs() - skewMs),
      code,
    ),
    log: (entry: { readonly level: string; readonly message: string }) => {
      if (entry.level === "error" && !/STORE_(BUSY|FULL|OUTCOME_UNKNOWN)|RUN_QUARANTINED/.test(entry.message)) {
        addStray(world, name, entry.message);
      }
      if (entry.level !== "info") machine.kernel.note(`${name} says: ${entry.message}`);
    },
  } as const;
  process.defer(() => {
    openEngineOn(store, host, options).then(
      (engine) => void (incarnation.engine = engine),
      (error: unknown) => couldNotStart(world, slot, incarnation, error),
    );
  });
}

function codeFor(world: World, slot: Slot): CodeVersion {
  const { rollout } = world.scenario;
  if (rollout === null) return CODE.older;
  const due = world.machine.kernel.nowMs() >= rollout.atMs && !rollout.laggards.includes(slot.index);
  return world.healed || due ? CODE.newer : CODE.older;
}

/** Bring the slot up, with the code that it should have by now. */
export function renewSlot(world: World, slot: Slot): void {
  const { now } = slot;
  if (now === null) return startSlot(world, slot);
  if (now.code === codeFor(world, slot)) return;
  closeSlot(world, slot, RESTART_MS);
  // One that is just opening cannot be closed yet.
  world.disk.process.timer(RESTART_MS, () => renewSlot(world, slot));
}

/** What happens to a slot, or to the machine. */
export function befall(world: World, accident: Accident): void {
  const slot = world.slots[accident.worker]!;
  switch (accident.kind) {
    case "crash":
      return crashSlot(world, slot, accident.downMs);
    case "close":
      return closeSlot(world, slot, accident.downMs);
    case "stall":
      return slot.now?.process.stall(accident.ms);
    case "jump":
      return world.machine.jump(accident.ms);
  }
}

/** Keep an error that should not have been. */
export function addStray(world: World, process: string, text: string): void {
  world.strays.push({ ...world.stamp(process), text });
}

function crashSlot(world: World, slot: Slot, downMs: number): void {
  const { now } = slot;
  if (now === null) return;
  end(world, slot, now, false);
  restartLater(world, slot, downMs);
}

/** Close the engine, then end the process; a close that does not come to an end is ended as an orchestrator does. */
function closeSlot(world: World, slot: Slot, downMs: number): void {
  const { now } = slot;
  const engine = now?.engine ?? null;
  if (now === null || engine === null) return;
  now.engine = null;
  const ended = (graceful: boolean): void => {
    if (!now.process.isAlive()) return;
    end(world, slot, now, graceful);
    restartLater(world, slot, downMs);
  };
  now.process.defer(() => {
    engine.close().then(
      () => ended(true),
      () => ended(false),
    );
  });
  world.disk.process.timer(KILL_AFTER_MS, () => ended(false));
}

/** As long as orchestrators wait between SIGTERM and SIGKILL. */
const KILL_AFTER_MS = 30_000;

function end(world: World, slot: Slot, now: Incarnation, graceful: boolean): void {
  now.process.crash();
  slot.now = null;
  world.crashes.push({ ...world.stamp(now.process.name), graceful });
}

function restartLater(world: World, slot: Slot, downMs: number): void {
  world.disk.process.timer(world.healed ? RESTART_MS : downMs, () => startSlot(world, slot));
}

/** A process whose engine does not open says why and exits. Only the store's own troubles are a good reason. */
function couldNotStart(world: World, slot: Slot, incarnation: Incarnation, error: unknown): void {
  const { code } = error as { readonly code?: unknown };
  if (!isStoreTrouble(code)) addStray(world, incarnation.process.name, `could not start: ${String(error)}`);
  if (slot.now !== incarnation) return;
  end(world, slot, incarnation, false);
  restartLater(world, slot, RESTART_MS);
}

/** Codes that bad weather explains. */
export function isStoreTrouble(code: unknown): boolean {
  return code === "STORE_FULL" || code === "STORE_BUSY" || code === "STORE_OUTCOME_UNKNOWN";
}

function deskOf(world: World, slot: Slot, incarnation: Incarnation, wallMs: () => number): Desk {
  const { process } = incarnation;
  return {
    seed: world.seed,
    log: world.witness,
    stamp: () => world.stamp(process.name),
    wallMs,
    wait: (ms, task) => process.timer(ms, task),
    nextExecution: world.nextExecution,
    die: () => {
      if (world.healed) return false;
      end(world, slot, incarnation, false);
      restartLater(world, slot, RESTART_MS);
      return true;
    },
  };
}
