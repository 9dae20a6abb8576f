/**
 * Ledger: who held which run when, and what was accepted from whom, worked out
 * from the store's records alone. A second, naive implementation of ownership: what
 * the store did is compared with it, write by write.
 */
import type { Checkpoint, NewAttempt } from "../../model/step.ts";
import type { Transition } from "../../model/transition.ts";
import type { Write, WriteResult } from "../../store/write.ts";
import type { Stamp, StoreRecord } from "./evidence.ts";

/** How a taking ended; null: it lasts. */
export type TakingEnd = "parked" | "ended" | "paused" | "released" | "freed" | null;

/** One claim of one run, from its beginning to its end. `knownAt`: when the worker learned of it; null: never. */
export type Taking = Stamp & {
  readonly rowId: number;
  readonly fence: number;
  readonly workerId: number;
  knownAt: number | null;
  endedAt: number | null;
  endedMs: number | null;
  endedBy: TakingEnd;
};

/** An accepted write, with the taking under which it was made. */
export type Accepted<T> = Stamp & {
  readonly rowId: number;
  readonly fence: number;
  /** The store's clock. */
  readonly atMs: number;
  readonly entry: T;
};

/** What the store should have refused, by the invariant that it breaks. */
export type Breach = {
  readonly rule: "fence" | "claim" | "owner" | "rewrite" | "lease" | "refusal";
  readonly rowId: number | null;
  readonly what: string;
};

/** See the header. Lists are in the order of the store. */
export type Ledger = {
  readonly takings: readonly Taking[];
  readonly checkpoints: readonly Accepted<{ readonly checkpoint: Checkpoint; readonly consumes: number | null }>[];
  /** `dueAtMs` of each is filled in. */
  readonly attempts: readonly Accepted<{ readonly attempt: NewAttempt; readonly dueInMs: number | null }>[];
  readonly transitions: readonly Accepted<Transition>[];
  /** Items that outsiders left: stored once per operation. */
  readonly posts: readonly (Stamp & {
    readonly rowId: number;
    readonly seq: number;
    readonly name: string;
    readonly atMs: number;
    readonly kind: string;
  })[];
  readonly inserted: readonly (Stamp & { readonly rowId: number; readonly versionId: number; readonly id: string })[];
  readonly breaches: readonly Breach[];
};

type Book = {
  readonly takings: Taking[];
  readonly checkpoints: Ledger["checkpoints"][number][];
  readonly attempts: Ledger["attempts"][number][];
  readonly transitions: Ledger["transitions"][number][];
  readonly posts: Ledger["posts"][number][];
  readonly inserted: Ledger["inserted"][number][];
  readonly breaches: Breach[];
  /** Current taking by run. */
  readonly held: Map<number, Taking>;
  readonly fences: Map<number, number>;
  /** Accepted writes by their natural key, to know a resubmission. */
  readonly accepted: Map<string, string>;
  readonly workers: Map<number, { leaseUntilMs: number; dead: boolean }>;
};

type OwnedWrite = Extract<
  Write,
  { readonly kind: "checkpoint" | "attempt" | "beat" | "attributes" | "transition" | "note" | "progress" }
>;

/** Work the ledger out. `records` in the order of `at`. */
export function readLedger(records: readonly StoreRecord[]): Ledger {
  const book: Book = {
    takings: [],
    checkpoints: [],
    attempts: [],
    transitions: [],
    posts: [],
    inserted: [],
    breaches: [],
    held: new Map(),
    fences: new Map(),
    accepted: new Map(),
    workers: new Map(),
  };
  for (const record of records) readRecord(book, record);
  return book;
}

function readRecord(book: Book, record: StoreRecord): void {
  switch (record.kind) {
    case "flush":
      return record.writes.forEach((write, index) => readWrite(book, record, write, record.results[index]!));
    case "claim":
      for (const { run } of record.claims) {
        beginTaking(book, record, { rowId: run.rowId, fence: run.fence, workerId: record.workerId });
      }
      return;
    case "register":
      return void book.workers.set(record.workerId, { leaseUntilMs: record.leaseUntilMs, dead: false });
    case "renew":
      return readRenewal(book, record);
    case "bury":
      return readBurial(book, record);
    case "free":
      return freeRuns(book, record);
    case "retire":
      return retire(book, record.workerId);
    case "memory":
    case "reopen":
    case "look":
    case "breaker":
      return;
  }
}

