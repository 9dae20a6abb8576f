/**
 * Reopening: what a run that failed or was cancelled forgets when an operator lets it go on, and what it keeps.
 *
 * A retry opens the run's next generation. It keeps every checkpoint but these, whose steps are performed again:
 *
 *   R1. The step whose failure ended the run: the one whose error, or one of its causes, is the run's. Where the body threw
 *       an error of its own making, it is the last step, if that failed. With `from`: that step and all that came later.
 *   R2. Steps that were interrupted when the run ended. What lost a race has lost it, unless the race is forgotten.
 *   R3. Steps that were undone, with their undoing. They are other steps from now on: with other idempotency keys.
 *   R4. Of a run whose undoing failed nothing else is forgotten: it goes on undoing, and then ends as it was to.
 *
 * A failure that the body caught and went on from stays, and so the way that the body took.
 */
import { StepwellError } from "./errors.ts";
import { type Failure, failureText, parseFailure } from "./failure.ts";
import type { Run } from "./run.ts";
import type { Checkpoint } from "./step.ts";

/** What the key of an undoing begins with; the key of its step follows. */
export const UNDOING = "@compensate/";

/** How a run goes on. */
export type Reopening = {
  /** Keys whose checkpoints stay behind, in the order in which they were stored. */
  readonly forgotten: readonly string[];
  /** R4; null: the body goes on. */
  readonly undoing: { readonly ending: "failed" | "cancelled"; readonly error: string } | null;
};

/** What is asked for. `from`, `resolve`: the key of a step. */
export type Wish = { readonly from?: string; readonly resolve?: string };

/**
 * Find out what an ended run forgets.
 *
 * @param checkpoints all of the present generation, by `seq`
 * @throws StepwellError STEP_NOT_FOUND when it has no step `from`, STEP_NOT_FAILED when `resolve` is none of those that
 *   would be performed again
 */
export function planReopening(
  run: Pick<Run, "error" | "id">,
  checkpoints: readonly Checkpoint[],
  wish: Wish = {},
): Reopening {
  const failure = run.error === null ? null : parseFailure(run.error);
  const undoing = failure?.code === "COMPENSATION_FAILED" ? toUndoing(failure) : null;
  const forgotten = new Set<string>();
  if (undoing !== null) forgetFailedUndoings(forgotten, checkpoints);
  else {
    forgetInterrupted(forgotten, checkpoints);
    forgetUndone(forgotten, checkpoints);
    if (wish.from === undefined) forgetFailed(forgotten, checkpoints, failure);
    else forgetFrom(forgotten, checkpoints, { key: wish.from, run });
    forgetRaces(forgotten, checkpoints);
    forgetDecisions(forgotten, checkpoints);
  }
  if (wish.resolve !== undefined) checkFailed(forgotten, checkpoints, { key: wish.resolve, run });
  return { forgotten: checkpoints.flatMap(({ key }) => (forgotten.has(key) ? [key] : [])), undoing };
}

/**
 * What a fork of the run performs again: as a retry, but it never goes on undoing.
 *
 * @param from key of the first step that is performed again; left out: of a run that failed, as a retry would
 * @returns keys, in the order in which they were stored
 * @throws StepwellError STEP_NOT_FOUND
 */
export function planFork(
  run: Pick<Run, "error" | "id">,
  checkpoints: readonly Checkpoint[],
  from: string | undefined,
): readonly string[] {
  const plan = planReopening(run, checkpoints);
  const wish = from === undefined ? {} : { from };
  return planReopening(plan.undoing === null ? run : { ...run, error: plan.undoing.error }, checkpoints, wish)
    .forgotten;
}

/**
 * Of a run that is paused, because nobody knows whether an attempt of a step took effect: it forgets nothing, and the step is
 * performed again unless it is resolved.
 *
 * @throws StepwellError OPTION_INVALID with `from`, STEP_NOT_FAILED when `resolve` is another step
 */
export function planUncertain(run: Pick<Run, "error" | "id">, wish: Wish): Reopening {
  const { details } = parseFailure(run.error!);
  const { step } = details as UncertainDetails;
  if (wish.from !== undefined) {
    const what = `run "${run.id}" is paused: retry it without \`from\`.`;
    throw new StepwellError("OPTION_INVALID", what);
  }
  if (wish.resolve === undefined || wish.resolve === step) return { forgotten: [], undoing: null };
  const what = `"${wish.resolve}" is not the step that run "${run.id}" asks about, which is "${step}".`;
  throw new StepwellError("STEP_NOT_FAILED", what, { details: { step: wish.resolve, failed: [step] } });
}

/** Whether a run is paused because of such a step. */
export function isUncertain({ state, onHold, error }: Pick<Run, "state" | "onHold" | "error">): boolean {
  return state === "paused" && !onHold && error !== null && parseFailure(error).code === "STEP_UNCERTAIN";
}

/** The attempt that nobody knows about. */
export type UncertainDetails = { readonly step: string; readonly attempt: number };

/** The key of the step that an undoing undoes; of any other step its own. */
export function undoneKey(key: string): string {
  return key.startsWith(UNDOING) ? key.slice(UNDOING.length) : key;
}

/** An undoing that completed, by its own key, and the last generation in which it did. */
export type UndoneStep = { readonly key: string; readonly generation: number };

/** What was undone, by the keys of the steps; null: nothing. */
export type Undone = ReadonlyMap<string, number> | null;

