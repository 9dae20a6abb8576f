/**
 * Answers: what to say of each write of a round, by what its statement accepted. Where that was not all of a kind, a fresh
 * look finds out why (explain.ts).
 */
import { toEnding } from "../../model/transition.ts";
import { type Delivery, endingDelivery, endingOperation } from "../delivery.ts";
import type { NowMs, Write, WriteResult } from "../store.ts";
import { explain } from "./explain.ts";
import { type Draft, isPlain, type PartName } from "./parts.ts";
import type { Row } from "./query.ts";
import type { Round } from "./rounds.ts";
import type { Session } from "./session.ts";

/** One flush under way. */
export type Batch = {
  readonly session: Session;
  readonly writes: readonly Write[];
  readonly nowMs: NowMs;
  /** At the places of the writes; filled round by round. */
  readonly results: WriteResult[];
};

/** A kind of write. */
export type Of<Kind extends Write["kind"]> = Extract<Write, { kind: Kind }>;

/** What is known about a round once its statement is back. */
export type Told = {
  readonly atMs: number;
  readonly alive: ReadonlySet<number>;
  readonly stored: WriteResult;
  /** Items that were delivered, by run and operation, see itemKey. */
  readonly items: ReadonlyMap<string, DeliveredItem>;
  /** And by operation alone; null where two runs have one of that name. */
  readonly byOperation: ReadonlyMap<string, DeliveredItem | null>;
  readonly wakes: ReadonlySet<number>;
  /** Inserted runs. */
  readonly runs: readonly number[];
};

/** An item as its run's inbox numbered it. */
export type DeliveredItem = {
  readonly rowId: number;
  readonly seq: number;
  readonly claimable: boolean;
  readonly actor: string;
};

/** The answer to a write whose owner does not hold the run. */
export const STALE: WriteResult = { kind: "stale" };

/** Fill the results of a round. `row` is what its statement answered. */
export async function answerRound(batch: Batch, round: Round, draft: Draft, row: Row): Promise<void> {
  const told = readTold(row);
  const accepted = (part: PartName, column: string): boolean => Number(row[part]) === draft.columns[column]?.length;
  const whole = new Set<PartName>(WHOLE.flatMap(([part, column]) => (accepted(part, column) ? [part] : [])));
  if (told.items.size === draft.columns["postPublicIds"]?.length) whole.add("posts");
  if (told.runs.length === draft.columns["runPublicIds"]?.length) whole.add("runs");
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

/** Parts whose acceptance is a count, and a column that has an entry for each of their writes. */
const WHOLE: readonly (readonly [PartName, column: string])[] = [
  ["plain", "plainRunIds"],
  ["steps", "stepRunIds"],
  ["attempts", "attemptRunIds"],
  ["beats", "beatRunIds"],
  ["notes", "noteRunIds"],
  ["progress", "progressRunIds"],
  ["attributes", "attributeRunIds"],
  ["turns", "turnRunIds"],
];

const PART_OF: { readonly [K in Exclude<Write["kind"], "checkpoint" | "post" | "wake">]: PartName } = {
  insert_run: "runs",
  attempt: "attempts",
  beat: "beats",
  transition: "turns",
  note: "notes",
  progress: "progress",
  attributes: "attributes",
};

/** Operations are unique within one run. */
export function itemKey(rowId: number, operationId: string): string {
  return `${rowId} ${operationId}`;
}

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

/** The answer to a run that this round has inserted. */
export function insertedResult({ atMs, alive }: Told, { claimFor }: Of<"insert_run">, rowId: number): WriteResult {
  return { kind: "inserted", atMs, rowId, claimed: claimFor !== null && alive.has(claimFor) };
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

/** The answer to a transition that was applied. A parent that has ended, or is gone, needs no telling. */
export function turnedResult(told: Told, { owner, parent, transition }: Of<"transition">): WriteResult {
  const ending = parent?.awaited === true ? toEnding(transition) : null;
  if (parent === null || ending === null) return told.stored;
  const item = told.items.get(itemKey(parent.rowId, endingOperation(owner)));
  return item === undefined ? told.stored : postedResult(told, item, endingDelivery({ owner, id: "", parent, ending }));
}

/** The answer to an item that this round has delivered. */
export function postedResult({ atMs }: Told, item: DeliveredItem, sent: Omit<Delivery, "operationId">): WriteResult {
  const { rowId, seq, claimable, actor } = item;
  const { kind, name, payload } = sent;
  return { kind: "posted", atMs, rowId, item: { seq, kind, name, payload, actor, atMs }, claimable };
}
