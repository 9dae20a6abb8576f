/**
 * Run: reading runs by name, with all that they remember, with what is new in their inbox, and how they ended.
 */
import { StepwellError } from "../../model/errors.ts";
import type { InboxItem } from "../../model/inbox.ts";
import type { Run } from "../../model/run.ts";
import type { Ending } from "../../model/transition.ts";
import { type ItemRow, toAttempt, toCheckpoint, toItem } from "../rows.ts";
import type { EndedRun, Memory } from "../store.ts";
import type { RunRef } from "../write.ts";
import { bySeq, type Piece, toAttempts, toItems, toSteps } from "./piece.ts";
import { read, type Session } from "./session.ts";
import { toRuns } from "./version.ts";

/** The newest state of each run; null where there is none of that name. */
export async function findRuns(session: Session, refs: readonly RunRef[]): Promise<readonly (Run | null)[]> {
  // The server refuses a text that holds NUL, so no run has such a name; asking for it would fail all the others.
  const places = [...refs.keys()].filter((place) => !Object.values(refs[place]!).some((name) => name.includes("\0")));
  const rows = await read(session, "findRuns", {
    namespaces: places.map((place) => refs[place]!.namespace),
    names: places.map((place) => refs[place]!.name),
    publicIds: places.map((place) => refs[place]!.id),
  });
  const runs = await toRuns(session, rows);
  const found: (Run | null)[] = refs.map(() => null);
  for (const [index, run] of runs.entries()) found[places[Number(rows[index]!["place"]) - 1]!] = run;
  return found;
}

/** What a replay of each run needs, of its present generation; RUN_NOT_FOUND where there is no such row. */
export async function loadMemories(session: Session, rowIds: readonly number[]): Promise<readonly (Memory | Error)[]> {
  const rows = (await read(session, "loadMemories", { rowIds: [...new Set(rowIds)] })) as readonly MemoryPiece[];
  const byRun = new Map<number, MemoryPiece[]>();
  for (const row of rows) {
    const pieces = byRun.get(row.run_id);
    if (pieces === undefined) byRun.set(row.run_id, [row]);
    else pieces.push(row);
  }
  return rowIds.map((rowId) => {
    const pieces = byRun.get(rowId);
    if (pieces !== undefined) return toMemory(pieces);
    return new StepwellError("RUN_NOT_FOUND", `${session.place} has no run of row ${rowId}`);
  });
}

type MemoryPiece = Piece & { readonly run_id: number; readonly inbox_seq: number };

function toMemory(pieces: readonly MemoryPiece[]): Memory {
  const run = pieces.find(({ piece }) => piece === "run")!;
  return {
    checkpoints: toSteps(pieces).toSorted(bySeq).map(toCheckpoint),
    attempts: toAttempts(pieces).toSorted(bySeq).map(toAttempt),
    inbox: toItems(pieces).map(toItem),
    undone: pieces
      .filter(({ piece }) => piece === "undone")
      .map(({ key, seq }) => ({ key: key as string, generation: seq })),
    lastSeq: run.seq,
    inboxSeq: run.inbox_seq,
  };
}

/** Items of a run that are not consumed, above `afterSeq`. */
export async function listInbox(session: Session, rowId: number, afterSeq: number): Promise<readonly InboxItem[]> {
  const rows = await read(session, "listInbox", { rowId, afterSeq });
  return (rows as unknown as readonly ItemRow[]).map(toItem);
}

/** Those of the given runs that have ended, in no order; one query however many they are. */
export async function listEnded(session: Session, rowIds: readonly number[]): Promise<readonly EndedRun[]> {
  const rows = (await read(session, "listEnded", { rowIds })) as unknown as readonly EndedRow[];
  return rows.map(({ id, state, value }) => ({ rowId: id, ending: { state, value: value ?? "null" } }));
}

type EndedRow = { readonly id: number; readonly state: Ending["state"]; readonly value: string | null };
