/**
 * Group commit: everything that became ready in one turn of the event loop, of all
 * runs, goes into one transaction.
 *
 *   G1. One flush at a time in each line; writes are stored in the order they were submitted, and those of one run go in
 *       one line, so a run never has writes in two unacknowledged flushes. Where a store takes two flushes at once, there
 *       are two lines: one is stored while the other's answers are handed out.
 *   G2. A flush whose outcome is unknown is submitted again, ahead of anything newer, until
 *       it is known (P1). Every write is guarded, so that a second time changes nothing.
 *   G3. After a definite failure outsiders (start, signal, cancel) get the error;
 *       the writes of running runs are kept and tried again: a full disk fails no run.
 *   G4. No artificial delay: a flush begins in the next macrotask after its first write.
 */
import { StepwellError } from "../model/errors.ts";
import type { Store, Write, WriteResult } from "../store/store.ts";
import type { Host } from "./host.ts";

/** Called once with the answer to a write, or with the reason why it was not stored. */
export type Answered = (result: WriteResult) => void;

/** The group commit of one engine. */
export type Committer = {
  readonly submit: (write: Write, answered: Answered) => void;
  /** Flushes so far: the number of the one whose answers are being handed out. Two answers of one flush share it. */
  readonly flushes: () => number;
  /** Resolves when nothing waits to be stored. */
  readonly idle: () => Promise<void>;
  /** Give up what cannot be stored; every later submit is answered ENGINE_CLOSED. */
  readonly close: () => void;
};

/** Writes in one flush at most; keeps the transaction, and the wait of the next, short. */
export const FLUSH_WRITES_MAX = 1_024;

/** Pause before a failed flush is tried again: doubles from the first to the last. */
const RETRY_MS_MIN = 10;
const RETRY_MS_MAX = 1_000;

/** `doubtful`: it was in a flush of unknown outcome, and may be stored already. */
type Entry = { readonly write: Write; readonly answered: Answered; doubtful: boolean };

/** When the next flush may be tried. */
type Next = { readonly kind: "now" } | { readonly kind: "later"; readonly inMs: number };

type State = {
  queue: Entry[];
  scheduled: boolean;
  failures: number;
  closed: boolean;
  idlers: (() => void)[];
};

/** What all lines share. */
type Shared = {
  readonly host: Host;
  readonly store: Store;
  readonly failed: (error: StepwellError) => void;
  flushes: number;
};

/** Open the group commit of `store`. `failed` hears of every flush that was not stored. */
export function openCommitter(host: Host, store: Store, failed: (error: StepwellError) => void): Committer {
  const shared: Shared = { host, store, failed, flushes: 0 };
  const lines = Array.from({ length: store.flushLines }, () => openLine(shared));
  const [first] = lines;
  let starts = 0;
  return {
    submit:
      lines.length === 1
        ? first!.submit
        : (write, answered) => lines[placeOf(write, () => (starts += 1)) % lines.length]!.submit(write, answered),
    flushes: () => shared.flushes,
    idle: async () => void (await Promise.all(lines.map((line) => line.idle()))),
    close: () => {
      for (const line of lines) line.close();
    },
  };
}

/** G1. `next`: for a start, which has no run yet. */
function placeOf(write: Write, next: () => number): number {
  if (write.kind === "wake") return write.rowId;
  if (write.kind === "post") return write.to.id.charCodeAt(write.to.id.length - 1) || 0;
  return write.owner === null ? next() : write.owner.rowId;
}

function openLine(shared: Shared): Pick<Committer, "submit" | "idle" | "close"> {
  const { host } = shared;
  const state: State = { queue: [], scheduled: false, failures: 0, closed: false, idlers: [] };
  const flush = (): void => void flushQueue(shared, state).then((next) => schedule(host, state, flush, next));
  return {
    submit: (write, answered) => {
      if (state.closed) return answered(closedAnswer());
      state.queue.push({ write, answered, doubtful: false });
      if (state.scheduled) return;
      state.scheduled = true;
      host.defer(flush);
    },
    idle: () => (state.scheduled ? new Promise((resolve) => state.idlers.push(resolve)) : Promise.resolve()),
    close: () => {
      state.closed = true;
      for (const entry of state.queue.splice(0)) entry.answered(closedAnswer());
    },
  };
}

/** `scheduled` stays true from the first submit until the queue is empty, which is what makes G1 hold. */
function schedule(host: Host, state: State, flush: () => void, next: Next): void {
  if (state.queue.length > 0) return next.kind === "now" ? host.defer(flush) : void host.timer(next.inMs, flush);
  state.scheduled = false;
  for (const idler of state.idlers.splice(0)) idler();
}

/** Store one batch and answer it; tells when the next may be tried. Never rejects. */
async function flushQueue(shared: Shared, state: State): Promise<Next> {
  const { host, store } = shared;
  const batch = state.queue.length <= FLUSH_WRITES_MAX ? state.queue : state.queue.slice(0, FLUSH_WRITES_MAX);
  state.queue = batch === state.queue ? [] : state.queue.slice(FLUSH_WRITES_MAX);
  let results: readonly WriteResult[];
  try {
    results = await store.flush(
      batch.map((entry) => entry.write),
      null,
    );
  } catch (thrown) {
    const error = toStoreError(thrown);
    shared.failed(error);
    keepOrRefuse(state, batch, error);
    const delayMs = Math.min(RETRY_MS_MIN * 2 ** state.failures, RETRY_MS_MAX);
    state.failures += 1;
    return { kind: "later", inMs: delayMs * (0.5 + host.random() / 2) };
  }
  state.failures = 0;
  shared.flushes += 1;
  for (let index = 0; index < batch.length; index += 1) batch[index]!.answered(results[index]!);
  return { kind: "now" };
}

/** G2 and G3: what is kept goes before what came meanwhile. */
function keepOrRefuse(state: State, batch: readonly Entry[], error: StepwellError): void {
  const unknown = error.code === "STORE_OUTCOME_UNKNOWN";
  if (unknown) for (const entry of batch) entry.doubtful = true;
  const keep = (entry: Entry): boolean => !state.closed && (entry.doubtful || isOwned(entry.write));
  state.queue = [...batch.filter(keep), ...state.queue];
  for (const entry of batch) if (!keep(entry)) entry.answered({ kind: "refused", error });
}

/** Writes about a run that this worker executes are its memory and must not be dropped. */
function isOwned(write: Write): boolean {
  return "owner" in write && write.owner !== null;
}

function toStoreError(thrown: unknown): StepwellError {
  if (thrown instanceof StepwellError) return thrown;
  return new StepwellError("STORE_FAILED", "the store failed in an unexpected way.", { cause: thrown });
}

/** Why a write was not stored: what the store says, or that it answered something that this write cannot be told. */
export function whyNot(result: WriteResult, write: string): StepwellError {
  if (result.kind === "refused") return result.error;
  return new StepwellError("STORE_FAILED", `the store answered "${result.kind}" to ${write}.`);
}

function closedAnswer(): WriteResult {
  return { kind: "refused", error: new StepwellError("ENGINE_CLOSED", "the engine has been closed.") };
}
