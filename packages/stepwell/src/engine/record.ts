/**
 * Record: every write of an execution, numbered and under its owner (E1, E2).
 *
 * A stale answer means that another worker took the run: the execution is lost and
 * nobody who waited for the answer hears of it.
 */
import { StepwellError } from "../model/errors.ts";
import { failureText, toFailure } from "../model/failure.ts";
import type { NoteKind } from "../model/history.ts";
import type { InboxItem } from "../model/inbox.ts";
import type { Attempt, Checkpoint } from "../model/step.ts";
import type { Transition } from "../model/transition.ts";
import type { Write, WriteResult } from "../store/store.ts";
import { deliverFresh, quieten } from "./delivery.ts";
import type { Deps } from "./deps.ts";
import { type Execution, isGone, loseExecution, runName } from "./execution.ts";

/** A checkpoint without its number. */
export type NewCheckpoint = Omit<Checkpoint, "seq">;

/** Save a step's outcome, then deliver it. `consumes`: the inbox item that it uses up. */
export function saveCheckpoint(
  deps: Deps,
  exec: Execution,
  checkpoint: NewCheckpoint & { readonly consumes?: InboxItem },
  settle: (seq: number) => void,
): void {
  const { consumes, ...saved } = checkpoint;
  if (consumes !== undefined) exec.seq += 1;
  const seq = ++exec.seq;
  const write: Write = {
    kind: "checkpoint",
    owner: exec.owner,
    checkpoint: { ...saved, seq },
    consumes: consumes?.seq ?? null,
  };
  submit(deps, exec, write, () => deliverFresh(deps, exec, seq, () => settle(seq)));
}

/** Save a failed attempt or the beginning of a wait; `saved` gets the moment when it is due, or null. */
export function saveAttempt(
  deps: Deps,
  exec: Execution,
  attempt: Omit<Attempt, "seq" | "dueAtMs"> & { readonly due: { readonly inMs: number } | { readonly atMs: number } | null },
  saved: (dueAtMs: number | null) => void,
): void {
  const { due, ...fields } = attempt;
  const dueInMs = due !== null && "inMs" in due ? due.inMs : null;
  const dueAtMs = due !== null && "atMs" in due ? due.atMs : null;
  const write: Write = { kind: "attempt", owner: exec.owner, attempt: { ...fields, seq: ++exec.seq, dueAtMs }, dueInMs };
  submit(deps, exec, write, (result) => {
    saved(dueInMs === null ? dueAtMs : momentOf(result) + dueInMs);
    quieten(deps, exec);
  });
}

/** Add a line to the history; nobody waits for it. `value` is encoded. */
export function saveNote(deps: Deps, exec: Execution, note: NoteKind, value: string): void {
  submit(deps, exec, { kind: "note", owner: exec.owner, note, value, seq: ++exec.seq }, () => quieten(deps, exec));
}

/** Overwrite the run's progress; nobody waits for it. */
export function saveProgress(deps: Deps, exec: Execution, value: string): void {
  submit(deps, exec, { kind: "progress", owner: exec.owner, value }, () => quieten(deps, exec));
}

/** Store a transition. `unseen` is answered only to a park. Never settles when the execution is lost meanwhile. */
export function saveTransition(
  deps: Deps,
  exec: Execution,
  transition: Transition,
  consumes: InboxItem | null = null,
): Promise<WriteResult> {
  if (consumes !== null) exec.seq += 1;
  if (transition.kind !== "park") exec.seq += 1;
  const write: Write = {
    kind: "transition",
    owner: exec.owner,
    transition,
    seq: exec.seq,
    consumes: consumes?.seq ?? null,
    parent: exec.run.parent,
  };
  return new Promise((resolve) => submit(deps, exec, write, resolve));
}

/** Submit a write of this execution; `stored` hears only of success. */
export function submit(deps: Deps, exec: Execution, write: Write, stored: (result: WriteResult) => void): void {
  exec.unanswered += 1;
  deps.committer.submit(write, (result) => {
    exec.unanswered -= 1;
    if (isGone(exec)) return;
    if (result.kind === "stale") return loseExecution(exec, leaseLost(exec));
    if (result.kind === "refused") return refuse(deps, exec, result.error);
    stored(result);
  });
}

/** A write that can never be stored must not end as a failure of the run: the run is set aside, or given up at closing. */
function refuse(deps: Deps, exec: Execution, error: StepwellError): void {
  if (error.code === "ENGINE_CLOSED") return loseExecution(exec, error);
  deps.log?.({ level: "error", message: error.message, run: runName(exec) });
  if (exec.finishing) return loseExecution(exec, error);
  exec.stop({ kind: "stuck", error: failureText(toFailure(error)) });
}

/** Why an execution ends whose run another worker has taken. */
export function leaseLost(exec: Execution): StepwellError {
  return new StepwellError("LEASE_LOST", `another worker may own run ${runName(exec)} now.`);
}

function momentOf(result: WriteResult): number {
  if (result.kind === "stored") return result.atMs;
  throw new StepwellError("STORE_FAILED", `the store answered "${result.kind}" to an attempt.`);
}
