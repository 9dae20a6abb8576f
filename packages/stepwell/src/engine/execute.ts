/**
 * 3 of 4 · submit ▸ worker ▸ execute ▸ steps
 *
 * Executing a claimed run: run the body, settle what is still under way, decide,
 * record. The promise of one execution spans its parks; it never settles when the
 * execution is lost.
 */
import { encode } from "../model/json.ts";
import { failureText, toFailure } from "../model/failure.ts";
import type { InboxItem } from "../model/inbox.ts";
import { StepwellError } from "../model/errors.ts";
import { decide, type Outcome, toEnding, type Transition } from "../model/transition.ts";
import type { WriteResult } from "../store/write.ts";
import { syncAttributes } from "./attributes.ts";
import { findChildren } from "./bereave.ts";
import { abandonApprovals } from "./approve.ts";
import { cancelChildren } from "./children.ts";
import { compensate, resumeCompensation, uncollected } from "./compensate.ts";
import { openContext } from "./context.ts";
import { expireIfDue } from "./deadline.ts";
import type { Deps } from "./deps.ts";
import { abortSteps, type Execution, isBusy, runName, takeInput } from "./execution.ts";
import { findPause, tellRequests } from "./hold.ts";
import { cancelRun } from "./inbox.ts";
import { saveNote, saveTransition } from "./record.ts";

/**
 * Carry a claimed run to its end, or until it is given back.
 *
 * @param again executes the run afresh under the same claim, when it has to compensate steps that its body had not
 *   asked for again, so that their closures are missing
 */
export async function executeRun(deps: Deps, exec: Execution, again: () => Promise<void>): Promise<void> {
  if (exec.inbox.length > 0 && !exec.holding) tellRequests(deps, exec, null);
  const outcome = await (exec.run.ending === null ? runBody(deps, exec) : resumeCompensation(deps, exec));
  const transition = await finish(deps, exec, outcome);
  if (transition.kind !== "compensate") return;
  if (uncollected(exec).length > 0) return again();
  await finish(deps, exec, await compensate(deps, exec));
}

/** The body's return or throw, or what stopped it: a cancel, a drain, a divergence. Whichever comes first. */
function runBody(deps: Deps, exec: Execution): Promise<Outcome> {
  return new Promise((resolve) => {
    exec.stop = (outcome) => {
      exec.stop = () => {};
      void findChildren(deps, exec).then(() => resolve(outcome));
    };
    cancelRun(exec);
    if (exec.cancel !== null || expireIfDue(deps, exec)) return;
    if (exec.holding) return resolve({ kind: "held", inboxSeen: exec.inboxSeen });
    exec.stop = resolve;
    void followBody(deps, exec, resolve);
  });
}

async function followBody(deps: Deps, exec: Execution, ended: (outcome: Outcome) => void): Promise<void> {
  try {
    const ctx = openContext(deps, exec);
    const place = { kind: "body", name: runName(exec) } as const;
    const output = await deps.host.inside(place, () => exec.workflow.body(ctx, takeInput(exec) as never));
    ended({ kind: "returned", output: encode(output, deps.settings.limits).text });
  } catch (thrown) {
    ended({ kind: "threw", error: failureText(toFailure(thrown)) });
  }
}

/** Settle what is under way, decide, record, tell. */
async function finish(deps: Deps, exec: Execution, outcome: Outcome): Promise<Transition> {
  exec.closed = true;
  if (outcome.kind === "returned" || outcome.kind === "threw") exec.bodyEnded = true;
  exec.finishing = true;
  if (exec.attributes !== null && exec.bodyEnded) syncAttributes(deps, exec);
  if (exec.open.size > 0 || exec.held.length > 0 || isBusy(exec)) await settleFloating(deps, exec, outcome);
  if (exec.approvals.size > 0 && !isGivenBack(outcome)) {
    abandonApprovals(deps, exec);
    await quiet(deps, exec, null);
  }
  const standing = {
    compensable: exec.run.ending === null ? exec.compensations.size + uncollected(exec).length : 0,
    ending: exec.run.ending,
    error: exec.run.error,
    deadlineAtMs: exec.run.deadlineAtMs,
  };
  const transition = decide(standing, outcome);
  const cause = tellCause(deps, exec, outcome, transition);
  const { seq } = exec;
  const result = await saveTransition(deps, exec, transition, cause);
  if (result.kind === "unseen") {
    // Somebody has asked for something else meanwhile: whoever takes the run next sees it.
    exec.seq = seq;
    return finish(deps, exec, { kind: "drained" });
  }
  applied(deps, exec, transition, result);
  return transition;
}

