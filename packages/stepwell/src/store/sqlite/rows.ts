/**
 * Rows: what the tables hold, and the model values they become. The driver's rows
 * have no prototype and snake_case names; neither passes this file.
 */
import type { InboxItem } from "../../model/inbox.ts";
import type { Attributes, Run, RunState, Wait } from "../../model/run.ts";
import type { ActiveStep, Attempt, Checkpoint, StepKind, StepOutcome } from "../../model/step.ts";
import type { Version, WorkerRow } from "../store.ts";
import type { QUERIES } from "./sql.generated.ts";

/** A version, with the workflow it belongs to. */
export type VersionRow = {
  readonly id: number;
  readonly workflow_id: number;
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
};

/**
 * `SELECT * FROM runs`, as an array in the order of the table: with so many columns the driver's objects take 4 us more
 * (measured). Guards' columns come first and payloads last, so a migration that adds one builds the table anew.
 */
export type RunRow = readonly [
  id: number,
  workerId: number | null,
  fence: number,
  generation: number,
  inboxSeq: number,
  state: RunState,
  dueAtMs: number | null,
  workflowId: number,
  versionId: number,
  publicId: string,
  historySeq: number,
  crashes: number,
  createdAtMs: number,
  endedAtMs: number | null,
  deadlineAtMs: number | null,
  ending: "failed" | "cancelled" | null,
  seed: number,
  actor: string,
  inputHash: string | null,
  parentId: number | null,
  parentKey: string | null,
  parentAwaits: number,
  attributes: string | null,
  waitingFor: string | null,
  progress: string | null,
  error: string | null,
  output: string | null,
  input: string,
];

/** Queries that answer with RunRows. */
export const RUN_QUERIES = [
  "findRun",
  "findRunById",
  "findRunByPublicId",
  "findHeldRun",
  "listRuns",
  "listRunsByAttribute",
] as const satisfies readonly (keyof typeof QUERIES)[];

/** What decides whether a write may pass. */
export type StandingRow = {
  readonly state: RunState;
  readonly worker_id: number | null;
  readonly fence: number;
  readonly generation: number;
  readonly inbox_seq: number;
};

/** A row of `steps`; `at_ms` is read for the history alone. */
export type StepRow = {
  readonly key: string;
  readonly kind: StepKind;
  readonly outcome: StepOutcome;
  readonly value: string;
  readonly seq: number;
  readonly attempt: number;
  readonly compensable: number;
  readonly at_ms: number;
  readonly duration_ms: number;
};

/** A row of `attempts`; `at_ms` is read for the history alone, heartbeats for a replay. */
export type AttemptRow = {
  readonly key: string;
  readonly kind: StepKind;
  readonly state: Attempt["state"];
  readonly attempt: number;
  readonly seq: number;
  readonly error: string | null;
  readonly due_at_ms: number | null;
  readonly at_ms: number;
  readonly duration_ms: number;
  readonly began_seq: number | null;
  readonly began_at_ms: number | null;
  readonly beat: string | null;
  readonly beat_at_ms: number | null;
};

/** What listActiveSteps answers with. */
export type ActiveStepRow = Pick<AttemptRow, "key" | "kind" | "attempt" | "beat" | "beat_at_ms"> & {
  readonly began_at_ms: number;
};

/** A row of `inbox`. */
export type ItemRow = {
  readonly seq: number;
  readonly kind: InboxItem["kind"];
  readonly name: string;
  readonly payload: string;
  readonly actor: string;
  readonly at_ms: number;
  readonly consumed_seq: number | null;
};

/** `SELECT * FROM workers`. */
export type WorkerTableRow = {
  readonly id: number;
  readonly name: string;
  readonly host: string;
  readonly boot_id: string;
  readonly pid: number;
  readonly pid_namespace: string;
  readonly pid_started_at: string;
  readonly state: "alive" | "dead";
  readonly lease_until_ms: number;
  readonly started_at_ms: number;
  readonly concurrency: number;
  readonly executing: number;
  readonly seen_at_ms: number;
  readonly workflows: string;
};

