/**
 * Evidence: everything a simulation (or a kill test) saw, as plain data.
 *
 * Four witnesses that know nothing of each other: the store's own records, the log
 * written by step code, what clients asked for and were answered, and the runs as
 * they stand at the end. The checker compares them.
 */
import type { Breaker, BreakerLook } from "../../model/breaker.ts";
import type { HistoryEvent } from "../../model/history.ts";
import type { Owner, Run, RunState } from "../../model/run.ts";
import type { Claim, Memory, Released, ReopenedRun, WorkerProcess } from "../../store/store.ts";
import type { Write, WriteResult } from "../../store/write.ts";

/** Where and when: `at` is one global order over all witnesses, `trueMs` the kernel's time, which never jumps. */
export type Stamp = { readonly at: number; readonly trueMs: number; readonly process: string };

/** One operation that the store carried out. `knownAt`: when its caller had the answer; null: never. */
export type StoreRecord = Stamp & { knownAt: number | null } & (
    | { readonly kind: "flush"; readonly writes: readonly Write[]; readonly results: readonly WriteResult[] }
    | { readonly kind: "claim"; readonly workerId: number; readonly claims: readonly Claim[] }
    | { readonly kind: "memory"; readonly rowId: number; readonly memory: Memory }
    | {
        readonly kind: "register";
        readonly workerId: number;
        readonly worker: WorkerProcess;
        readonly leaseUntilMs: number;
      }
    | { readonly kind: "renew"; readonly workerId: number; readonly renewed: boolean; readonly leaseUntilMs: number }
    | {
        readonly kind: "bury";
        readonly workerId: number;
        readonly gone: boolean;
        readonly buried: boolean;
        readonly nowMs: number;
      }
    | ({ readonly kind: "free"; readonly workerId: number; readonly how: "died" | "left" } & Released)
    | { readonly kind: "retire"; readonly workerId: number }
    | { readonly kind: "reopen"; readonly runs: readonly ReopenedRun[]; readonly reopened: boolean }
    | { readonly kind: "look"; readonly name: string; readonly owner: Owner | null; readonly look: BreakerLook }
    | { readonly kind: "breaker"; readonly breaker: Breaker; readonly owner: Owner | null; readonly saved: boolean }
  );

/** What step code and bodies wrote down. `run` is a {@link runText}; `wallMs` the clock of the process, put right. */
export type WitnessEvent = Stamp & { readonly run: string; readonly key: string; readonly wallMs: number } & (
    | {
        readonly kind: "start";
        /** 1-based, as told by the step's context. */
        readonly attempt: number;
        /** Numbers all executions of the simulation. */
        readonly execution: number;
        readonly undo: boolean;
      }
    | {
        readonly kind: "end";
        readonly attempt: number;
        readonly execution: number;
        readonly undo: boolean;
        readonly result: "value" | "error" | "permanent";
        /** Of an error that names its own delay. */
        readonly retryAfterMs: number | null;
      }
    /** The body was handed this outcome; `value` is JSON of the value or of the error's message. */
    | { readonly kind: "observed"; readonly failed: boolean; readonly value: string }
  );

/** A client's wish, told once for all its repetitions. `answeredAt`, `answeredMs` are null until it is acknowledged. */
export type Request = {
  readonly run: string;
  readonly process: string;
  readonly askedAt: number;
  answeredAt: number | null;
  answeredMs: number | null;
} & (
  | { readonly kind: "start"; readonly input: string }
  | { readonly kind: "signal"; readonly name: string; readonly payload: string; readonly operation: string }
  /** `told`: "accepted", "recorded", or the code of the error; null: nobody has answered. */
  | {
      readonly kind: "decision";
      readonly key: string;
      readonly actor: string;
      readonly operation: string;
      told: string | null;
    }
  | { readonly kind: "cancel" }
  | { readonly kind: "pause" }
  /** Of a run that has ended in that generation. */
  | { readonly kind: "retry"; readonly generation: number }
  /** Of the pause before it. */
  | { readonly kind: "resume" }
  /** `answer`: how the handle said that the run ended. */
  | { readonly kind: "outcome"; answer: { readonly state: RunState; readonly value: string } | null }
);

/** A run at the end of the simulation. */
export type Story = { readonly run: Run; readonly history: readonly HistoryEvent[]; readonly memory: Memory };

/** All runs at some moment, between two operations of the store. */
export type Snapshot = Stamp & {
  readonly runs: readonly { readonly rowId: number; readonly state: RunState; readonly historySeq: number }[];
};

/**
 * A run carried out again from its history. `recorded`: how it ended; `writes`: what it wanted to store, its end last.
 */
export type Replay = {
  readonly run: string;
  readonly recorded: string;
  readonly writes: readonly { readonly fresh: boolean; readonly text: string }[];
};

/** What a step of a workload promised about its retries. */
export type StepPolicy = {
  readonly attemptsMax: number;
  readonly delayMsMin: number;
  /** Its code may still run when the engine has given the attempt up. */
  readonly timed: boolean;
};

/** A row that the code of a transaction has written: `part` 1 when it began, 2 before it ended, 3 with a run. */
export type UserRow = {
  readonly run: string;
  readonly key: string;
  readonly part: number;
  readonly execution: number;
};

/** An end that nobody asked the process for. */
export type Crash = Stamp & { readonly graceful: boolean };

/** See the header. */
export type Evidence = {
  readonly stories: readonly Story[];
  readonly records: readonly StoreRecord[];
  readonly witness: readonly WitnessEvent[];
  readonly requests: readonly Request[];
  readonly snapshots: readonly Snapshot[];
  readonly crashes: readonly Crash[];
  /** Version of the workflows by process. */
  readonly codes: Readonly<Record<string, string>>;
  /** Errors that escaped from the engine, and refusals it logged. */
  readonly strays: readonly (Stamp & { readonly text: string })[];
  readonly replays: readonly Replay[];
  /** Listed as open at the end. */
  readonly openApprovals: readonly { readonly run: string; readonly key: string }[];
  /** What transactions have written, at the end. */
  readonly rows: readonly UserRow[];
  /** By the first part of a step's key, or `*`; compensations by the key of the compensation. */
  readonly policies: Readonly<Record<string, StepPolicy>>;
  readonly leaseMs: number;
  /** When faults ended, in true time; null: they never did. */
  readonly healedMs: number | null;
  /** Longest time from an end of faults to the end of every run. */
  readonly healingMs: number;
  /** By how much clocks were set back, all in all; who has seen a later time counts on from that. */
  readonly setBackMs: number;
  /** How long a claimed run may go on after a cancel or a pause was acknowledged. */
  readonly cancelMs: number;
  /** True when the only faults were crashes: then takeovers have a deadline (P9). */
  readonly calm: boolean;
};

/** A run's public name as text: `namespace/name id`. */
export function runText(run: { readonly namespace: string; readonly name: string; readonly id: string }): string {
  return `${run.namespace}/${run.name} ${run.id}`;
}
