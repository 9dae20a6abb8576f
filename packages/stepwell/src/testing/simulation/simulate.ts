/**
 * Simulate: one seed, one world. The real engine on a real store, several processes
 * of it, a storm of faults, a healing; then the checker.
 *
 * The whole of a simulation follows from its seed: run it again and the trace hash
 * is the same.
 */
import { openDice } from "../../model/dice.ts";
import type { Store } from "../../store/store.ts";
import { openSqliteStore } from "../../store/sqlite/sqlite.ts";
import { check, type Violation } from "./checker.ts";
import { openClient, type Client } from "./client.ts";
import { type Evidence, runText, type Snapshot, type Stamp, type Story, type StoreRecord } from "./evidence.ts";
import { type Disk, FAIR_WEATHER } from "./faulty-line.ts";
import { openMachine, openMonotoneClock } from "./host.ts";
import { type Kernel, openKernel, type Process, type Stop } from "./kernel.ts";
import { replayStories } from "./replay.ts";
import { drawScenario, type Scenario } from "./scenario.ts";
import { POLICIES, SHAPE_MS_MAX, type ShapeName } from "./shapes.ts";
import { openBank, readBank } from "./shapes-of-tx.ts";
import { addStray, befall, openSlots, renewSlot, startSlot, type World } from "./world.ts";

/** How to simulate. */
export type SimulateOptions = {
  /** Only these workflows; all of them unless told. */
  readonly shapes?: readonly ShapeName[];
  /** Called with every line of the trace. */
  readonly trace?: (line: string) => void;
  /** Keep the stacks of errors: for the eye, at the price of a trace hash that is this machine's own. */
  readonly stacks?: boolean;
  /** Hold only these invariants. */
  readonly invariants?: readonly string[];
};

/** What came of a seed. */
export type Simulated = {
  readonly violations: readonly Violation[];
  /** 16 hexadecimal digits: the same for the same seed and code. */
  readonly traceHash: string;
  readonly simulatedMs: number;
  readonly stats: {
    readonly stop: Stop;
    readonly tasks: number;
    readonly runs: number;
    readonly executions: number;
    readonly crashes: number;
    readonly flushes: number;
  };
};

/** Beyond three leases and the work itself: restarts, polls, impatient clients. */
const HEALING_SPARE_MS = 40_000;

/** Most seeds need a few thousand; beyond this something runs in a circle. */
const TASKS_MAX = 100_000;

/** Simulate a seed, and hold the promises against what happened. */
export async function simulate(seed: number | string, options: SimulateOptions = {}): Promise<Simulated> {
  const stackTraceLimit = Error.stackTraceLimit;
  // Stored failures hold stacks, and those tell where the code lies: not a matter of the seed.
  if (options.stacks !== true) Error.stackTraceLimit = 0;
  const { evidence, stop, kernel } = await gather(seed, options);
  Error.stackTraceLimit = stackTraceLimit;
  const violations = check(evidence, options.invariants);
  return {
    violations,
    traceHash: kernel.traceHash(),
    simulatedMs: kernel.nowMs(),
    stats: {
      stop,
      tasks: kernel.tasks(),
      runs: evidence.stories.length,
      executions: evidence.witness.filter((event) => event.kind === "start").length,
      crashes: evidence.crashes.length,
      flushes: evidence.records.filter((record) => record.kind === "flush").length,
    },
  };
}

/** The evidence of a seed, unchecked. */
export async function gather(
  seed: number | string,
  options: SimulateOptions = {},
): Promise<{ readonly evidence: Evidence; readonly stop: Stop; readonly kernel: Kernel }> {
  const dice = openDice(`simulation ${seed}`);
  const scenario = drawScenario(dice.split("scenario"), options.shapes);
  const strays: { text: string }[] = [];
  const kernel = openKernel({
    dice: dice.split("kernel"),
    drain: () => new Promise((resolve) => setImmediate(resolve)),
    thrown: (process, error) => addStray(world, process, `threw ${describe(error)}`),
    trace: options.trace,
    tasksMax: TASKS_MAX,
  });
  const store = await openSqliteStore(":memory:", {});
  await openBank(store);
  const registrar = openRegistrar(kernel, store, () => disk.openTxs.size > 0);
  const machine = openMachine(kernel, scenario.sameMachine);
  const diskProcess = kernel.openProcess("disk");
  const disk: Disk = {
    store,
    process: diskProcess,
    remote: scenario.remote,
    nowMs: openMonotoneClock(machine.wallMs),
    weather: () => (world.healed ? FAIR_WEATHER : scenario.weather),
    tick: registrar.tick,
    trueMs: kernel.nowMs,
    keep: registrar.keep,
    watching: new Set(),
    openTxs: new Set(),
  };
  let executions = 0;
  const world: World = {
    seed: String(seed),
    scenario,
    dice: dice.split("world"),
    machine,
    disk,
    slots: openSlots(scenario),
    witness: [],
    crashes: [],
    codes: new Map(),
    strays: strays as World["strays"],
    stamp: (process) => ({ at: registrar.tick(), trueMs: kernel.nowMs(), process }),
    nextExecution: () => (executions += 1),
    healed: false,
  };
  kernel.note(JSON.stringify(scenario));
  const stop = await runWorld(world, registrar, diskProcess);
  // Time stands still now: what was not committed never will be.
  for (const { takeBack } of disk.openTxs) takeBack();
  const evidence = await readEvidence(world, registrar, stop.client);
  await store.close();
  return { evidence, stop: stop.stop, kernel };
}