/** A version as the port tells it. */
export function toVersion(row: VersionRow): Version {
  return { versionId: row.id, namespace: row.namespace, name: row.name, version: row.version };
}

/** A run; `getVersion` finds the row of its version. */
export function toRun(row: RunRow, getVersion: (versionId: number) => VersionRow): Run {
  const [rowId, workerId, fence, generation, inboxSeq, state, dueAtMs, , versionId, id, historySeq, ...rest] = row;
  const [crashes, createdAtMs, endedAtMs, deadlineAtMs, ending, seed, actor, inputHash, ...last] = rest;
  const [parentId, parentKey, parentAwaits, attributes, waitingFor, progress, error, output, input] = last;
  const { namespace, name, version } = getVersion(versionId);
  return {
    namespace,
    name,
    version,
    rowId,
    id,
    versionId,
    state,
    input,
    inputHash,
    output,
    error,
    ending,
    actor,
    seed,
    generation,
    fence,
    workerId,
    crashes,
    inboxSeq,
    historySeq,
    parent:
      parentId === null || parentKey === null ? null : { rowId: parentId, key: parentKey, awaited: parentAwaits === 1 },
    waitingFor: waitingFor === null ? [] : (JSON.parse(waitingFor) as Wait[]),
    progress,
    attributes: toAttributes(attributes),
    createdAtMs,
    dueAtMs,
    endedAtMs,
    deadlineAtMs,
  };
}

/** Of a run that has none. */
const NO_ATTRIBUTES: Attributes = Object.freeze({});

/** The attributes of a run, from their text. */
export function toAttributes(text: string | null): Attributes {
  return text === null ? NO_ATTRIBUTES : (JSON.parse(text) as Attributes);
}

/** A checkpoint. */
export function toCheckpoint(row: StepRow): Checkpoint {
  return {
    key: row.key,
    kind: row.kind,
    outcome: row.outcome,
    value: row.value,
    seq: row.seq,
    attempt: row.attempt,
    compensable: row.compensable === 1,
    durationMs: row.duration_ms,
  };
}

/** An attempt or the beginning of a wait. */
export function toAttempt(row: AttemptRow): Attempt {
  return {
    key: row.key,
    kind: row.kind,
    state: row.state,
    attempt: row.attempt,
    seq: row.seq,
    error: row.error,
    dueAtMs: row.due_at_ms,
    durationMs: row.duration_ms,
    beganSeq: row.began_seq,
    beganAtMs: row.began_at_ms,
    beat: row.beat,
    beatAtMs: row.beat_at_ms,
  };
}

/** A step that is running. */
export function toActiveStep(row: ActiveStepRow): ActiveStep {
  return {
    key: row.key,
    kind: row.kind,
    attempt: row.attempt,
    beganAtMs: row.began_at_ms,
    beat: row.beat,
    beatAtMs: row.beat_at_ms,
  };
}

/** An inbox item. */
export function toItem(row: ItemRow): InboxItem {
  return { seq: row.seq, kind: row.kind, name: row.name, payload: row.payload, actor: row.actor, atMs: row.at_ms };
}

/** A worker, at the moment `nowMs`. */
export function toWorker(row: WorkerTableRow, nowMs: number): WorkerRow {
  return {
    workerId: row.id,
    name: row.name,
    host: row.host,
    bootId: row.boot_id,
    pid: row.pid,
    pidNamespace: row.pid_namespace,
    pidStartedAt: row.pid_started_at,
    state: row.state,
    leaseLeftMs: row.lease_until_ms - nowMs,
    concurrency: row.concurrency,
    executing: row.executing,
    workflows: JSON.parse(row.workflows) as string[],
    startedAtMs: row.started_at_ms,
    seenAtMs: row.seen_at_ms,
  };
}