/** The request that caused the outcome; those that it makes pointless become lines of the history. */
function tellCause(deps: Deps, exec: Execution, outcome: Outcome, transition: Transition): InboxItem | null {
  const cause = outcome.kind === "cancelled" ? exec.cancel : outcome.kind === "held" ? findPause(exec) : null;
  if (exec.inbox.length > 0 && (cause !== null || toEnding(transition) !== null)) tellRequests(deps, exec, cause);
  return cause;
}

function applied(deps: Deps, exec: Execution, transition: Transition, result: WriteResult): void {
  exec.finishing = false;
  if (transition.kind === "compensate") {
    const { ending, error } = transition;
    exec.run = { ...exec.run, state: "compensating", ending, error };
    return;
  }
  exec.phase = "over";
  exec.cancelTimer?.();
  exec.leave(exec, "over");
  if (result.kind === "posted") deps.worker.receive(result);
  const ending = toEnding(transition);
  if (ending !== null) return deps.watchers.tellEnded(exec.run.rowId, ending);
  deps.watchers.tellLeft(exec.run.rowId);
  if (transition.kind === "release") deps.worker.nudge();
}

/**
 * The body has ended, but steps of it are still under way: nobody awaited them, or a sibling failed first. They are
 * asked to stop, given a grace time, recorded, and reported; their waits are dropped. Step code that is still running
 * after the grace time is given up. What was submitted to the store is waited for: it may have to be compensated.
 * A run that is only given back or set aside goes on later: its children live, and its steps leave no outcome.
 */
async function settleFloating(deps: Deps, exec: Execution, outcome: Outcome): Promise<void> {
  exec.waits.clear();
  const goesOn = isGivenBack(outcome);
  if (!goesOn) cancelChildren(deps, exec);
  const floating = [...exec.open.keys(), ...exec.held.splice(0).map(({ call }) => call.key)];
  const cause = goesOn ? "lost" : outcome.kind === "cancelled" || outcome.kind === "expired" ? "cancelled" : "floating";
  abortSteps(exec, cause, new StepwellError("STEP_FLOATING", `the body of ${runName(exec)} has ended.`));
  await quiet(deps, exec, deps.settings.graceMs);
  // One whose beginning was being stored has joined them since.
  exec.waits.clear();
  exec.open.clear();
  exec.abandoned.push(...exec.stepping);
  exec.stepping.clear();
  await quiet(deps, exec, null);
  if (outcome.kind === "returned" || outcome.kind === "threw") {
    for (const key of floating) saveNote(deps, exec, { note: "floating", value: encode({ key }).text });
  }
}

/** The run goes on later: its waits do, too. */
function isGivenBack({ kind }: Outcome): boolean {
  return kind === "drained" || kind === "stuck" || kind === "held";
}

/** Resolves when nothing is under way, or after `graceMs`; null: however long it takes. */
function quiet(deps: Deps, exec: Execution, graceMs: number | null): Promise<void> {
  if (!isBusy(exec)) return Promise.resolve();
  return new Promise((resolve) => {
    const cancelTimer = graceMs === null ? null : deps.host.timer(graceMs, done);
    exec.onQuiet = done;
    function done(): void {
      exec.onQuiet = null;
      cancelTimer?.();
      resolve();
    }
  });
}
