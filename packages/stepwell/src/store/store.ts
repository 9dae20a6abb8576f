/**
 * Store: the port every database adapter implements.
 *
 * Promises, checked for each adapter by testing/conformance/:
 *
 *   S1. A claim is exclusive: no run is given to two workers under one fence, and fences strictly increase.
 *   S2. A write under a stale owner changes nothing and answers `stale` (P3).
 *   S3. Time is an argument; null means the database's own clock. Durations go in, moments come back.
 *   S4. A flush is one transaction: when it resolves, every accepted write is durable (P1).
 *   S5. A flush submitted again answers as the first time did and changes nothing twice.
 *   S6. A bad row harms nobody: its own write answers `refused`, the others of the flush are stored.
 *   S7. An inbox item wakes: `waiting` becomes `pending` in the same transaction; a park with an older `inboxSeen` is
 *       refused (P6). Of a run that nobody holds, a `pause` makes one on hold, unless it has ended or is in quarantine; a
 *       `resume` makes one that is paused or in quarantine due, its crashes forgotten, and a `cancel` makes it due, too.
 *   S8. Those who watch are told, soon, what others have committed. They may be told late or for nothing, and poll
 *       all the same, less often.
 *   S9. Runs that have ended, or are paused and not on hold, are reopened all at once or not at all, and only in the
 *       generation that was asked for: the next one has their checkpoints and waits, except those that it is to forget.
 *   S10. A circuit breaker's row is replaced by its next revision alone, whoever saves; on behalf of a run only by its owner.
 *   S11. A transaction of the user's commits with its checkpoint or not at all (P4): not under a stale owner, and not when
 *       there is a checkpoint of that key already.
 *
 * Rows in, rows out; no rules of its own. What a flush stores is in write.ts.
 */
import type { Approval, ApprovalState, NewApproval, StoredDecision } from "../model/approval.ts";
import type { Breaker, BreakerLook } from "../model/breaker.ts";
import type { HistoryEvent, NoteKind } from "../model/history.ts";
import type { InboxItem } from "../model/inbox.ts";
import type { Identity, NewRun, Owner, Run, RunState } from "../model/run.ts";
import type { ActiveStep, Attempt, Checkpoint } from "../model/step.ts";
import type { NewRemark, Remark } from "../model/remark.ts";
import type { Reopening, UndoneStep } from "../model/reopening.ts";
import type { Ending } from "../model/transition.ts";
import type { Delivery } from "./delivery.ts";
import type { TxAnswer, TxDoor, TxTerms, TxVerdict } from "./tx.ts";
import type { RunRef, Write, WriteResult } from "./write.ts";

/** Epoch milliseconds; null, as the engine passes it: the clock that the store goes by. */
export type NowMs = number | null;

/** A claimed run; `nowMs` is the store's clock at the claim. */
export type Claim = { readonly run: Run; readonly nowMs: number };

/** All that a run remembers, for a replay. */
export type Memory = {
  /** By `seq`. */
  readonly checkpoints: readonly Checkpoint[];
  /** By `seq`. */
  readonly attempts: readonly Attempt[];
  /** Not consumed yet, by `seq`. */
  readonly inbox: readonly InboxItem[];
  /** What was undone in an earlier generation, in no order. */
  readonly undone: readonly UndoneStep[];
  /** Highest history sequence number of all rows of the run; 1 (its start) when there is none. */
  readonly lastSeq: number;
  /** The run's inbox number when this was read. */
  readonly inboxSeq: number;
};

/** A version of a workflow that this store has seen. */
export type Version = Identity & { readonly versionId: number };

/** A run under somebody's claim, and how far its inbox has grown. */
export type HeldRun = { readonly rowId: number; readonly inboxSeq: number };

/** A run that has ended, and how. */
export type EndedRun = { readonly rowId: number; readonly ending: Ending };

/** Who a worker is; equal `bootId` and pid namespace mean the same machine, `startedAt` tells a reused pid. */
export type WorkerProcess = {
  readonly name: string;
  readonly host: string;
  readonly bootId: string;
  readonly pid: number;
  readonly pidNamespace: string;
  readonly pidStartedAt: string;
};

