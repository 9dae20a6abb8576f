/**
 * Kill: run a workflow once undisturbed, then once for every moment at which its process
 * can die, killed at that moment. Whatever happens, the runs must end the same, their steps
 * must have given the same, and the services must have done the same, as often.
 *
 * The moments are: right before and right after everything that is stored (so that of each
 * step the code has run and its checkpoint is lost, or kept), and after each effect of a fake service.
 */
import type { RunHandle } from "../../engine/handle.ts";
import type { Workflow } from "../../engine/workflow.ts";
import { StepwellError } from "../../model/errors.ts";
import { checkKeys } from "../../model/options.ts";
import type { FinishOptions } from "./finish.ts";
import { tellPoint } from "./kill-point.ts";
import { refusal } from "./refusal.ts";
import type { AnyFake } from "./service.ts";
import { openKillable, parseMoment, START_MS, type TestEngineOptions } from "./test-engine.ts";
import { showValue, timelineOf } from "./timeline.ts";
import { type Difference, differences, findUnstable, readWitness, type Unstable, type Witness } from "./witness.ts";

/** What is run again and again. Made afresh each time, so that nothing of one trial is left in the next. */
export type Trial<Raw = unknown, Output = unknown> = {
  readonly workflow: Workflow<Raw, Output>;
  readonly input?: Raw;
  /** Further workflows, such as children. */
  readonly workflows?: readonly Workflow[];
  /** Fakes whose effects are compared. */
  readonly services?: readonly AnyFake[];
  /** Answers waits for signals, see `finish`. */
  readonly onWait?: NonNullable<FinishOptions["onWait"]>;
};

/** Options of {@link killAfterEveryStep}. */
export type KillOptions = {
  readonly engine?: Omit<TestEngineOptions, "workflows">;
  /** How much virtual time one trial may take, see `finish`. */
  readonly within?: FinishOptions["within"];
  /** Moments tried at most; of more, as many are tried, evenly spread. Default 500. */
  readonly pointsMax?: number;
};

/** What was tried. */
export type KillReport = {
  /** All moments at which the process could be killed, in words and in order. */
  readonly points: readonly string[];
  /** Those at which it was. */
  readonly killed: readonly string[];
  /** What was not compared, because two undisturbed runs differ in it: values from dice and from clocks. */
  readonly unstable: readonly string[];
};

/** Failures shown in full. */
const SHOWN_MAX = 3;

/**
 * Run a workflow once undisturbed, then once for every moment at which its process can die, killed at that moment, and
 * compare: how the runs ended, what their steps gave, what the services did and how often.
 *
 * @param setup makes the workflow and the fakes that it calls, afresh
 * @throws AssertionError naming the moments at which a crash makes a difference, and the difference
 */
export async function killAfterEveryStep<Raw, Output>(
  setup: () => Trial<Raw, Output> | Promise<Trial<Raw, Output>>,
  options: KillOptions = {},
): Promise<KillReport> {
  checkKeys("options of killAfterEveryStep", options, ["engine", "within", "pointsMax"]);
  const undisturbed = await play(setup, options, null);
  const unstable = findUnstable(undisturbed.witness, (await play(setup, later(options), null)).witness);
  const failures: Failure[] = [];
  const killed: string[] = [];
  for (const at of choose(undisturbed.points.length, options.pointsMax ?? 500)) {
    const failure = await tryPoint(setup, options, { at, point: undisturbed.points[at - 1]!, undisturbed, unstable });
    if (failure === "missed") continue;
    killed.push(undisturbed.points[at - 1]!);
    if (failure !== null) failures.push(failure);
  }
  if (failures.length > 0) throw disagreement(failures, killed.length);
  return { points: undisturbed.points, killed, unstable: [...unstable] };
}

/** By how much the second undisturbed run begins later, so that what depends on the clock shows. */
const LATER_MS = 1_234_567;

/** A crash may cost time, or save it: the delay of an attempt whose failure was forgotten. */
function later(options: KillOptions): KillOptions {
  const now = parseMoment(options.engine?.now ?? START_MS, "now") + LATER_MS;
  return { ...options, engine: { ...options.engine, now } };
}

