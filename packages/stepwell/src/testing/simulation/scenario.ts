/**
 * Scenario: what a seed means. How many workers on what kind of store, which runs
 * with which signals, cancels and pauses, and what weather and accidents until the healing.
 */
import type { Dice } from "../../model/dice.ts";
import { FAIR_WEATHER, type Weather } from "./faulty-line.ts";
import type { ShapeInput } from "./behaviour.ts";
import { SHAPE_NAMES, type ShapeName } from "./shapes.ts";

/** A run that the client wants, and what it does to it. Moments are true milliseconds. */
export type RunPlan = {
  readonly shape: ShapeName;
  readonly id: string;
  readonly input: ShapeInput;
  readonly startMs: number;
  /** How often the start is asked for, as by a careless caller. */
  readonly starts: number;
  readonly signals: readonly SignalPlan[];
  readonly decisions: readonly DecisionPlan[];
  readonly cancelMs: number | null;
  /** How often an operator retries it when it has failed or was cancelled. */
  readonly retries: number;
  /** An operator lets it stand still from then on, for so long. */
  readonly pause: { readonly atMs: number; readonly forMs: number } | null;
};

/** A signal to send; `times` above 1 repeats the same operation. */
export type SignalPlan = {
  readonly name: "approval" | "order";
  readonly payload: unknown;
  readonly atMs: number;
  readonly times: number;
};

/** What a person says to an approval; `times` above 1 repeats the same operation. */
export type DecisionPlan = {
  readonly key: "sign" | "hurry";
  readonly actor: string;
  readonly answer: "approved" | "refused";
  /** What the form holds; it fits when it is even. */
  readonly n: number;
  readonly atMs: number;
  readonly times: number;
};

/** Something that happens to a worker or to the machine. */
export type Accident = { readonly atMs: number; readonly worker: number } & (
  | { readonly kind: "crash"; readonly downMs: number }
  | { readonly kind: "close"; readonly downMs: number }
  | { readonly kind: "stall"; readonly ms: number }
  | { readonly kind: "jump"; readonly ms: number }
);

/** Newer code comes in: whoever starts later has it, except those who lag behind until the storm is over. */
export type Rollout = { readonly atMs: number; readonly laggards: readonly number[] };

/** See the header. */
export type Scenario = {
  /** The only accidents are crashes, one at a time. */
  readonly calm: boolean;
  readonly workers: number;
  /** A process beside them that only asks. */
  readonly bystander: boolean;
  readonly remote: boolean;
  readonly sameMachine: boolean;
  readonly leaseMs: number;
  readonly hotWaitMs: number;
  readonly lingerMax: number;
  readonly concurrency: number;
  readonly graceMs: number;
  /** Null: all have the older code for ever. */
  readonly rollout: Rollout | null;
  /** How far the clock of each process is from the true one, by slot; the store's own clock decides. */
  readonly skewsMs: readonly number[];
  readonly runs: readonly RunPlan[];
  readonly accidents: readonly Accident[];
  readonly weather: Weather;
  /** Faults and wishes end here. */
  readonly stormMs: number;
};

/** Chance of a run that kills its workers. */
const DEADLY = 0.1;

/** Chance of runs that share a circuit breaker. */
const GUARDED = 0.15;
/** Chance of runs that are retried. */
const RETRIED = 0.12;

/** Chance of runs with transactions. */
const BANKED = 0.15;

/** Chance that newer code comes in. */
const ROLLOUT = 0.4;

/** Chance of runs that ask people. */
const APPROVALS = 0.25;

/** Chance of a world of crowds alone, whose workers sleep through their leases: large flushes of those who lost all. */
const CROWDED = 0.06;

