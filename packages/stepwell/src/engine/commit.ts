/**
 * Group commit: everything that became ready in one turn of the event loop, of all
 * runs, goes into one transaction.
 *
 *   G1. One flush at a time, and writes are stored in the order they were submitted. Where the store takes two at once, a
 *       second begins while the first is under way if enough writes wait for it: one is stored while the other's answers
 *       are handed out. A run never has writes in both.
 *   G2. A flush whose outcome is unknown is submitted again, ahead of anything newer, until
 *       it is known (P1). Every write is guarded, so that a second time changes nothing.
 *   G3. After a definite failure outsiders (start, signal, cancel) get the error;
 *       the writes of running runs are kept and tried again: a full disk fails no run.
 *   G4. No artificial delay: a flush begins in the next macrotask after its first write.
 */
import { StepwellError } from "../model/errors.ts";
import type { Store } from "../store/store.ts";
import type { Write, WriteResult } from "../store/write.ts";
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

type State = {
  queue: Entry[];
  /** Flushes under way. */
  flushing: number;
  /** The next flush will begin by itself. */
  planned: boolean;
  /** What the flush under way writes about, where another one may begin beside it. */
  readonly busy: Set<Subject>;
  /** How many writes wait that are about something else. */
  free: number;
  failures: number;
  flushes: number;
  closed: boolean;
  idlers: (() => void)[];
};

/** The run that a write is about: its row, or its public id where the row is not known. */
type Subject = number | string;

/** What all functions here go by. */
type Desk = {
  readonly host: Host;
  readonly store: Store;
  readonly failed: (error: StepwellError) => void;
  readonly state: State;
};

/** Open the group commit of `store`. `failed` hears of every flush that was not stored. */
export function openCommitter(host: Host, store: Store, failed: (error: StepwellError) => void): Committer {
  const state: State = {
    queue: [],
    flushing: 0,
    planned: false,
    busy: new Set(),
    free: 0,
    failures: 0,
    flushes: 0,
    closed: false,
    idlers: [],
  };
  const desk: Desk = { host, store, failed, state };
  return {
    submit: (write, answered) => {
      if (state.closed) return answered(closedAnswer());
      state.queue.push({ write, answered, doubtful: false });
      if (state.busy.size > 0 && !state.busy.has(subjectOf(write))) state.free += 1;
      if (!state.planned && mayFlush(desk)) plan(desk, 0);
    },
    flushes: () => state.flushes,
    idle: () => (isIdle(state) ? Promise.resolve() : new Promise((resolve) => state.idlers.push(resolve))),
    close: () => {
      state.closed = true;
      for (const entry of state.queue.splice(0)) entry.answered(closedAnswer());
    },
  };
}

function isIdle({ queue, flushing, planned }: State): boolean {
  return queue.length === 0 && flushing === 0 && !planned;
}

/** G1. */
function mayFlush({ store, state }: Desk): boolean {
  if (state.flushing === 0) return state.queue.length > 0;
  const { secondFlush } = store;
  return secondFlush !== null && state.flushing === 1 && state.free >= secondFlush.writesMin;
}

/** G4. `inMs`: later, after a failure. */
function plan(desk: Desk, inMs: number): void {
  const { host, state } = desk;
  state.planned = true;
  const begin = (): void => {
    state.planned = false;
    void flushQueue(desk);
  };
  if (inMs === 0) host.defer(begin);
  else host.timer(inMs, begin);
}

/** Store one batch and answer it, and plan the next. Never rejects. */
async function flushQueue(desk: Desk): Promise<void> {
  const { host, state } = desk;
  const batch = takeBatch(desk);
  let delayMs = 0;
  if (batch.length > 0) {
    state.flushing += 1;
    const error = await flushBatch(desk, batch);
    state.flushing -= 1;
    if (error !== null) {
      keepOrRefuse(state, batch, error);
      const pauseMs = Math.min(RETRY_MS_MIN * 2 ** state.failures, RETRY_MS_MAX);
      state.failures += 1;
      delayMs = pauseMs * (0.5 + host.random() / 2);
    }
  }
  if (!state.planned && mayFlush(desk)) plan(desk, delayMs);
  if (isIdle(state)) for (const idler of state.idlers.splice(0)) idler();
}

/** In order; what is about a run in a flush under way waits for that. */
function takeBatch({ store, state }: Desk): readonly Entry[] {
  const { queue, busy } = state;
  const max = store.secondFlush?.writesMax ?? FLUSH_WRITES_MAX;
  if (state.flushing === 0) {
    state.queue = queue.length <= max ? [] : queue.slice(max);
    return queue.length <= max ? queue : queue.slice(0, max);
  }
  const batch: Entry[] = [];
  state.queue = [];
  for (const entry of queue) {
    const waits = batch.length === max || busy.has(subjectOf(entry.write));
    (waits ? state.queue : batch).push(entry);
  }
  return batch;
}

/** Take note of what a flush that begins is about, and begin another one beside it if that is worth it. */
function share(desk: Desk, writes: readonly Write[]): void {
  const { state } = desk;
  for (const write of writes) state.busy.add(subjectOf(write));
  state.free = 0;
  for (const { write } of state.queue) if (!state.busy.has(subjectOf(write))) state.free += 1;
  if (!state.planned && mayFlush(desk)) plan(desk, 0);
}

function subjectOf(write: Write): Subject {
  if (write.kind === "post") return write.to.id;
  if (write.kind === "wake") return write.rowId;
  if (write.kind === "insert_run") return write.owner?.rowId ?? write.run.id;
  return write.owner.rowId;
}

/** Null: it is stored, and answered. */
async function flushBatch(desk: Desk, batch: readonly Entry[]): Promise<StepwellError | null> {
  const { store, failed, state } = desk;
  const writes = batch.map((entry) => entry.write);
  const shared = store.secondFlush !== null;
  if (shared) share(desk, writes);
  let results: readonly WriteResult[];
  try {
    results = await store.flush(writes, null);
  } catch (thrown) {
    const error = toStoreError(thrown);
    failed(error);
    return error;
  } finally {
    if (shared) for (const write of writes) state.busy.delete(subjectOf(write));
  }
  state.failures = 0;
  state.flushes += 1;
  for (let index = 0; index < batch.length; index += 1) batch[index]!.answered(results[index]!);
  return null;
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