/** What a worker offers, told when it registers. */
export type Offer = {
  /** Runs executed side by side at most. */
  readonly concurrency: number;
  /** `namespace/name@version` of each registered workflow. */
  readonly workflows: readonly string[];
};

/** A worker as registered. */
export type WorkerRow = WorkerProcess &
  Offer & {
    readonly workerId: number;
    readonly state: "alive" | "dead";
    /** Milliseconds until its lease lapses; 0 or less: it has. */
    readonly leaseLeftMs: number;
    /** Runs it executed when it was last seen. */
    readonly executing: number;
    readonly startedAtMs: number;
    readonly seenAtMs: number;
  };

/** What a worker learns when it renews its lease. */
export type Renewal = {
  /** False: declared dead; everything it holds is lost. */
  readonly alive: boolean;
  /** Milliseconds until the next lease of another worker lapses; 0: one has, or is dead already; null: nobody else. */
  readonly othersLapseInMs: number | null;
  /** Highest id of a worker, itself included. A number not seen before tells that somebody has come. */
  readonly newestWorkerId: number;
};

/** What others have committed; see S8. */
export type Change = {
  /** Runs may be due, or versions new. */
  readonly due: boolean;
  /** Runs that somebody holds may have new inbox items. */
  readonly inbox: boolean;
  /** Runs may have ended. */
  readonly ended: boolean;
  /** Workers have come or gone. */
  readonly workers: boolean;
};

/** Which runs to list; newest first. Fields left out do not filter. */
export type RunFilter = {
  readonly namespace?: string;
  readonly name?: string;
  readonly states?: readonly RunState[];
  /** Created at this moment or later; epoch milliseconds by the store's clock. */
  readonly createdFromMs?: number;
  /** Created before this moment. */
  readonly createdBeforeMs?: number;
  /** Name → value as `JSON.stringify` writes it; all must be there. */
  readonly attributes?: { readonly [name: string]: string };
  /** Where the page before ended, see RunPage. */
  readonly beforeRowId?: number;
  /** 1 to 1,000. */
  readonly limit: number;
};

/** A page of runs, newest first. It may be short, even empty, and not the last: one call looks at so many rows only. */
export type RunPage = {
  readonly runs: readonly Run[];
  /** Where the next page begins; null: there is nothing more. */
  readonly beforeRowId: number | null;
};

/** Which approvals to list; newest first. Fields left out do not filter. */
export type ApprovalFilter = {
  readonly state: ApprovalState;
  /** For one of these people or groups. */
  readonly to?: readonly string[];
  readonly namespace?: string;
  readonly name?: string;
  /** Where the page before ended. */
  readonly beforeId?: number;
  /** 1 to 1,000. */
  readonly limit: number;
};

/** A page of approvals, newest first. It may be short, even empty, and not the last: one call looks at so many only. */
export type ApprovalPage = {
  readonly approvals: readonly Approval[];
  /** Where the next page begins; null: there is nothing more. */
  readonly beforeId: number | null;
};

/** An approval, and what people have said to it: the first thousand, by `seq`. */
export type FoundApproval = {
  readonly rowId: number;
  readonly approval: Approval;
  readonly decisions: readonly StoredDecision[];
};

/** Milliseconds until something is due; 0: it is; null: nothing will be by time alone. */
export type NextDue = {
  readonly runInMs: number | null;
  readonly suspectInMs: number | null;
  /** Highest id of a version; 0: there is none. A number not seen before tells that versions are new. */
  readonly newestVersionId: number;
};

/** How long the oldest due run of a version has been due; milliseconds. */
export type OldestDue = { readonly version: Version; readonly overdueMs: number };

/** What a dead worker's runs became: how many are due again, and which are set aside. */
export type Released = { readonly freed: number; readonly quarantined: readonly Run[] };

