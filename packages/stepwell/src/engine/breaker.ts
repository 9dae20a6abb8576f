/**
 * Breaker: an attempt that goes through a circuit breaker asks the store first, and tells it how it ended. Rules R1 to
 * R4 are in model/breaker.ts.
 *
 * A step that is refused waits as for a retry: nothing is stored for it but, where its run parks, the moment of its next
 * look. A probe hangs on the run's claim, so nothing has to be cleaned up after a crash.
 */
import {
  admit,
  type Admission,
  type Breaker,
  type BreakerPolicy,
  breakerState,
  lookInMs,
  type Pass,
  report,
  type Verdict,
} from "../model/breaker.ts";
import { StepwellError } from "../model/errors.ts";
import { toFailure } from "../model/failure.ts";
import { encode } from "../model/json.ts";
import type { Owner } from "../model/run.ts";
import type { AttemptEnd } from "./attempt.ts";
import { quieten } from "./delivery.ts";
import type { Deps } from "./deps.ts";
import { added, countAnswer, type Execution, isGone, loseExecution, observeClock, type OpenCall } from "./execution.ts";
import { leaseLost, saveNote } from "./record.ts";

/** An attempt that goes through a breaker. */
export type GuardedAttempt = {
  readonly call: OpenCall;
  readonly policy: BreakerPolicy;
  readonly attempt: number;
  /** Makes it; null: nobody waits for it any longer. */
  readonly make: () => Promise<AttemptEnd | null>;
};

/** Make the attempt as soon as the breaker admits it. Null: it was not made, and need not be. */
export async function throughBreaker(deps: Deps, guarded: GuardedAttempt): Promise<AttemptEnd | null> {
  const pass = await seekPass(deps, guarded);
  if (pass === null || "kind" in pass) return pass;
  const { owner } = guarded.call.exec;
  const end = await guarded.make();
  await tell(deps, guarded, { pass, owner }, end === null ? "nothing" : verdictOf(end));
  return end;
}

/** What the breaker is told. Step code that was stopped, or that never got an input that fits, has called nobody. */
function verdictOf(end: AttemptEnd): Verdict {
  if (end.kind === "value") return "success";
  if (end.abortedFor !== null && end.abortedFor !== "timeout") return "nothing";
  if (end.failure.code === "INPUT_INVALID") return "nothing";
  return end.failure.retryable ? "failure" : "success";
}

/** @returns what admits the attempt; how it ended, as nobody may be called; null: nobody waits for it any longer */
async function seekPass(deps: Deps, guarded: GuardedAttempt): Promise<Pass | AttemptEnd | null> {
  const { call, policy } = guarded;
  for (;;) {
    const admission = await ask(deps, guarded);
    if (admission === null) return null;
    if (admission.kind === "admitted") return admission.pass;
    const inMs = lookInMs(admission.probeInMs, policy.resetMs, deps.host.random());
    if (policy.open === "fail") return refusal(policy, inMs);
    await lookIsDue(deps, call, policy.name, inMs);
  }
}

/** Ask until the answer is known, and what it says is stored. Null: the run is not held any longer. */
function ask(deps: Deps, { call, policy, attempt }: GuardedAttempt): Promise<Admission | null> {
  const { exec, key } = call;
  const { owner } = exec;
  const probe = { mark: `${owner.rowId}/${owner.fence}/${key}/${attempt}`, owner };
  return insist(deps, exec, async () => {
    const look = await deps.store.findBreaker(policy.name, owner, null);
    if (isGone(exec)) return null;
    observeClock(deps.host, exec, look.nowMs);
    if (!look.held) {
      loseExecution(exec, leaseLost(exec));
      return null;
    }
    const admission = admit(look, policy.name, probe);
    if (admission.kind === "refused" || admission.row === null) return admission;
    return (await deps.store.saveBreaker(admission.row, owner)) ? admission : "again";
  });
}

/** An attempt that was admitted, and under which claim. */
type Admitted = { readonly pass: Pass; readonly owner: Owner };

/** Once that claim is given up or lost nothing is told: the probe is free (R2), and the attempt may be made again. */
async function tell(
  deps: Deps,
  { call, policy }: GuardedAttempt,
  { pass, owner }: Admitted,
  verdict: Verdict,
): Promise<void> {
  const { exec } = call;
  const changed = await insist(deps, exec, async () => {
    if (isGone(exec)) return null;
    const look = await deps.store.findBreaker(policy.name, owner, null);
    const after = look.held ? report(look, pass, verdict, policy) : null;
    if (after === null) return null;
    const before = look.breaker!;
    return (await deps.store.saveBreaker(after, owner)) ? { before, after, nowMs: look.nowMs } : "again";
  });
  if (changed !== null && changed.before.epoch !== changed.after.epoch) note(deps, exec, changed.after, changed.nowMs);
}

/** The run whose attempt opened or closed it has that in its history. */
function note(deps: Deps, exec: Execution, breaker: Breaker, nowMs: number): void {
  if (exec.phase !== "running" || exec.finishing) return;
  const { name, failures } = breaker;
  const value = { name, state: breakerState(breaker, nowMs), failures: failures.length };
  saveNote(deps, exec, { note: "breaker", value: encode(value).text });
}

function refusal({ name }: BreakerPolicy, retryAfterMs: number): AttemptEnd {
  const what = `breaker "${name}" is open; it may be tried again in ${retryAfterMs} ms.`;
  const failure = toFailure(new StepwellError("BREAKER_OPEN", what, { details: { breaker: name, retryAfterMs } }));
  return { kind: "failure", failure: { ...failure, retryAfterMs }, abortedFor: null, durationMs: 0 };
}

function lookIsDue(deps: Deps, call: OpenCall, name: string, inMs: number): Promise<void> {
  const { exec, key } = call;
  const dueAtMs = Math.ceil(exec.clock.storeMs + inMs);
  return new Promise((resolve) => {
    exec.waits = added(exec.waits, key, { kind: "breaker", key, name, dueAtMs, fire: () => resolve() });
    quieten(deps, exec);
  });
}

/** Pause before a store that has failed is asked again. */
const AGAIN_MS = 100;

/**
 * What the store fails at is tried again until it is known, for as long as the run is held: all of it may be repeated
 * (R4). The run is busy meanwhile. "again": somebody else was first.
 */
async function insist<T>(deps: Deps, exec: Execution, work: () => Promise<T | "again">): Promise<T | null> {
  exec.unanswered += 1;
  try {
    while (!isGone(exec)) {
      const result = await attempted(deps, exec, work);
      if (result !== "again") return result;
    }
    return null;
  } finally {
    countAnswer(exec);
  }
}

async function attempted<T>(
  deps: Deps,
  exec: Execution,
  work: () => Promise<T | "again">,
): Promise<T | "again" | null> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StepwellError && error.code === "ENGINE_CLOSED") {
      loseExecution(exec, error);
      return null;
    }
    deps.log?.({ level: "warn", message: `a circuit breaker could not be asked: ${String(error)}` });
    await new Promise<void>((resolve) => void deps.host.timer(AGAIN_MS, resolve));
    return "again";
  }
}