type Setup = () => Trial<never> | Promise<Trial<never>>;
type Played = { readonly points: readonly string[]; readonly witness: Witness; readonly timeline: string };
type Failure = { readonly point: string; readonly differences: readonly Difference[]; readonly told: string };

/** @param killAt 1-based number of the moment; null: undisturbed */
async function play(setup: unknown, options: KillOptions, killAt: number | null): Promise<Played> {
  const trial = await (setup as Setup)();
  const points: string[] = [];
  let over = false;
  const workflows = [trial.workflow, ...(trial.workflows ?? [])];
  const t = await openKillable({ ...options.engine, workflows }, (point) => {
    if (!over) points.push(tellPoint(point));
    return !over && points.length === killAt;
  });
  try {
    const run: RunHandle = await t.start(trial.workflow as Workflow<unknown>, trial.input, { id: "run" });
    const { within } = options;
    await t.finish(run, { ...(within !== undefined && { within }), ...(trial.onWait && { onWait: trial.onWait }) });
    over = true;
    return { points, witness: await readWitness(t, trial.services ?? []), timeline: await timelineOf(run) };
  } finally {
    over = true;
    await t.close();
  }
}

type Attempted = {
  readonly at: number;
  readonly point: string;
  readonly undisturbed: Played;
  readonly unstable: Unstable;
};

/** `missed`: the trial never came to that moment, because its timing is not the same each time. */
async function tryPoint(
  setup: unknown,
  options: KillOptions,
  { at, point, undisturbed, unstable }: Attempted,
): Promise<Failure | "missed" | null> {
  try {
    const { points, witness, timeline } = await play(setup, options, at);
    if (points.length < at) return "missed";
    const found = differences(undisturbed.witness, witness, unstable);
    return found.length === 0 ? null : { point, differences: found, told: timeline };
  } catch (error) {
    return { point, differences: [], told: error instanceof Error ? error.message : String(error) };
  }
}

/** Which of `count` moments are tried, 1-based: all, or the first, the last and evenly between. */
function choose(count: number, max: number): readonly number[] {
  if (!(Number.isSafeInteger(max) && max >= 2)) {
    throw new StepwellError("OPTION_INVALID", `pointsMax must be a whole number from 2 up, got ${String(max)}.`);
  }
  if (count <= max) return Array.from({ length: count }, (_point, index) => index + 1);
  return Array.from({ length: max }, (_point, index) => 1 + Math.round((index * (count - 1)) / (max - 1)));
}

function disagreement(failures: readonly Failure[], tried: number): Error {
  const shown = failures.slice(0, SHOWN_MAX).map(tellFailure);
  const others = failures.slice(SHOWN_MAX).map(({ point }) => `  ${point}`);
  const [first] = failures.flatMap((failure) => failure.differences);
  return refusal(
    [
      `a crash makes a difference at ${failures.length} of ${tried} moments.`,
      ...shown,
      ...(others.length === 0 ? [] : [`and it makes one when killed\n${others.join("\n")}`]),
      ...advice(failures),
    ].join("\n\n"),
    first === undefined ? null : { actual: first.actual, expected: first.expected },
  );
}

function tellFailure({ point, differences: found, told }: Failure): string {
  const lines = found.map(
    ({ fact, expected, actual }) =>
      `  ${fact}\n    undisturbed: ${shownFact(expected)}\n    killed:      ${shownFact(actual)}`,
  );
  return [`killed ${point}:`, ...lines, indent(told)].join("\n");
}

function shownFact(value: unknown): string {
  if (value === undefined) return "is not there";
  return typeof value === "string" ? value : showValue(value);
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, "  ");
}

/** For what goes wrong most often. */
function advice(failures: readonly Failure[]): readonly string[] {
  const repeated = failures
    .flatMap((failure) => failure.differences)
    .some(({ fact, actual }) => fact.startsWith("effect of ") && /\d times$/.test(String(actual)));
  if (!repeated) return [];
  return [
    "A step runs again when its process dies before its checkpoint is stored. Pass `s.idempotencyKey` on to a service " +
      "that honours such keys (and tell its fake, with .honoursKeys()), let the step look before it acts, or, where a " +
      "repetition is harmless, tell the fake with .repeatable().",
  ];
}
