/**
 * Run row: a row of `runs` as this driver gives it best, an array in the order of the
 * table. With so many columns its objects take 4 us more (measured).
 */
import type { RunState } from "../../model/run.ts";
import type { RunRow } from "../rows.ts";
import type { QUERIES } from "./sql.generated.ts";

/** Queries that answer with RunValues. */
export const RUN_QUERIES = [
  "findRun",
  "findRunById",
  "findRunByPublicId",
  "findHeldRun",
  "listRuns",
  "listRunsByAttribute",
  "listChildren",
] as const satisfies readonly (keyof typeof QUERIES)[];

/** Guards' columns come first and payloads last, so a migration that adds one builds the table anew. */
export type RunValues = readonly [
  id: number,
  workerId: number | null,
  fence: number,
  generation: number,
  inboxSeq: number,
  state: RunState,
  onHold: number,
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

/** The row, its columns by name. */
export function toRunRow(values: RunValues): RunRow {
  const [id, worker_id, fence, generation, inbox_seq, state, on_hold, due_at_ms, , version_id, public_id, ...more] =
    values;
  const [history_seq, crashes, created_at_ms, ended_at_ms, deadline_at_ms, ending, seed, actor, ...rest] = more;
  const [input_hash, parent_id, parent_key, parent_awaits, attributes, waiting_for, ...payloads] = rest;
  const [progress, error, output, input] = payloads;
  return {
    id,
    worker_id,
    fence,
    generation,
    inbox_seq,
    state,
    on_hold,
    due_at_ms,
    version_id,
    public_id,
    history_seq,
    crashes,
    created_at_ms,
    ended_at_ms,
    deadline_at_ms,
    ending,
    seed,
    actor,
    input_hash,
    parent_id,
    parent_key,
    parent_awaits,
    attributes,
    waiting_for,
    progress,
    error,
    output,
    input,
  };
}
