/**
 * Chaos: workers on one PostgreSQL, and everything that can happen to them: kills, a server that restarts, lines that
 * break, workers that are held still, clocks that are wrong, no connections left, a pooler, a deploy. What steps
 * witnessed and what was acknowledged is compared with what is stored; see packages/stepwell/test/chaos. The seed draws runs
 * and moments; what processes do in between is the machine's. What a phase worked on is kept when it fails.
 */
import { freshDatabase } from "../postgres/database.ts";
import { startPooler, whyNoPooler } from "../postgres/pooler.ts";
import { type OwnServer, PostgresMissing, type PostgresOptions, startPostgres } from "../postgres/server.ts";
import { type Dice, openDice } from "../../packages/stepwell/src/model/dice.ts";
import { skewClocks, whyNoFakeTime } from "../../packages/stepwell/test/chaos/clocks.ts";
import { killWorkers } from "../../packages/stepwell/test/chaos/kills.ts";
import { disturbLines } from "../../packages/stepwell/test/chaos/line.ts";
import {
  compareOverBadLine,
  DROPS,
  MUTATIONS,
  openOverBadLine,
  SILENCES,
} from "../../packages/stepwell/test/chaos/network.ts";
import { exhaustConnections, workThroughPooler } from "../../packages/stepwell/test/chaos/pools.ts";
import { measureRecovery, type Recovery, type RestartMode } from "../../packages/stepwell/test/chaos/recovery.ts";
import { deployRolling } from "../../packages/stepwell/test/chaos/rolling.ts";
import { type Blow, shakeServer } from "../../packages/stepwell/test/chaos/server.ts";
import { cutWorkerOff, type Ghosts, suspendWorkers } from "../../packages/stepwell/test/chaos/zombies.ts";
import type { Harbour, Verdict } from "../../packages/stepwell/test/fleet/fleet.ts";
import { deepPart, type Frame } from "./part.ts";

const HELP = `node scripts/deep/chaos.ts [flags]

Kill --kills workers over --runs runs, --workers of which live at a time; strike the server --blows times in each way;
lose --drops answers; and let --seconds pass in each phase that only lasts. --rounds: restarts whose recovery is measured,
in each mode, and workers that are held still, and cut off. --only chooses phases, by names with commas: kills,
restarts, backends, recovery, lines, drops, silences, zombies, cut-off, clocks, exhaustion, pooler, rolling. --seed draws
runs and moments.`;

const FLAGS = {
  kills: "2000",
  runs: "20000",
  workers: "4",
  blows: "20",
  drops: "1000",
  seconds: "60",
  rounds: "3",
  only: "",
  seed: "chaos",
};

/** Where a phase takes place, and what it is told. */
type Scene = {
  readonly frame: Frame<typeof FLAGS>;
  readonly harbour: Harbour;
  readonly server: OwnServer;
  readonly dice: Dice;
  readonly workers: number;
  readonly remark: (text: string) => void;
};

type Phase = {
  /** As `--only` names it. */
  readonly name: string;
  readonly title: string;
  readonly options?: PostgresOptions;
  /** Why it cannot be here; null: it can. */
  readonly whyNot?: () => string | null;
  /** Gives what it found wrong. */
  readonly work: (scene: Scene) => Promise<readonly string[]>;
};

/** Runs under way at a time. */
const LANES = 64;

/** At most; what a round leaves fits the memory when it is judged. */
const KILLS_PER_ROUND = 100;

/** So many lost answers must have met every mutation, and every statement of the opening. */
const ALL_MUTATIONS_FROM = 1_000;

/** No neighbour on a machine explains less than that. */
const STUCK = 0.5;

/** Of what was done in the window before a restart, in the median, and where others slow the machine down, of what is left. */
const RECOVERED = 0.95;

/** Longer, and somebody waited for a lease to lapse. */
const BEAT_MS_MAX = 2_000;

/** Of a pooler to its server: fewer than there are workers' lanes. */
const POOLED_CONNECTIONS = 5;

/** Connections that a server has to give, where all are taken: enough for the workers. */
const FEW_CONNECTIONS = "60";