/** A run that has ended or is paused, and what becomes of it. */
export type ReopenedRun = {
  readonly rowId: number;
  /** The one that has ended; another means that somebody has reopened it before. */
  readonly generation: number;
  readonly reopening: Reopening;
  /** Inbox items that the next generation must not meet, by number; consumed now. */
  readonly usedUp: readonly number[];
  /** What its inbox receives. */
  readonly deliveries: readonly Delivery[];
  /** The line of its history. */
  readonly note: { readonly kind: NoteKind; readonly value: string };
  /** A step that the next generation finds recorded, with the outcome `resolved`; null: none. */
  readonly resolved: Pick<Checkpoint, "key" | "kind" | "value" | "attempt"> | null;
};

/** A remark, and the run that it is about. */
export type RemarkOf = Remark & { readonly rowId: number };

/** The answer to a run that is to begin with a past. */
export type Forked = Extract<WriteResult, { kind: "inserted" | "exists" }>;

/** A breaker, and the run whose probe is under way; null: none is. `nowMs` is the store's clock. */
export type ListedBreaker = {
  readonly breaker: Breaker;
  readonly probing: RunRef | null;
  readonly nowMs: number;
};

/** Two flushes at once, of which each costs something of its own. */
export type SecondFlush = {
  /** So many writes must wait for it. */
  readonly writesMin: number;
  /** In each of the two, at most. */
  readonly writesMax: number;
};