/** The scenario of these dice. `shapes` restricts the workflows. */
export function drawScenario(dice: Dice, shapes: readonly ShapeName[] = SHAPE_NAMES): Scenario {
  const calm = dice.chance(0.15);
  const workers = calm ? 2 + dice.integer(2) : 1 + dice.integer(4);
  const leaseMs = dice.pick([3_000, 6_000, 10_000]);
  const stormMs = 4_000 + dice.integer(16_000);
  const bystander = dice.chance(0.3);
  const remote = dice.chance(0.5);
  const sameMachine = dice.chance(0.5);
  const setting = { dice: dice.split("accidents"), stormMs, leaseMs, workers, slots: workers + (bystander ? 1 : 0) };
  const crowded = !calm && shapes === SHAPE_NAMES && dice.split("crowd").chance(CROWDED);
  const rollout = calm ? null : drawRollout(dice.split("rollout"), setting);
  return {
    ...{ calm, workers, bystander, remote, sameMachine, leaseMs, rollout },
    hotWaitMs: dice.pick([0, 100, 1_000, 5_000]),
    lingerMax: dice.pick([0, 1, 1_000]),
    concurrency: dice.pick([1, 2, 4, 512]),
    graceMs: dice.pick([0, 300, 2_000]),
    skewsMs: drawSkews(dice.split("skews"), setting, remote && !sameMachine),
    runs: [
      ...drawRuns(dice.split("runs"), stormMs, crowded ? ["crowd"] : shapes),
      ...(calm ? [] : drawDeadlyRuns(dice.split("deadly"), stormMs)),
      ...drawGuardedRuns(dice.split("guarded"), stormMs),
      ...drawApprovalRuns(dice.split("approvals"), stormMs),
      ...drawRetriedRuns(dice.split("retried"), stormMs, shapes),
      ...drawBankedRuns(dice.split("banked"), stormMs, shapes),
    ],
    accidents: calm
      ? drawCalmAccidents(setting)
      : [...drawAccidents(setting), ...(crowded ? drawLapses(setting) : []), ...drawDeploys(setting, rollout)],
    weather: calm ? FAIR_WEATHER : drawWeather(dice.split("weather")),
    stormMs,
  };
}

function drawRollout(dice: Dice, { stormMs, slots }: Setting): Rollout | null {
  if (!dice.chance(ROLLOUT)) return null;
  const atMs = dice.integer(stormMs);
  return { atMs, laggards: slotNumbers(slots).filter(() => dice.chance(0.3)) };
}

/** Processes on machines of their own have clocks of their own. */
function drawSkews(dice: Dice, { leaseMs, slots }: Setting, apart: boolean): readonly number[] {
  return slotNumbers(slots).map(() => (apart ? dice.integer(leaseMs * 4) - leaseMs * 2 : 0));
}

function slotNumbers(slots: number): number[] {
  return Array.from({ length: slots }, (_, index) => index);
}

function drawRuns(dice: Dice, stormMs: number, shapes: readonly ShapeName[]): RunPlan[] {
  const count = 2 + dice.integer(7);
  return Array.from({ length: count }, (_, index) => drawRun(dice, index, stormMs, shapes));
}

/** Now and then one that kills its workers, beside the others. */
function drawDeadlyRuns(dice: Dice, stormMs: number): RunPlan[] {
  return dice.chance(DEADLY) ? [{ ...drawRun(dice, 0, stormMs / 2, ["deadly"]), id: "deadly" }] : [];
}

/** Now and then some that call one service, beside the others. */
function drawGuardedRuns(dice: Dice, stormMs: number): RunPlan[] {
  if (!dice.chance(GUARDED)) return [];
  const count = 2 + dice.integer(5);
  return Array.from({ length: count }, (_, index) => {
    const plan = drawRun(dice, index, stormMs, ["guarded"]);
    return { ...plan, id: `guarded-${index}` };
  });
}

/** Now and then some that ask people, beside the others. */
function drawApprovalRuns(dice: Dice, stormMs: number): RunPlan[] {
  if (!dice.chance(APPROVALS)) return [];
  return Array.from({ length: 1 + dice.integer(3) }, (_, index) => {
    const run = drawRun(dice, index, stormMs, ["approvals"]);
    const decisions = Array.from({ length: dice.integer(10) }, () => drawDecision(dice, run.startMs));
    return { ...run, id: `ask-${index}`, decisions };
  });
}

/** Some people are asked by themselves, decide twice, fill in what does not fit, or come too late. */
function drawDecision(dice: Dice, startMs: number): DecisionPlan {
  return {
    key: dice.pick(["sign", "sign", "sign", "hurry"] as const),
    actor: `p${dice.integer(5)}`,
    answer: dice.chance(0.15) ? "refused" : "approved",
    n: dice.chance(0.2) ? 1 : 2,
    atMs: startMs + dice.integer(9_000),
    times: dice.chance(0.25) ? 2 : 1,
  };
}

/** Now and then some whose end is not accepted, beside the others. */
function drawRetriedRuns(dice: Dice, stormMs: number, shapes: readonly ShapeName[]): RunPlan[] {
  if (shapes !== SHAPE_NAMES && !shapes.includes("again")) return [];
  if (!dice.chance(RETRIED) && !shapes.includes("again")) return [];
  return Array.from({ length: 1 + dice.integer(4) }, (_, index) => {
    const run = drawRun(dice, index, stormMs, ["again"]);
    return { ...run, id: `again-${index}`, retries: 1 + dice.integer(3) };
  });
}