const PHASES: readonly Phase[] = [
  { name: "kills", title: "kill -9 among workers on one database", work: kill },
  {
    name: "restarts",
    title: "a server that stops and is killed",
    work: (s) => shake(s, ["fast", "immediate", "kill"]),
  },
  { name: "backends", title: "a server that ends connections", work: (s) => shake(s, ["backends"]) },
  { name: "recovery", title: "as much is done 10 s after a restart", options: { durable: true }, work: recover },
  { name: "lines", title: "lines that delay, break and fall silent", work: disturb },
  { name: "drops", title: "answers lost before and after the commit", work: drop },
  { name: "silences", title: "lines that stay open and are silent", work: silence },
  { name: "zombies", title: "workers held still beyond their lease", work: (s) => haunt(s, suspendWorkers) },
  { name: "cut-off", title: "a worker cut off from the database", work: (s) => haunt(s, cutWorkerOff) },
  { name: "clocks", title: "clocks off by an hour", whyNot: whyNoFakeTime, work: skew },
  {
    name: "exhaustion",
    title: "no connection left",
    options: { settings: { max_connections: FEW_CONNECTIONS } },
    work: exhaust,
  },
  { name: "pooler", title: "a transaction pooler in between", whyNot: whyNoPooler, work: pool },
  { name: "rolling", title: "a rolling deploy under load", work: deploy },
];

await deepPart({ help: HELP, flags: FLAGS }, async (frame) => {
  const only = frame.flags.only === "" ? null : frame.flags.only.split(",");
  const unknown = only?.find((name) => !PHASES.some((phase) => phase.name === name));
  if (unknown !== undefined) throw new Error(`there is no phase "${unknown}"`);
  for (const phase of PHASES) if (only === null || only.includes(phase.name)) await play(frame, phase);
});

/** On a server of its own. */
async function play(frame: Frame<typeof FLAGS>, { name, title, options = {}, whyNot, work }: Phase): Promise<void> {
  const why = whyNot?.() ?? null;
  if (why !== null) return frame.skip(title, why);
  const server = await openServer({ durable: false, ...options });
  if (typeof server === "string") return frame.skip(title, server);
  try {
    const { url } = await freshDatabase(server.url);
    const harbour = { folder: frame.folder, name, store: url };
    const dice = openDice(`${frame.flags.seed} ${name}`);
    const workers = frame.whole("workers", 2);
    await frame.check(title, (remark) => work({ frame, harbour, server, dice, workers, remark }));
  } finally {
    await server.stop("immediate");
  }
}

/** Or why there is none. */
async function openServer(options: PostgresOptions): Promise<OwnServer | string> {
  try {
    const server = await startPostgres(options);
    return server.kind === "own" ? server : "the server of STEPWELL_TEST_PG is not ours to restart or kill";
  } catch (error) {
    if (error instanceof PostgresMissing) return error.message;
    throw error;
  }
}

/** In rounds, each judged when its runs have ended; as many as it takes. */
async function kill({ frame, harbour, dice, workers, remark }: Scene): Promise<readonly string[]> {
  const wanted = { kills: frame.whole("kills", 1), runs: frame.whole("runs", 1) };
  const rounds = Math.ceil(wanted.kills / KILLS_PER_ROUND);
  const share = { kills: Math.ceil(wanted.kills / rounds), runs: Math.ceil(wanted.runs / rounds), lanes: LANES };
  const total = { kills: 0, runs: 0, executions: 0, takeovers: 0 };
  const violations: string[] = [];
  for (let round = 1; total.kills < wanted.kills || total.runs < wanted.runs; round += 1) {
    const name = `${harbour.name}-${round}`;
    const toll = await killWorkers({ ...harbour, name }, { dice: dice.split(name), workers, ...share });
    for (const key of ["kills", "runs", "executions", "takeovers"] as const) total[key] += toll[key];
    violations.push(...toll.violations.map((violation) => `${name}: ${violation}`));
    frame.say(`${name}: ${total.kills} kills, ${total.runs} runs, ${violations.length} violations`);
  }
  remark(`${total.kills} kills, ${total.runs} runs`);
  const { kills, runs, executions, takeovers } = total;
  frame.tell(`${kills} kills over ${runs} runs: ${executions} executions of steps, ${takeovers} takeovers of runs`);
  return violations;
}