function readWrite(book: Book, stamp: StoreRecord, write: Write, result: WriteResult): void {
  if (result.kind === "refused") {
    const rowId = "owner" in write && write.owner !== null ? write.owner.rowId : null;
    book.breaches.push({ rule: "refusal", rowId, what: `${write.kind} was refused: ${result.error.message}` });
  }
  switch (write.kind) {
    case "insert_run":
      return readInsert(book, stamp, write, result);
    case "post":
      if (result.kind === "posted") keepPost(book, stamp, result);
      return;
    case "wake":
      return;
    default:
      if (result.kind === "posted") keepPost(book, stamp, result);
      if (result.kind === "stored" || result.kind === "posted") readOwned(book, stamp, write, result.atMs);
  }
}

function readInsert(book: Book, stamp: StoreRecord, write: Write & { kind: "insert_run" }, result: WriteResult): void {
  const { run, claimFor } = write;
  if (result.kind === "exists" && claimFor !== null) {
    const taking = book.held.get(result.run.rowId);
    if (taking?.workerId === claimFor && taking.fence === 1) noteAnswer(taking, stamp);
  }
  if (result.kind !== "inserted") return;
  book.inserted.push({ ...stampOf(stamp), rowId: result.rowId, versionId: run.versionId, id: run.id });
  if (claimFor !== null && result.claimed) {
    beginTaking(book, stamp, { rowId: result.rowId, fence: 1, workerId: claimFor });
  }
}

function beginTaking(book: Book, stamp: StoreRecord, by: { rowId: number; fence: number; workerId: number }): void {
  const { rowId, fence, workerId } = by;
  const held = book.held.get(rowId);
  const lastFence = book.fences.get(rowId) ?? 0;
  // An answer given again: the same worker, the same fence.
  if (held?.fence === fence && held.workerId === workerId) return noteAnswer(held, stamp);
  if (fence <= lastFence) {
    book.breaches.push({ rule: "fence", rowId, what: `claimed under fence ${fence} after fence ${lastFence}` });
  }
  if (held !== undefined) {
    const holder = `worker ${held.workerId} held it (fence ${held.fence})`;
    const what = `claimed by worker ${workerId} (fence ${fence}) while ${holder}`;
    book.breaches.push({ rule: "claim", rowId, what });
  }
  if (book.workers.get(workerId)?.dead === true) {
    book.breaches.push({ rule: "claim", rowId, what: `claimed by worker ${workerId}, which had been declared dead` });
  }
  const taking: Taking = { ...stampOf(stamp), rowId, fence, workerId, knownAt: stamp.knownAt, ...UNENDED };
  book.takings.push(taking);
  book.held.set(rowId, taking);
  book.fences.set(rowId, Math.max(fence, lastFence));
}

/** The answers to one question may come in another order than the store gave them. */
function noteAnswer(taking: Taking, { knownAt }: StoreRecord): void {
  taking.knownAt = knownAt === null ? taking.knownAt : Math.min(taking.knownAt ?? Infinity, knownAt);
}

/** Overwritten, as often as one likes. */
const REPEATED: readonly Write["kind"][] = ["progress", "attributes", "beat"];

const UNENDED = { endedAt: null, endedMs: null, endedBy: null } as const;

function readOwned(book: Book, stamp: StoreRecord, write: OwnedWrite, atMs: number): void {
  const { rowId, workerId, fence } = write.owner;
  const content = JSON.stringify(write);
  const name = naturalKey(write);
  const earlier = name === null ? undefined : book.accepted.get(name);
  if (earlier !== undefined) {
    if (earlier !== content) {
      book.breaches.push({ rule: "rewrite", rowId, what: `${name} was accepted twice: ${earlier}, then ${content}` });
    }
    return;
  }
  if (name !== null) book.accepted.set(name, content);
  const held = book.held.get(rowId);
  // Its last owner gave the run up: the store may take this for something that it did before, and changes nothing.
  if (held === undefined && wasLast(book, write.owner)) return;
  if (held === undefined || held.fence !== fence || held.workerId !== workerId) {
    const holder = held === undefined ? "nobody" : `worker ${held.workerId}, fence ${held.fence}`;
    const what = `${write.kind} of worker ${workerId}, fence ${fence} was accepted while ${holder} held it`;
    // These have no key of their own: one submitted again after the run was given up is not told from a stale one.
    if (!REPEATED.includes(write.kind)) book.breaches.push({ rule: "owner", rowId, what });
  }
  if (book.workers.get(workerId)?.dead === true) {
    book.breaches.push({
      rule: "owner",
      rowId,
      what: `${write.kind} of worker ${workerId} was accepted after it had been declared dead`,
    });
  }
  keepEntry(book, { ...stampOf(stamp), rowId, fence, atMs }, write);
}

function wasLast(book: Book, owner: OwnedWrite["owner"]): boolean {
  const last = book.takings.findLast((taking) => taking.rowId === owner.rowId);
  return last?.fence === owner.fence && last.workerId === owner.workerId && last.endedBy !== "freed";
}

