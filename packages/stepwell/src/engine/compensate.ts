/**
 * Compensation: undoing completed steps of a run that failed or was cancelled.
 *
 * Its beginning is durable: the run is `compensating`, with the outcome that follows,
 * before the first closure runs. Each undoing is a durable step of its own, in reverse
 * order of completion. After a crash the body is replayed only to collect closures.
 */
import { StepwellError } from "../model/errors.ts";
import { failureText, parseFailure, toFailure } from "../model/failure.ts";
import { UNDOING } from "../model/reopening.ts";
import type { Checkpoint } from "../model/step.ts";
import type { Outcome } from "../model/transition.ts";
import { newCallConfig } from "./chain.ts";
import { openContext } from "./context.ts";
import type { Deps } from "./deps.ts";
import { type Compensation, type Execution, runName, takeInput } from "./execution.ts";
import { beginCall, performStep } from "./steps.ts";

/**
 * How long a replayed body that awaits something raw may take to reach its next call before its closures count as
 * missing.
 */
const COLLECT_MS = 30_000;

/**
 * Undo all that has been collected, newest first. Undoing that is exhausted ends the run as failed:
 * COMPENSATION_FAILED.
 */
export function compensate(deps: Deps, exec: Execution): Promise<Outcome> {
  return new Promise((resolve) => {
    exec.stop = resolve;
    void undoAll(deps, exec).then(resolve);
  });
}

/**
 * After a crash: collect the closures again, then go on. A closure that the code no longer gives sets the run aside.
 */
export async function resumeCompensation(deps: Deps, exec: Execution): Promise<Outcome> {
  exec.run = { ...exec.run, error: originalError(exec.run.error) };
  const missing = await collect(deps, exec);
  exec.closed = true;
  exec.collecting = false;
  exec.open.clear();
  if (missing.length === 0) return compensate(deps, exec);
  const what = `the code no longer compensates ${missing.map((key) => `"${key}"`).join(", ")} of ${runName(exec)}.`;
  const failure = toFailure(new StepwellError("COMPENSATION_MISSING", what));
  return { kind: "stuck", error: failureText({ ...failure, details: { original: storedError(exec) } }) };
}

/** Of a run that was set aside for want of a closure: the error that it had begun to compensate for. */
function originalError(error: string | null): string | null {
  const failure = error === null ? null : parseFailure(error);
  if (failure?.code !== "COMPENSATION_MISSING") return error;
  return JSON.stringify((failure.details as { readonly original: unknown }).original);
}

/** Why the run compensates, without its stack. */
function storedError(exec: Execution): unknown {
  if (exec.run.error === null) return null;
  const { stack: _stack, ...original } = parseFailure(exec.run.error);
  return original;
}

/** Keys of recorded, compensable and not yet undone steps that the body has not asked for again. */
export function uncollected(exec: Execution): readonly string[] {
  if (exec.recorded.size === 0) return [];
  return [...exec.recorded.values()]
    .filter(({ key, compensable }) => compensable && !isUndone(exec.recorded.get(UNDOING + key)))
    .map(({ key }) => key);
}

function isUndone(checkpoint: Checkpoint | undefined): boolean {
  return checkpoint?.outcome === "completed" || checkpoint?.outcome === "resolved";
}

/** One that cannot be undone is no reason to leave the others standing: all are tried before the failure is told. */
async function undoAll(deps: Deps, exec: Execution): Promise<Outcome> {
  const newestFirst = [...exec.compensations.values()].sort((a, b) => b.seq - a.seq);
  const failed: { readonly key: string; readonly error: unknown }[] = [];
  for (const compensation of newestFirst) {
    try {
      await undo(deps, exec, compensation);
    } catch (error) {
      failed.push({ key: compensation.key, error });
    }
  }
  return failed.length === 0
    ? { kind: "compensated" }
    : { kind: "compensation_failed", error: exhausted(exec, failed) };
}

function undo(deps: Deps, exec: Execution, compensation: Compensation): Promise<unknown> {
  const key = UNDOING + compensation.key;
  const config = newCallConfig(`compensation of "${compensation.key}"`, compensation.retry, null);
  const perform = performStep(async (step) => void (await compensation.undo(step)));
  return new Promise((resolve, reject) => {
    beginCall(deps, { exec, key, kind: "compensation", config, perform, resolve, reject, promise: null });
  });
}

/** @returns keys of completed, compensable steps whose closures did not turn up */
function collect(deps: Deps, exec: Execution): Promise<readonly string[]> {
  const needed = uncollected(exec);
  return new Promise((resolve) => {
    const look = (last: boolean): void => {
      const missing = needed.filter((key) => !exec.compensations.has(key));
      if (missing.length > 0 && !last) return;
      exec.onQuiet = null;
      cancelTimer();
      resolve(missing);
    };
    const cancelTimer = deps.host.timer(COLLECT_MS, () => look(true));
    exec.onQuiet = () => look(false);
    exec.collecting = true;
    void replayBody(deps, exec).then(() => deps.host.defer(() => look(true)));
    deps.host.defer(() => look(false));
  });
}

/** Run the body for what it asks; how it ends is known already. */
export async function replayBody(deps: Deps, exec: Execution): Promise<void> {
  const ctx = openContext(deps, exec);
  try {
    const place = { kind: "body", name: runName(exec) } as const;
    await deps.host.inside(place, () => exec.workflow.body(ctx, takeInput(exec) as never));
  } catch {
    // The body fails as it did before; its outcome is stored already.
  }
}

function exhausted(exec: Execution, failed: readonly { readonly key: string; readonly error: unknown }[]): string {
  const steps = failed.map(({ key }) => key);
  const what = `undoing ${steps.map((key) => `"${key}"`).join(", ")} of ${runName(exec)} failed for good.`;
  const failure = toFailure(new StepwellError("COMPENSATION_FAILED", what, { cause: failed[0]?.error }));
  return failureText({ ...failure, details: { steps, ending: exec.run.ending, original: storedError(exec) } });
}