/** Of a list, as a store gives it. */
export function toUndone(list: readonly UndoneStep[]): Undone {
  return list.length === 0 ? null : new Map(list.map(({ key, generation }) => [undoneKey(key), generation]));
}

/** R3: the key under which the outside world knows a step, or its undoing. */
export function keyOutside(undone: Undone, key: string): string {
  const generation = undone?.get(undoneKey(key));
  return generation === undefined ? key : `${key}:@${generation + 1}`;
}

/** R4. What the run failed with before its undoing did stands in the details, see compensate.ts. */
function toUndoing(failure: Failure): Reopening["undoing"] {
  const { original, ending } = (failure.details ?? {}) as Partial<CompensationDetails>;
  return { ending: ending ?? "failed", error: failureText(original ?? failure) };
}

type CompensationDetails = { readonly original: Failure | null; readonly ending: "failed" | "cancelled" };

function forgetFailedUndoings(forgotten: Set<string>, checkpoints: readonly Checkpoint[]): void {
  for (const { key, kind, outcome } of checkpoints) {
    if (kind === "compensation" && !isDone(outcome)) forgotten.add(key);
  }
}

/** R2 */
function forgetInterrupted(forgotten: Set<string>, checkpoints: readonly Checkpoint[]): void {
  for (const checkpoint of checkpoints) {
    if (checkpoint.outcome === "cancelled" && lostRace(checkpoint) === null) forgotten.add(checkpoint.key);
  }
}

/** R3 */
function forgetUndone(forgotten: Set<string>, checkpoints: readonly Checkpoint[]): void {
  for (const { key, kind } of checkpoints) {
    if (kind === "compensation") forgotten.add(key).add(undoneKey(key));
  }
}

/** R1 */
function forgetFailed(forgotten: Set<string>, checkpoints: readonly Checkpoint[], failure: Failure | null): void {
  const failed = checkpoints.filter(({ outcome, kind }) => outcome === "failed" && kind !== "compensation");
  for (let error: Failure | undefined = failure ?? undefined; error !== undefined; error = error.cause) {
    const wanted = error;
    const found = failed.filter(({ value }) => isSame(parseFailure(value), wanted));
    for (const { key } of found) forgotten.add(key);
    if (found.length > 0) return;
  }
  const last = checkpoints.findLast(({ key, kind }) => kind !== "compensation" && !forgotten.has(key));
  if (last?.outcome === "failed") forgotten.add(last.key);
}

type Named = { readonly key: string; readonly run: Pick<Run, "id"> };

function forgetFrom(forgotten: Set<string>, checkpoints: readonly Checkpoint[], { key, run }: Named): void {
  const first = checkpoints.find((checkpoint) => checkpoint.key === key);
  if (first === undefined) {
    const keys = checkpoints.filter(({ kind }) => kind !== "compensation").map((checkpoint) => checkpoint.key);
    const what = `run "${run.id}" has no recorded step "${key}".`;
    throw new StepwellError("STEP_NOT_FOUND", what, { details: { step: key, steps: keys } });
  }
  for (const checkpoint of checkpoints) if (checkpoint.seq >= first.seq) forgotten.add(checkpoint.key);
}

/** R2: who lost a race that is run again takes part in it again. A race may have lost another. */
function forgetRaces(forgotten: Set<string>, checkpoints: readonly Checkpoint[]): void {
  const losers = checkpoints.flatMap((checkpoint) => {
    const race = lostRace(checkpoint);
    return race === null ? [] : [{ key: checkpoint.key, race }];
  });
  for (let before = -1; before !== forgotten.size;) {
    before = forgotten.size;
    for (const { key, race } of losers) if (forgotten.has(race)) forgotten.add(key);
  }
}

/** People are asked anew where an approval is: what they said to the last one goes with it. */
function forgetDecisions(forgotten: Set<string>, checkpoints: readonly Checkpoint[]): void {
  for (const checkpoint of checkpoints) if (forgotten.has(approvalOf(checkpoint) ?? "")) forgotten.add(checkpoint.key);
}

/** The key of the approval that a decision or an escalation is part of, see approval.ts; null: it is none. */
function approvalOf({ key, kind }: Checkpoint): string | null {
  if (kind !== "decision" && kind !== "escalation") return null;
  return key.slice(key.indexOf("/") + 1, key.lastIndexOf("/"));
}

function checkFailed(forgotten: Set<string>, checkpoints: readonly Checkpoint[], { key, run }: Named): void {
  const failed = checkpoints.filter((one) => forgotten.has(one.key) && !isDone(one.outcome)).map((one) => one.key);
  if (failed.includes(key)) return;
  const which = failed.length === 0 ? "none" : failed.map((one) => `"${one}"`).join(", ");
  const what = `"${key}" is no failed step of run "${run.id}"; those that failed are: ${which}.`;
  throw new StepwellError("STEP_NOT_FAILED", what, { details: { step: key, failed } });
}

/** The key of the race that a call lost; null: it ended otherwise. */
function lostRace({ outcome, value }: Checkpoint): string | null {
  if (outcome !== "cancelled") return null;
  const { code, details } = parseFailure(value);
  return code === "RACE_LOST" ? (details as { readonly race: string }).race : null;
}

function isDone(outcome: Checkpoint["outcome"]): boolean {
  return outcome !== "failed" && outcome !== "cancelled";
}

function isSame(a: Failure, b: Failure): boolean {
  return a.name === b.name && a.message === b.message && a.code === b.code;
}
