/**
 * Record: every write of an execution, numbered and under its owner (E1, E2).
 *
 * A stale answer means that another worker took the run: the execution is lost and
 * nobody who waited for the answer hears of it.
 */
import type { NewApproval } from "../model/approval.ts";
import { StepwellError } from "../model/errors.ts";
import { failureText, toFailure } from "../model/failure.ts";
import type { NoteKind } from "../model/history.ts";
import type { InboxItem } from "../model/inbox.ts";
import type { NewAttempt } from "../model/step.ts";
import type { Transition } from "../model/transition.ts";
import type { Write, WriteResult } from "../store/write.ts";
import { type Answered, whyNot } from "./commit.ts";
import { deliverFresh, quieten } from "./delivery.ts";
import type { Deps } from "./deps.ts";
import { countAnswer, type Execution, isGone, loseExecution, observeClock, runName } from "./execution.ts";

/** The next history number; one more is left out for the consumption of an inbox item. */
export function nextSeq(exec: Execution, consumes: InboxItem | null): number {
  exec.seq += consumes === null ? 1 : 2;
  return exec.seq;
}

/** Save a step's outcome, then deliver it. */
export function saveCheckpoint(
  deps: Deps,
  exec: Execution,
  write: Extract<Write, { kind: "checkpoint" }>,
  settle: () => void,
): void {
  exec.unanswered += 1;
  pass(deps, exec, write, (result) => {
    if (!isStored(deps, exec, result)) return;
    if (write.clearsCrashes) prove(deps, exec);
    deliverFresh(deps, exec, write.checkpoint.seq, settle);
  });
}

/** While a transaction of the run is under way, its other writes wait for it: see hold-writes.ts. */
function pass(deps: Deps, exec: Execution, write: Write, answered: Answered): void {
  if (exec.hold === null) deps.committer.submit(write, answered);
  else exec.hold.kept.push({ write, answered });
}

/** A stored checkpoint is progress: the run is not suspected any more. */
export function prove(deps: Deps, exec: Execution): void {
  exec.run = { ...exec.run, crashes: 0 };
  deps.worker.proved(exec.run.rowId);
}

/** When an attempt or a wait is due: so long after the store has it, or at a moment by the store's clock; null: never. */
export type Due = { readonly dueInMs: number } | { readonly dueAtMs: number | null };

/** Save a failed attempt or the beginning of a wait; `saved` gets the moment when it is due. */
export function saveAttempt(
  deps: Deps,
  exec: Execution,
  begin: {
    readonly attempt: Omit<NewAttempt, "seq" | "dueAtMs">;
    readonly due: Due;
    readonly opens?: NewApproval | undefined;
  },
  saved: (dueAtMs: number | null) => void,
): void {
  const { attempt, due, opens } = begin;
  const dueInMs = "dueInMs" in due ? due.dueInMs : null;
  const dueAtMs = "dueAtMs" in due ? due.dueAtMs : null;
  const stored = { ...attempt, seq: nextSeq(exec, null), dueAtMs };
  const write = { kind: "attempt", owner: exec.owner, attempt: stored, dueInMs } as const;
  submit(deps, exec, opens === undefined ? write : { ...write, opens }, (result) => {
    if (result.kind !== "stored") return refuse(deps, exec, whyNot(result, "an attempt"));
    observeClock(deps.host, exec, result.atMs);
    saved("dueAtMs" in due ? due.dueAtMs : result.atMs + due.dueInMs);
    quieten(deps, exec);
  });
}

/** Save that an attempt has been running for a while; nobody waits for it. */
export function saveRunning(deps: Deps, exec: Execution, attempt: Omit<NewAttempt, "seq" | "dueAtMs" | "state">): void {
  const stored = { ...attempt, state: "running", seq: nextSeq(exec, null), dueAtMs: null } as const;
  submit(deps, exec, { kind: "attempt", owner: exec.owner, attempt: stored, dueInMs: null }, () => quieten(deps, exec));
}

/** A line of the history. `value` is encoded; `consumes`: the inbox item that it tells of. */
export type NewNote = { readonly note: NoteKind; readonly value: string; readonly consumes?: InboxItem };

/** Add a line to the history; nobody waits for it. */
export function saveNote(deps: Deps, exec: Execution, { note, value, consumes }: NewNote): void {
  const seq = nextSeq(exec, consumes ?? null);
  const write = { kind: "note", owner: exec.owner, note, value, seq, consumes: consumes?.seq ?? null } as const;
  submit(deps, exec, write, () => quieten(deps, exec));
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
  const write: Write = {
    kind: "transition",
    owner: exec.owner,
    transition,
    seq: transition.kind === "park" ? exec.seq : nextSeq(exec, consumes),
    consumes: consumes?.seq ?? null,
    parent: exec.run.parent,
  };
  return new Promise((resolve) => submit(deps, exec, write, resolve));
}

/** Submit a write of this execution; `stored` hears only of success. */
export function submit(deps: Deps, exec: Execution, write: Write, stored: (result: WriteResult) => void): void {
  exec.unanswered += 1;
  exec.moves += 1;
  pass(deps, exec, write, (result) => {
    if (isStored(deps, exec, result)) stored(result);
  });
}

/** False: the execution is over, or ends because of this answer. */
function isStored(deps: Deps, exec: Execution, result: WriteResult): boolean {
  countAnswer(exec);
  if (isGone(exec)) return false;
  if (result.kind === "stale") loseExecution(exec, leaseLost(exec));
  else if (result.kind === "refused") refuse(deps, exec, result.error);
  else return true;
  return false;
}

/**
 * A write that can never be stored must not end as a failure of the run: the run is set aside, or given up at closing.
 */
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