function keepEntry(book: Book, base: Omit<Accepted<unknown>, "entry">, write: OwnedWrite): void {
  switch (write.kind) {
    case "checkpoint":
      return void book.checkpoints.push({ ...base, entry: { checkpoint: write.checkpoint, consumes: write.consumes } });
    case "attempt": {
      if (write.attempt.state === "running") return;
      const dueAtMs = write.dueInMs === null ? write.attempt.dueAtMs : base.atMs + write.dueInMs;
      return void book.attempts.push({
        ...base,
        entry: { attempt: { ...write.attempt, dueAtMs }, dueInMs: write.dueInMs },
      });
    }
    case "transition":
      book.transitions.push({ ...base, entry: write.transition });
      return endTaking(book, base, write.transition);
    case "note":
    case "progress":
    case "attributes":
    case "beat":
      return;
  }
}

const TAKING_ENDS: Readonly<Record<Transition["kind"], TakingEnd>> = {
  complete: "ended",
  fail: "ended",
  cancel: "ended",
  park: "parked",
  pause: "paused",
  hold: "paused",
  release: "released",
  compensate: null,
};

function endTaking(book: Book, base: Omit<Accepted<unknown>, "entry">, transition: Transition): void {
  const held = book.held.get(base.rowId);
  const endedBy = TAKING_ENDS[transition.kind];
  if (held === undefined || endedBy === null) return;
  held.endedAt = base.at;
  held.endedMs = base.trueMs;
  held.endedBy = endedBy;
  book.held.delete(base.rowId);
}

function keepPost(book: Book, stamp: StoreRecord, result: WriteResult & { kind: "posted" }): void {
  const { rowId, item, atMs } = result;
  if (book.posts.some((post) => post.rowId === rowId && post.seq === item.seq)) return;
  book.posts.push({ ...stampOf(stamp), rowId, seq: item.seq, name: item.name, atMs, kind: item.kind });
}

function freeRuns(book: Book, record: StoreRecord & { kind: "free" }): void {
  if (book.workers.get(record.workerId)?.dead !== true) {
    book.breaches.push({
      rule: "lease",
      rowId: null,
      what: `runs of worker ${record.workerId} were freed while it was alive`,
    });
  }
  for (const [rowId, taking] of book.held) {
    if (taking.workerId !== record.workerId) continue;
    taking.endedAt = record.at;
    taking.endedMs = record.trueMs;
    taking.endedBy = "freed";
    book.held.delete(rowId);
    book.fences.set(rowId, taking.fence + 1);
  }
}

/** Without effect while it still holds runs. */
function retire(book: Book, workerId: number): void {
  const holds = [...book.held.values()].some((taking) => taking.workerId === workerId);
  if (!holds) book.workers.set(workerId, { leaseUntilMs: -Infinity, dead: true });
}

function readRenewal(book: Book, record: StoreRecord & { kind: "renew" }): void {
  const worker = book.workers.get(record.workerId);
  if (worker === undefined || !record.renewed) return;
  if (worker.dead) {
    book.breaches.push({
      rule: "lease",
      rowId: null,
      what: `worker ${record.workerId} renewed its lease after it had been declared dead`,
    });
  }
  worker.leaseUntilMs = record.leaseUntilMs;
}

function readBurial(book: Book, record: StoreRecord & { kind: "bury" }): void {
  const worker = book.workers.get(record.workerId);
  if (worker === undefined || !record.buried) return;
  if (!worker.dead && !record.gone && worker.leaseUntilMs > record.nowMs) {
    const lease = `its lease ended at ${worker.leaseUntilMs}`;
    const what = `worker ${record.workerId} was declared dead at ${record.nowMs}, before ${lease}`;
    book.breaches.push({ rule: "lease", rowId: null, what });
  }
  worker.dead = true;
}

/** Unique per accepted write; null where a write may be made any number of times. */
function naturalKey(write: OwnedWrite): string | null {
  const { rowId, fence } = write.owner;
  switch (write.kind) {
    case "checkpoint":
      return `checkpoint ${rowId} ${write.checkpoint.key}`;
    case "attempt": {
      const { key, attempt, state, seq } = write.attempt;
      // It begins again after a crash.
      if (state === "running") return `beginning ${rowId} ${key} ${attempt} ${seq}`;
      return `attempt ${rowId} ${key} ${attempt}`;
    }
    case "transition":
      return `transition ${rowId} ${fence} ${write.transition.kind} ${write.seq}`;
    case "note":
      return `note ${rowId} ${write.seq}`;
    case "progress":
    case "attributes":
    case "beat":
      return null;
  }
}

function stampOf({ at, trueMs, process }: Stamp): Stamp {
  return { at, trueMs, process };
}