/** Beside the others, in worlds of all shapes. */
function drawBankedRuns(dice: Dice, stormMs: number, shapes: readonly ShapeName[]): RunPlan[] {
  if (shapes !== SHAPE_NAMES || !dice.chance(BANKED)) return [];
  const count = 1 + dice.integer(3);
  return Array.from({ length: count }, (_, index) => {
    return { ...drawRun(dice, index, stormMs, ["banked"]), id: `banked-${index}` };
  });
}

function drawRun(dice: Dice, index: number, stormMs: number, shapes: readonly ShapeName[]): RunPlan {
  const shape = dice.pick(shapes);
  const input = { salt: dice.integer(30), size: 1 + dice.integer(4) };
  const startMs = dice.integer(Math.floor(stormMs / 2));
  return {
    shape,
    id: `run-${index}`,
    input,
    startMs,
    starts: dice.chance(0.2) ? 2 + dice.integer(2) : 1,
    signals: drawSignals(dice, shape, input, startMs),
    decisions: [],
    retries: 0,
    cancelMs: dice.chance(0.2) ? startMs + dice.integer(8_000) : null,
    pause: drawPause(dice.split(`pause ${index}`), startMs),
  };
}

function drawPause(dice: Dice, startMs: number): RunPlan["pause"] {
  return dice.chance(0.15) ? { atMs: startMs + dice.integer(4_000), forMs: dice.integer(20_000) } : null;
}

/** `signals` gets as many orders as it awaits, some before it does; others get approvals, perhaps too many. */
function drawSignals(dice: Dice, shape: ShapeName, input: ShapeInput, startMs: number): SignalPlan[] {
  const name = shape === "signals" ? "order" : "approval";
  const wants = {
    signals: input.size,
    deadline: dice.integer(4),
    mixed: dice.integer(2),
    contest: dice.integer(4),
    items: dice.integer(5),
  } as const;
  const count = wants[shape as keyof typeof wants] ?? 0;
  return Array.from({ length: count }, (_, index) => ({
    name,
    payload: dice.chance(0.25) ? null : index,
    atMs: startMs + dice.integer(6_000),
    times: dice.chance(0.25) ? 2 : 1,
  }));
}

type Setting = {
  readonly dice: Dice;
  readonly stormMs: number;
  readonly leaseMs: number;
  readonly workers: number;
  /** Workers, and the bystander if there is one. */
  readonly slots: number;
};

function drawAccidents({ dice, stormMs, leaseMs, workers }: Setting): Accident[] {
  return Array.from({ length: dice.integer(7) }, (): Accident => {
    const base = { atMs: dice.integer(stormMs), worker: dice.integer(workers) };
    const kind = dice.pick(["crash", "crash", "crash", "close", "stall", "stall", "jump"] as const);
    switch (kind) {
      case "crash":
      case "close":
        return { ...base, kind, downMs: dice.integer(leaseMs * 2) };
      case "stall":
        return { ...base, kind, ms: dice.integer(leaseMs * 2) };
      case "jump":
        return { ...base, kind, ms: dice.pick([1, -1]) * dice.integer(leaseMs * 3) };
    }
  });
}

/** Each worker is away for longer than its lease lasts, once. */
function drawLapses({ dice, stormMs, leaseMs, workers }: Setting): Accident[] {
  return Array.from({ length: workers }, (_, worker) => ({
    kind: "stall",
    atMs: dice.integer(Math.floor(stormMs / 2)),
    worker,
    ms: leaseMs + dice.integer(leaseMs),
  }));
}

/** One slot after another is closed, and comes back with the newer code. */
function drawDeploys({ dice, slots }: Setting, rollout: Rollout | null): Accident[] {
  if (rollout === null) return [];
  const { atMs, laggards } = rollout;
  const deployed = slotNumbers(slots).filter((slot) => !laggards.includes(slot));
  return deployed.map((worker, index) => ({
    kind: "close",
    atMs: atMs + index * 400,
    worker,
    downMs: dice.integer(400),
  }));
}

/** Far enough apart that all others are up again. */
function drawCalmAccidents({ dice, stormMs, workers }: Setting): Accident[] {
  const gapMs = 5_000;
  const count = Math.min(3, Math.floor(stormMs / gapMs));
  return Array.from({ length: count }, (_, index) => ({
    kind: "crash",
    atMs: 1_000 + index * gapMs + dice.integer(1_000),
    worker: dice.integer(workers),
    downMs: 500 + dice.integer(2_000),
  }));
}

function drawWeather(dice: Dice): Weather {
  const bad = dice.chance(0.7);
  return {
    delayMsMax: dice.pick([1, 10, 100, 600]),
    failure: bad ? dice.pick([0, 0.02, 0.1]) : 0,
    unknown: bad ? dice.pick([0, 0.02, 0.1]) : 0,
  };
}
