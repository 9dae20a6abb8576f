/**
 * Tx: `ctx.tx`, a step whose code writes to the same database in the transaction that stores its checkpoint (P4).
 *
 * An attempt is one transaction: the owner is proved, the code runs, the checkpoint is stored, and all of it commits or
 * none. What the code throws takes it back, and is a failed attempt like any other. What the store could not do is none:
 * the transaction is made again, and the code runs again, since nothing of it was kept. Only after a commit of which
 * nobody knows whether it took place the store is asked first: then there is a checkpoint, or the transaction was not.
 */
import { StepwellError } from "../model/errors.ts";
import { parseFailure, toFailure } from "../model/failure.ts";
import { decode } from "../model/json.ts";
import type { Checkpoint } from "../model/step.ts";
import type { CheckpointWrite, TxAnswer, TxDoor, TxVerdict } from "../store/tx.ts";
import { type AttemptEnd, runAttempt } from "./attempt.ts";
import { rejectCall } from "./chain.ts";
import { quieten } from "./delivery.ts";
import type { Deps } from "./deps.ts";
import { countAnswer, isGone, loseExecution, runName } from "./execution.ts";
import type { StepContext } from "./handler.ts";
import { giveBack, holdWrites, releaseWrites } from "./hold-writes.ts";
import { leaseLost, prove } from "./record.ts";
import { type Call, type CallEnd, deliverStored, isGivenUp, isUnheard, tryUntilEnded } from "./steps.ts";
import { openTx, TX_CONFLICTS_MAX, TX_MS_MAX } from "./tx-door.ts";
import type { TxStep } from "./workflow.ts";

/** What the code of a `ctx.tx` is: a function of its handle. */
export type TxWork = (tx: TxStep) => unknown;

/** Pause before the store is asked again that could not carry a transaction out: doubles from the first to the last. */
const RETRY_MS_MIN = 10;
const RETRY_MS_MAX = 1_000;

/** What `ctx.tx` does; see its type. */
export function performTx(work: TxWork): Call["perform"] {
  return (deps, call) => {
    const { timeoutMs, where } = call.config;
    if (timeoutMs !== null && timeoutMs > TX_MS_MAX) {
      call.exec.open.delete(call.key);
      const what = `timeout of ${where}: a transaction may take ${TX_MS_MAX} ms at most.`;
      return rejectCall(call, new StepwellError("OPTION_INVALID", what));
    }
    void tryUntilEnded(deps, call, { attempt: (_deps, _call, attempt) => attemptTx(deps, call, work, attempt) }, null);
  };
}

/** One attempt. `doubtful`: a transaction of it may have committed. */
type Attempt = {
  readonly deps: Deps;
  readonly call: Call;
  readonly work: TxWork;
  readonly attempt: number;
  /** Its number in the history; the same however often the transaction has to be made. */
  readonly seq: number;
  /** What its code came to in the newest transaction, and whether it started runs. */
  run: CodeRun;
  doubtful: boolean;
  conflicts: number;
};

type CodeRun = { end: AttemptEnd | null; started: boolean };

/** What became of an attempt. `end` null: nobody waits for it any longer. */
type Settled = { readonly stored: true } | { readonly stored: false; readonly end: AttemptEnd | null };

const STORED: Settled = { stored: true };
const NOTHING: Settled = { stored: false, end: null };

async function attemptTx(deps: Deps, call: Call, work: TxWork, attempt: number): Promise<AttemptEnd | null> {
  const { exec, key } = call;
  const seq = await holdWrites(exec);
  if (seq === null) return null;
  exec.unanswered += 1;
  const fresh = { run: { end: null, started: false }, doubtful: false, conflicts: 0 };
  const settled = await settleTx({ deps, call, work, attempt, seq, ...fresh });
  if (!settled.stored) giveBack(deps, exec, seq, key);
  else if (isGone(exec)) exec.seq = seq;
  countAnswer(exec);
  releaseWrites(deps, exec);
  quieten(deps, exec);
  return settled.stored ? null : settled.end;
}

/** Make the transaction, again if need be, until it is known what became of it. */
async function settleTx(state: Attempt): Promise<Settled> {
  const { call } = state;
  for (let failures = 0; ;) {
    // What is in doubt is found out also for an execution that is lost: by then its run may be given back, under the
    // next number.
    if (!state.doubtful && !mayBegin(call)) return NOTHING;
    let answer: TxAnswer;
    try {
      answer = await transact(state);
    } catch (error) {
      if (!(await bearWith(state, toStoreError(error), failures))) return NOTHING;
      failures += 1;
      continue;
    }
    const settled = settle(state, answer);
    if (settled !== null) return settled;
  }
}