async function shake(scene: Scene, kinds: readonly Blow[]): Promise<readonly string[]> {
  const { frame, harbour, server, dice, workers } = scene;
  const blows = Array.from({ length: frame.whole("blows", 1) }, () => kinds).flat();
  const verdict = await shakeServer(harbour, server, { dice, workers, lanes: LANES, blows, pauseMsMax: 1_500 });
  return toldOf(scene, verdict, `${blows.length} blows: ${kinds.join(", ")}`);
}

async function recover({ frame, harbour, server, dice, workers, remark }: Scene): Promise<readonly string[]> {
  const restarts = Array.from(
    { length: frame.whole("rounds", 1) },
    () => ["none", "fast", "immediate"] as const,
  ).flat();
  const measure = { dice, workers, slots: 8, lanes: LANES, restarts, windowMs: 8_000, graceMs: 10_000 };
  const { violations, recoveries } = await measureRecovery(harbour, server, { ...measure, shape: "brisk" });
  for (const one of recoveries) frame.tell(`restart, ${tellRecovery(one)}`);
  const medianOf = (mode: RestartMode): number => {
    const shares = recoveries.filter((one) => one.mode === mode).map(({ before, after }) => after / before);
    return shares.sort((a, b) => a - b)[shares.length >> 1]!;
  };
  const [none, fast, immediate] = [medianOf("none"), medianOf("fast"), medianOf("immediate")];
  const toPercent = (share: number): string => `${Math.round(share * 100)} %`;
  remark(`medians: fast ${toPercent(fast)}, immediate ${toPercent(immediate)}, without a restart ${toPercent(none)}`);
  const stuck = recoveries.filter(({ before, after }) => after < before * STUCK);
  const faults = [...violations, ...stuck.map((one) => `hardly anything is done: ${tellRecovery(one)}`)];
  if (Math.min(fast, immediate) >= RECOVERED * Math.min(none, 1)) return faults;
  return [...faults, "less is done 10 s after a restart than before"];
}

function tellRecovery({ mode, before, after, firstEndMs }: Recovery): string {
  const share = Math.round((after / before) * 100);
  return `${mode}: ${before.toFixed(1)} runs/s before, ${after.toFixed(1)} after, ${share} %; the first after ${firstEndMs} ms`;
}

async function disturb(scene: Scene): Promise<readonly string[]> {
  const { frame, harbour, dice, workers } = scene;
  const badness = { dice, workers, lanes: LANES, chance: 0.01, delayMsMax: 200, ms: frame.whole("seconds", 1) * 1_000 };
  const disturbed = await disturbLines(harbour, badness);
  const { strikes, silences } = disturbed;
  return toldOf(scene, disturbed, `${strikes} statements cut on the way, ${silences} silences of whole lines`);
}

/** World by world, as many operations in each as the comparison plays. */
async function drop({ frame, harbour, dice, remark }: Scene): Promise<readonly string[]> {
  const wanted = frame.whole("drops", 1);
  const opened = await openOverBadLine(harbour.store, wanted < ALL_MUTATIONS_FROM ? 5 : 1);
  const drops = new Map<string, number>();
  const violations = [...opened.violations];
  for (let seed = 1; countDrops(drops) < wanted && violations.length === 0; seed += 1) {
    const comparing = { dice: dice.split(`${seed}`), seed, operations: 1, chance: 0.4, fates: DROPS };
    const compared = await compareOverBadLine(harbour.store, comparing);
    violations.push(...compared.violations);
    for (const [name, times] of compared.drops) drops.set(name, (drops.get(name) ?? 0) + times);
    frame.say(`world ${seed}: ${countDrops(drops)} answers lost`);
  }
  remark(`${countDrops(drops)} answers lost`);
  frame.tell(`opening: ${opened.drops.get("open") ?? 0} answers lost, while tables were made`);
  frame.tell(`answers lost: ${tellCounts(drops)}`);
  const never = wanted < ALL_MUTATIONS_FROM ? [] : MUTATIONS.filter((name) => !drops.has(name));
  return never.length === 0 ? violations : [...violations, `never lost: ${never.join(", ")}`];
}

/** Each is counted by the way it went, too. */
function countDrops(drops: ReadonlyMap<string, number>): number {
  return [...drops].reduce((sum, [name, times]) => (/^(cut|late|silence)/.test(name) ? sum + times : sum), 0);
}

