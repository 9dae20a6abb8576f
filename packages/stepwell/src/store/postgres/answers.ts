/**
 * Answers: what to say of each write of a round, by what its statement accepted. Where that was not all of a kind, a fresh
 * look finds out why (explain.ts).
 */
import type { Write, WriteResult } from "../write.ts";
import { explain } from "./explain.ts";
import { type Draft, isPlain, type PartName } from "./parts.ts";
import type { Row } from "./query.ts";
import type { Round } from "./rounds.ts";
import {
  type Batch,
  type DeliveredItem,
  insertedResult,
  itemKey,
  postedResult,
  STALE,
  type Told,
  turnedResult,
} from "./told.ts";

/** Fill the results of a round. `row` is what its statement answered. */
export async function answerRound(batch: Batch, round: Round, draft: Draft, row: Row): Promise<void> {
  const told = readTold(row);
  const whole = new Set<PartName>(COUNTED.filter((part) => Number(row[part]) === draft.rows[part]?.length));
  if (told.items.size === draft.rows.posts?.length) whole.add("posts");
  if (told.runs.length === draft.rows.runs?.length) whole.add("runs");
  const open: number[] = [];
  let inserted = 0;
  for (const index of round) {
    const write = batch.writes[index]!;
    if (write.kind === "insert_run" && whole.has("runs")) {
      batch.results[index] = insertedResult(told, write, told.runs[inserted]!);
      inserted += 1;
      continue;
    }
    const answer = answerAtOnce(told, write, whole);
    if (answer === null) open.push(index);
    else batch.results[index] = answer;
  }
  if (open.length > 0) await explain(batch, open, told);
}

/** Parts whose acceptance is a count. */
const COUNTED = ["plain", "steps", "attempts", "beats", "notes", "progress", "attributes", "turns"] as const;

const PART_OF: { readonly [K in Exclude<Write["kind"], "checkpoint" | "post" | "wake">]: PartName } = {
  insert_run: "runs",
  attempt: "attempts",
  beat: "beats",
  transition: "turns",
  note: "notes",
  progress: "progress",
  attributes: "attributes",
};

function readTold(row: Row): Told {
  const atMs = Number(row["now_ms"]);
  const items = new Map<string, DeliveredItem>();
  const byOperation = new Map<string, DeliveredItem | null>();
  const rows = (row["items"] ?? []) as readonly (readonly [number, number, string, boolean, string])[];
  for (const [rowId, seq, operation, claimable, actor] of rows) {
    const item = { rowId, seq, claimable, actor };
    items.set(itemKey(rowId, operation), item);
    byOperation.set(operation, byOperation.has(operation) ? null : item);
  }
  return {
    atMs,
    alive: new Set(toNumbers(row["alive"])),
    stored: { kind: "stored", atMs },
    items,
    byOperation,
    wakes: new Set(toNumbers(row["wakes"])),
    runs: toNumbers(row["runs"]),
  };
}

function toNumbers(ids: unknown): readonly number[] {
  return Array.isArray(ids) ? ids.map(Number) : [];
}

/** Null: only a fresh look can tell. */
function answerAtOnce(told: Told, write: Write, whole: ReadonlySet<PartName>): WriteResult | null {
  switch (write.kind) {
    case "wake":
      return told.wakes.has(write.rowId) ? told.stored : STALE;
    case "post": {
      const item = told.byOperation.get(write.item.operationId);
      const certain = item !== undefined && item !== null && whole.has("posts");
      return certain ? postedResult(told, item, write.item) : null;
    }
    case "checkpoint":
      return whole.has(isPlain(write) ? "plain" : "steps") ? told.stored : null;
    case "transition":
      return whole.has("turns") ? turnedResult(told, write) : null;
    case "insert_run":
    case "attempt":
    case "beat":
    case "note":
    case "progress":
    case "attributes":
      return whole.has(PART_OF[write.kind]) ? told.stored : null;
  }
}
