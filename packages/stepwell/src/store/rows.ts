/**
 * Rows: what the tables hold, and the model values they become, alike in every database.
 * A driver's rows have no prototype and snake_case names; neither passes this file. Where
 * a database has no booleans, they are 0 and 1.
 */
import type { Remark } from "../model/remark.ts";
import type { InboxItem } from "../model/inbox.ts";
import type { Identity, Run, RunState, Wait } from "../model/run.ts";
import type { ActiveStep, Attempt, Checkpoint, StepKind, StepOutcome } from "../model/step.ts";
import { toAttributes } from "./attributes.ts";
import type { RemarkOf, Version, WorkerRow } from "./store.ts";

/** A version, with the workflow it belongs to. */
export type VersionRow = {
  readonly id: number;
  readonly workflow_id: number;
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
};

/** `SELECT * FROM runs`. */
export type RunRow = {
  readonly id: number;
  readonly worker_id: number | null;
  readonly fence: number;
  readonly generation: number;
  readonly inbox_seq: number;
  readonly state: RunState;
  readonly on_hold: boolean | number;
  readonly due_at_ms: number | null;
  readonly version_id: number;
  readonly public_id: string;
  readonly history_seq: number;
  readonly crashes: number;
  readonly created_at_ms: number;
  readonly ended_at_ms: number | null;
  readonly deadline_at_ms: number | null;
  readonly ending: "failed" | "cancelled" | null;
  readonly seed: number;
  readonly actor: string;
  readonly input_hash: string | null;
  readonly parent_id: number | null;
  readonly parent_key: string | null;
  readonly parent_awaits: boolean | number;
  readonly attributes: string | null;
  readonly waiting_for: string | null;
  readonly progress: string | null;
  readonly error: string | null;
  readonly output: string | null;
  readonly input: string;
};

/** What decides whether a write may pass. */
export type StandingRow = {
  readonly state: RunState;
  readonly worker_id: number | null;
  readonly fence: number;
  readonly generation: number;
  readonly inbox_seq: number;
  readonly on_hold: boolean | number;
};

/** A row of `steps`; `at_ms` is read for the history alone. */
export type StepRow = {
  readonly key: string;
  readonly kind: StepKind;
  readonly outcome: StepOutcome;
  readonly value: string;
  readonly seq: number;
  readonly attempt: number;
  readonly compensable: boolean | number;
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

/** What listRemarks answers with. */
export type RemarkRow = {
  readonly run_id: number;
  readonly kind: Remark["kind"];
  readonly generation: number;
  readonly actor: string;
  readonly at_ms: number;
  readonly text: string;
};

/** A remark, and the run that it is about. */
export function toRemark({ run_id: rowId, kind, generation, actor, at_ms: atMs, text }: RemarkRow): RemarkOf {
  return { rowId, kind, generation, actor, atMs, text };
}

/** A version as the port tells it. */
export function toVersion(row: VersionRow): Version {
  return { versionId: row.id, namespace: row.namespace, name: row.name, version: row.version };
}

/** A run, and the version that it belongs to. */
export function toRun(row: RunRow, { namespace, name, version }: Identity): Run {
  const { parent_id: parentId, parent_key: parentKey, waiting_for: waitingFor } = row;
  return {
    namespace,
    name,
    version,
    rowId: row.id,
    id: row.public_id,
    versionId: row.version_id,
    state: row.state,
    input: row.input,
    inputHash: row.input_hash,
    output: row.output,
    error: row.error,
    onHold: Boolean(row.on_hold),
    ending: row.ending,
    actor: row.actor,
    seed: row.seed,
    generation: row.generation,
    fence: row.fence,
    workerId: row.worker_id,
    crashes: row.crashes,
    inboxSeq: row.inbox_seq,
    historySeq: row.history_seq,
    parent:
      parentId === null || parentKey === null
        ? null
        : { rowId: parentId, key: parentKey, awaited: Boolean(row.parent_awaits) },
    waitingFor: waitingFor === null ? [] : (JSON.parse(waitingFor) as Wait[]),
    progress: row.progress,
    attributes: toAttributes(row.attributes),
    createdAtMs: row.created_at_ms,
    dueAtMs: row.due_at_ms,
    endedAtMs: row.ended_at_ms,
    deadlineAtMs: row.deadline_at_ms,
  };
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
    compensable: Boolean(row.compensable),
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