/** Null: it is worth another try at once. */
function settle(state: Attempt, answer: TxAnswer): Settled | null {
  const { end } = state.run;
  const { exec } = state.call;
  state.doubtful = false;
  switch (answer.kind) {
    case "committed":
      deliver(state, { outcome: "completed", value: (end as AttemptEnd & { readonly kind: "value" }).value });
      return STORED;
    case "recorded":
      return settleRecorded(state, answer.checkpoint);
    case "stale":
      loseExecution(exec, leaseLost(exec));
      return NOTHING;
    case "rolled_back":
      // Without a failure: the call is given up, which is looked at before each try; or the store gave up by itself.
      return end?.kind === "failure" ? { stored: false, end } : null;
    case "conflict":
      state.conflicts += 1;
      if (state.conflicts <= TX_CONFLICTS_MAX) return null;
      return { stored: false, end: end?.kind === "failure" ? end : failureOf(answer.error) };
    case "refused":
      return { stored: false, end: failureOf(answer.error) };
  }
}

/** It has committed after all: the checkpoint is that of the code's last run but one, and counts. */
function settleRecorded(state: Attempt, { outcome, value, seq }: Checkpoint): Settled {
  const failed = outcome === "failed" || outcome === "cancelled";
  deliver({ ...state, seq }, { outcome, value: failed ? parseFailure(value) : decode(value) });
  return seq === state.seq ? STORED : NOTHING;
}

function deliver({ deps, call, seq, run }: Attempt, end: Pick<CallEnd, "outcome" | "value">): void {
  const { exec } = call;
  if (run.started) deps.worker.nudge();
  if (isGone(exec)) return;
  call.config.ended = true;
  exec.moves += 1;
  if (exec.run.crashes > 0) prove(deps, exec);
  deliverStored(deps, call, end, seq);
}

/** While the transaction waited for its turn, the run may have been lost or stopped. */
function mayBegin(call: Call): boolean {
  return call.exec.phase === "running" && !isUnheard(call) && !isGivenUp(call);
}

function transact(state: Attempt): Promise<TxAnswer> {
  const { deps, call, doubtful } = state;
  const terms = { owner: call.exec.owner, doubt: doubtful ? call.key : null, limitMs: limitOf(call), nowMs: null };
  return deps.store.transact(terms, (door) => carryOut(state, door));
}

/** Never rejects: what the code throws is the attempt's end. */
async function carryOut(state: Attempt, door: TxDoor): Promise<TxVerdict> {
  const { call } = state;
  const run: CodeRun = { end: null, started: false };
  state.run = run;
  call.config.ended = false;
  if (!mayBegin(call)) return { commit: false };
  const end = await runCode(state, run, door);
  run.end = end;
  if (end.kind === "failure" || isGivenUp(call) || state.run !== run) return { commit: false };
  // From here on it is on its way to the store: a race that is lost now does not take it back.
  call.config.ended = true;
  return { commit: true, checkpoint: toWrite(state, end) };
}

async function runCode(state: Attempt, run: CodeRun, door: TxDoor): Promise<AttemptEnd> {
  const { deps, call, work, attempt } = state;
  const { exec, key, config } = call;
  const open = openTx(deps, door, config.where);
  const place = `${runName(exec)} ${key}`;
  const timed = { ...config, timeoutMs: limitOf(call), timeoutCode: "TX_TIMEOUT" } as const;
  const code = (step: StepContext): unknown => work(Object.assign(Object.create(step) as StepContext, open.tx));
  deps.openTxs.add(place);
  const end = await runAttempt(deps, { exec, key, config: timed }, code, attempt);
  deps.openTxs.delete(place);
  open.close();
  run.started = open.started();
  return end;
}

function limitOf({ config }: Call): number {
  return config.timeoutMs ?? TX_MS_MAX;
}

function toWrite({ call, seq, attempt }: Attempt, end: AttemptEnd & { readonly kind: "value" }): CheckpointWrite {
  const { exec, key, kind, config } = call;
  const { outcome, text: value } = end;
  const compensable = config.compensate !== null;
  const durationMs = Math.round(end.durationMs);
  const checkpoint = { key, kind, outcome, value, seq, attempt, durationMs, compensable };
  return { kind: "checkpoint", owner: exec.owner, checkpoint, consumes: null, clearsCrashes: exec.run.crashes > 0 };
}

/** The store's own trouble fails no run: it makes it wait. False: there is no use in waiting. */
async function bearWith(state: Attempt, error: StepwellError, failures: number): Promise<boolean> {
  const { deps, call } = state;
  if (error.code === "ENGINE_CLOSED") loseExecution(call.exec, error);
  if (error.code === "STORE_OUTCOME_UNKNOWN") state.doubtful = true;
  if (error.code === "ENGINE_CLOSED" || (isGone(call.exec) && !state.doubtful)) return false;
  deps.log?.({ level: "warn", message: error.message, run: runName(call.exec) });
  const pauseMs = Math.min(RETRY_MS_MIN * 2 ** failures, RETRY_MS_MAX) * (0.5 + deps.host.random() / 2);
  await new Promise<void>((resolve) => void deps.host.timer(pauseMs, resolve));
  return true;
}

function toStoreError(thrown: unknown): StepwellError {
  if (thrown instanceof StepwellError) return thrown;
  return new StepwellError("STORE_FAILED", "the store failed in an unexpected way.", { cause: thrown });
}

function failureOf(error: unknown): AttemptEnd {
  return { kind: "failure", failure: toFailure(error), abortedFor: null, durationMs: 0 };
}