/** A database, as the engine sees it. */
export type Store = {
  readonly kind: string;
  /** What whoever opens it should know, such as a server that does not flush; one sentence each. */
  readonly warnings: readonly string[];
  /** When a second flush is welcome while one is under way; null: they would only wait for each other. */
  readonly secondFlush: SecondFlush | null;
  /**
   * Longest pause between two looks for what others left that it advises just now; long where watchers are told, shorter
   * where they are not.
   */
  readonly pollMs: () => number;
  /** Find or insert the version; idempotent. */
  readonly ensureVersion: (identity: Identity) => Promise<Version>;
  readonly listVersions: () => Promise<readonly Version[]>;

  /** Group commit: one transaction, one answer per write, in order (S2, S4–S7). */
  readonly flush: (writes: readonly Write[], nowMs: NowMs) => Promise<readonly WriteResult[]>;
  /**
   * One transaction of the user's (S11). `work` is called at most once, and must not throw.
   *
   * @throws a store's error; STORE_OUTCOME_UNKNOWN when the commit may have taken place: the same terms with `doubt` tell
   */
  readonly transact: (terms: TxTerms, work: (door: TxDoor) => Promise<TxVerdict>) => Promise<TxAnswer>;
  /**
   * Take up to `limit` due runs of these versions, oldest due first (S1). `suspects`: of those on probation, see
   * isSuspect, one at most; false: of the others.
   */
  readonly claimRuns: (by: {
    readonly workerId: number;
    readonly suspects: boolean;
    readonly versionIds: readonly number[];
    readonly limit: number;
    readonly nowMs: NowMs;
  }) => Promise<readonly Claim[]>;
  /**
   * Make paused runs of these versions due, but not those on hold: newly deployed code may be what they waited for. Returns
   * how many.
   */
  readonly resumePaused: (versionIds: readonly number[], nowMs: NowMs) => Promise<number>;
  /** When the next unowned run of these versions is due, and when the next one on probation. */
  readonly nextDue: (versionIds: readonly number[], nowMs: NowMs) => Promise<NextDue>;
  /** Of every version that has an unowned run which is due: for how long the oldest has been. */
  readonly listOldestDue: (nowMs: NowMs) => Promise<readonly OldestDue[]>;
  /** The runs that a worker holds, with the number of each one's newest inbox item. */
  readonly listHeldRuns: (workerId: number) => Promise<readonly HeldRun[]>;
  readonly loadMemory: (rowId: number) => Promise<Memory>;
  /** Items not consumed yet with a number above `afterSeq`, by `seq`. */
  readonly listInbox: (rowId: number, afterSeq: number) => Promise<readonly InboxItem[]>;

  /**
   * Bring up to date what the owner's run asks people for. Returns when it was opened; null: the owner does not hold the
   * run, or it is not open.
   */
  readonly updateApproval: (owner: Owner, approval: NewApproval) => Promise<number | null>;
  /** With all decisions that were left for it. */
  readonly findApproval: (ref: RunRef, key: string) => Promise<FoundApproval | null>;
  readonly listApprovals: (filter: ApprovalFilter) => Promise<ApprovalPage>;

  /** Those of the given runs that have ended, in no order. */
  readonly listEnded: (rowIds: readonly number[]) => Promise<readonly EndedRun[]>;
  /**
   * S9. Each run is due now, its crashes forgotten, and has as much time as it had at first; its end becomes a line of the
   * history, after which the items consumed, the note and the resolved step are numbered. False: one of them has not ended
   * in that generation.
   */
  readonly reopenRuns: (runs: readonly ReopenedRun[], nowMs: NowMs) => Promise<boolean>;
  /**
   * Insert a run, due now, that begins with these checkpoints, numbered from 2 on, without an owner or a parent; or find the
   * one of its name.
   */
  readonly insertForked: (run: NewRun, past: readonly Checkpoint[], nowMs: NowMs) => Promise<Forked>;
  /** The runs that it awaits, or awaited, by the order in which they were started. */
  readonly listChildren: (rowId: number) => Promise<readonly Run[]>;
  /** Write it down; once per operation. */
  readonly addRemark: (rowId: number, remark: NewRemark, nowMs: NowMs) => Promise<void>;
  /** About these runs, in the order in which they were made. */
  readonly listRemarks: (rowIds: readonly number[]) => Promise<readonly RemarkOf[]>;
  readonly findRun: (ref: RunRef) => Promise<Run | null>;
  readonly listRuns: (filter: RunFilter) => Promise<RunPage>;
  /** By `seq`; inbox items not consumed yet come last. */
  readonly listHistory: (rowId: number) => Promise<readonly HistoryEvent[]>;
  /** Steps that are `running` under the run's present claim and have no checkpoint, in the order they began. */
  readonly listActiveSteps: (rowId: number) => Promise<readonly ActiveStep[]>;

  readonly registerWorker: (
    process: WorkerProcess,
    offer: Offer & { readonly leaseMs: number },
    nowMs: NowMs,
  ) => Promise<number>;
  /** Extend the lease and tell the load. A lapsed lease that nobody took may renew. */
  readonly renewWorker: (
    workerId: number,
    standing: { readonly leaseMs: number; readonly executing: number },
    nowMs: NowMs,
  ) => Promise<Renewal>;
  /** Alive ones, and dead ones whose runs may not be freed yet; by id. */
  readonly listWorkers: (nowMs: NowMs) => Promise<readonly WorkerRow[]>;
  /** Declare dead: only when its lease has lapsed, or `gone` proves its process ended. False: it lives. */
  readonly buryWorker: (workerId: number, gone: boolean, nowMs: NowMs) => Promise<boolean>;
  /**
   * Free every run of a dead worker under the next fence. `left`: it went in good order; due now, a `released` note.
   * `died`: crashes + 1 and a `takeover` note; due now, but a run that was on probation is quarantined, which a second
   * note tells.
   */
  readonly releaseRuns: (workerId: number, how: "died" | "left", nowMs: NowMs) => Promise<Released>;
  /** Leave the registry: a worker that has given everything up, or a dead one whose runs were freed. */
  readonly retireWorker: (workerId: number) => Promise<void>;

  /** The breaker of that name, and what is true of it just now; `owner`: on whose run's behalf. Writes nothing. */
  readonly findBreaker: (name: string, owner: Owner | null, nowMs: NowMs) => Promise<BreakerLook>;
  /**
   * Put it in the place of the revision before, or in none where it is the first. False, and nothing is changed: that is
   * not the one stored, or `owner` does not hold its run.
   */
  readonly saveBreaker: (breaker: Breaker, owner: Owner | null) => Promise<boolean>;
  /** By name, from the first after `afterName` on; at most `limit`. */
  readonly listBreakers: (
    page: { readonly afterName: string; readonly limit: number },
    nowMs: NowMs,
  ) => Promise<readonly ListedBreaker[]>;

  /** Call `onChange` when others have committed something, until the result is called or the store closed (S8). */
  readonly watch: (onChange: (change: Change) => void) => () => void;
  readonly close: () => Promise<void>;
};