async function runWorld(
  world: World,
  registrar: Registrar,
  chaos: Process,
): Promise<{ readonly stop: Stop; readonly client: Client }> {
  const { scenario, machine } = world;
  const { kernel } = machine;
  const onRejection = (error: unknown): void => addStray(world, kernel.current(), `left unhandled ${describe(error)}`);
  process.on("unhandledRejection", onRejection);
  for (const slot of world.slots) chaos.timer(slot.index * 30, () => startSlot(world, slot));
  for (const accident of scenario.accidents) chaos.timer(accident.atMs, () => befall(world, accident));
  chaos.timer(scenario.stormMs, () => heal(world));
  const client = openClient(world);
  const isDone = (): boolean => world.healed && client.open() === 0 && registrar.openRuns() === 0;
  const untilMs = healedMs(scenario) + healingMs(scenario) + HEALING_SPARE_MS;
  const stop = await kernel.run(isDone, untilMs);
  if (stop === "spun") addStray(world, kernel.current(), `ran in a circle: ${TASKS_MAX} tasks and no end`);
  process.off("unhandledRejection", onRejection);
  return { stop, client };
}

function heal(world: World): void {
  world.machine.kernel.note("healed");
  world.healed = true;
  for (const slot of world.slots) renewSlot(world, slot);
}

/** Stalls that began before the end of the storm are its last breath. */
function healedMs(scenario: Scenario): number {
  const stalls = scenario.accidents.map((accident) => (accident.kind === "stall" ? accident.atMs + accident.ms : 0));
  return Math.max(scenario.stormMs, ...stalls);
}

function healingMs(scenario: Scenario): number {
  // A clock set back lengthens every wait and every lease that counts by it.
  return 3 * scenario.leaseMs + SHAPE_MS_MAX + setBackMs(scenario);
}

function setBackMs({ accidents }: Scenario): number {
  return accidents.reduce((sum, accident) => (accident.kind === "jump" ? sum + Math.max(0, -accident.ms) : sum), 0);
}

/** The order of everything, and the records of the store. */
type Registrar = {
  readonly records: StoreRecord[];
  readonly snapshots: Snapshot[];
  readonly tick: () => number;
  readonly keep: (record: StoreRecord) => void;
  /** Runs that were accepted and have not ended. */
  readonly openRuns: () => number;
};

/** Every so many operations the whole table of runs is looked at. */
const SNAPSHOT_EVERY = 40;

const END_KINDS: readonly string[] = ["complete", "fail", "cancel"];

/** @param isHeld whether a transaction is open, which nobody can look into */
function openRegistrar(kernel: Kernel, store: Store, isHeld: () => boolean): Registrar {
  const records: StoreRecord[] = [];
  const snapshots: Snapshot[] = [];
  const open = new Set<number>();
  let order = 0;
  const tick = (): number => (order += 1);
  const look = async (): Promise<void> => {
    const stamp: Stamp = { at: tick(), trueMs: kernel.nowMs(), process: "disk" };
    const { runs } = await store.listRuns({ limit: 1_000 });
    snapshots.push({ ...stamp, runs: runs.map(({ rowId, state, historySeq }) => ({ rowId, state, historySeq })) });
  };
  return {
    records,
    snapshots,
    tick,
    openRuns: () => open.size,
    keep: (record) => {
      records.push(record);
      kernel.note(recordText(record));
      if (record.kind === "flush") noteEnds(open, record);
      if (record.kind === "reopen" && record.reopened) for (const { rowId } of record.runs) open.add(rowId);
      if (records.length % SNAPSHOT_EVERY === 0 && !isHeld()) void look();
    },
  };
}

function noteEnds(open: Set<number>, record: StoreRecord & { readonly kind: "flush" }): void {
  record.writes.forEach((write, index) => {
    const result = record.results[index];
    if (result?.kind === "inserted") open.add(result.rowId);
    const accepted = result?.kind === "stored" || result?.kind === "posted";
    if (write.kind === "transition" && accepted && END_KINDS.includes(write.transition.kind)) {
      open.delete(write.owner.rowId);
    }
  });
}

function recordText(record: StoreRecord): string {
  const { at: _at, trueMs: _trueMs, knownAt: _knownAt, process, kind, ...rest } = record;
  if (record.kind === "memory") return `${process} memory ${record.rowId} ${record.memory.lastSeq}`;
  return `${process} ${kind} ${JSON.stringify(rest)}`;
}

async function readEvidence(world: World, registrar: Registrar, client: Client): Promise<Evidence> {
  const { scenario, disk } = world;
  const { runs } = await disk.store.listRuns({ limit: 1_000 });
  const stories: Story[] = [];
  for (const run of runs.toReversed()) {
    const history = await disk.store.listHistory(run.rowId);
    stories.push({ run, history, memory: await disk.store.loadMemory(run.rowId) });
  }
  const { approvals } = await disk.store.listApprovals({ state: "open", limit: 1_000 });
  const evidence: Evidence = {
    stories,
    records: registrar.records,
    witness: world.witness,
    requests: client.requests,
    snapshots: registrar.snapshots,
    crashes: world.crashes,
    codes: Object.fromEntries(world.codes),
    strays: world.strays,
    replays: [],
    openApprovals: approvals.map((one) => ({ run: runText({ ...one, id: one.runId }), key: one.key })),
    rows: await readBank(disk.store),
    policies: POLICIES,
    leaseMs: scenario.leaseMs,
    healedMs: healedMs(scenario),
    healingMs: healingMs(scenario),
    setBackMs: setBackMs(scenario),
    cancelMs: scenario.leaseMs + 4 * scenario.weather.delayMsMax,
    calm: scenario.calm,
  };
  return { ...evidence, replays: await replayStories(world, evidence) };
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