function tellCounts(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([name, times]) => `${name} ${times}`)
    .join(", ");
}

/** Each takes as long as the driver's patience. */
async function silence({ frame, harbour, dice, remark }: Scene): Promise<readonly string[]> {
  const comparing = { dice, seed: 1, operations: 1, chance: 0.02, fates: SILENCES };
  const { violations, drops } = await compareOverBadLine(harbour.store, comparing);
  remark(`${countDrops(drops)} silences`);
  frame.tell(`half-open lines: ${tellCounts(drops)}`);
  return violations;
}

type Haunt = typeof suspendWorkers;

async function haunt({ frame, harbour, dice, remark }: Scene, how: Haunt): Promise<readonly string[]> {
  const haunting = { dice, workers: 3, leaseMs: 2_000, rounds: frame.whole("rounds", 1) };
  const { violations, haunted }: Ghosts = await how(harbour, haunting);
  const worst = (of: (ghost: Ghosts["haunted"][number]) => number): number => Math.max(...haunted.map(of));
  const sum = (of: (ghost: Ghosts["haunted"][number]) => number): number =>
    haunted.reduce((total, ghost) => total + of(ghost), 0);
  const aborted = sum((ghost) => ghost.aborted);
  remark(`${sum((ghost) => ghost.held)} runs taken from ${haunted.length} workers`);
  frame.tell(
    [
      `${harbour.name}: at a lease of ${haunting.leaseMs} ms, taken over within ${worst((one) => one.takenMs)} ms`,
      `going on within ${worst((one) => one.resumedMs)} ms`,
      `${sum((one) => one.refused)} late values refused, ${aborted} steps aborted`,
      ...(aborted === 0 ? [] : [`the last after ${worst((one) => one.abortedMs)} ms`]),
    ].join("; "),
  );
  return violations;
}

async function skew(scene: Scene): Promise<readonly string[]> {
  const { frame, harbour, dice } = scene;
  const verdict = await skewClocks(harbour, { dice, lanes: 32, ms: frame.whole("seconds", 1) * 1_000 });
  return toldOf(scene, verdict, "clocks right, an hour ahead, an hour behind, and jumping by two");
}

async function exhaust(scene: Scene): Promise<readonly string[]> {
  const { frame, harbour, dice, workers } = scene;
  const verdict = await exhaustConnections(harbour, {
    dice,
    workers,
    lanes: 32,
    ms: frame.whole("seconds", 1) * 1_000,
  });
  return toldOf(scene, verdict, `all ${FEW_CONNECTIONS} connections taken`);
}

async function pool(scene: Scene): Promise<readonly string[]> {
  const { frame, harbour, dice, workers } = scene;
  const pooler = await startPooler(harbour.store, POOLED_CONNECTIONS);
  try {
    const crowding = { dice, workers, lanes: 32, ms: frame.whole("seconds", 1) * 1_000 };
    const verdict = await workThroughPooler(harbour, pooler, crowding);
    return toldOf(scene, verdict, `pgbouncer with ${POOLED_CONNECTIONS} connections, killed now and then`);
  } finally {
    await pooler.stop();
  }
}

async function deploy({ frame, harbour, dice, workers, remark }: Scene): Promise<readonly string[]> {
  const { violations, runs, handedOver, gapMs } = await deployRolling(harbour, { dice, workers, lanes: 32 });
  remark(`${handedOver} runs handed over`);
  frame.tell(`rolling deploy of ${workers} workers: ${runs} runs, ${handedOver} handed over, longest gap ${gapMs} ms`);
  const faults = [...violations];
  if (handedOver === 0) faults.push("no run was handed over");
  if (gapMs > BEAT_MS_MAX) faults.push(`nothing was done for ${gapMs} ms`);
  return faults;
}

function toldOf({ frame, harbour, remark }: Scene, { violations, evidence }: Verdict, what: string): readonly string[] {
  const steps = evidence.witness.filter((event) => event.kind === "end").length;
  remark(`${evidence.stories.length} runs`);
  frame.tell(`${harbour.name}: ${what}; ${evidence.stories.length} runs, ${steps} executions of steps`);
  return violations;
}
