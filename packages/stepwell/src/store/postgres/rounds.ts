/**
 * Rounds: which writes of a flush may stand in one statement.
 *
 * The parts of a statement see one snapshot and not each other's rows, and a row may be changed by one of them only. So
 * most flushes are one round, and a write that meets an earlier one of its run goes into the next:
 *
 *   - what comes after a transition of the same run: it must see that the claim is gone
 *   - a second change of the same row of `runs`, or of the same step or attempt
 *   - an approval's outcome after its opening
 *   - a transition after an attempt that begins: to begin again after a crash takes a second statement (explain.ts), for
 *     which the claim must be there
 *
 * Within a round writes stand in the order of their runs, in which rows are then locked (flush.sql).
 *
 * Writes of one owner keep their order. Posts come after all others, in an order of their own: an outsider's item has no
 * order with what an owner writes at the same moment.
 */
import type { Write } from "../write.ts";

/** Indices into the flush, in the order given. */
export type Round = readonly number[];

type Owned = Exclude<Write, { kind: "post" }>;

type Draft = {
  readonly indices: number[];
  /** Runs that a transition of this round may take from their owner. */
  readonly turned: Set<number>;
  /** Runs of which an attempt begins. */
  readonly begun: Set<number>;
  /** Rows of `runs` that the owner's write changes. */
  readonly changed: Set<number>;
  /** Rows of `runs` that an item changes; many items of one round may. */
  readonly told: Set<number>;
  /** Rows of other tables, so far as two writes of a flush may name the same. */
  readonly rows: Set<string>;
};

/** Part the writes of a flush. */
export function toRounds(writes: readonly Write[]): readonly Round[] {
  const drafts: Draft[] = [];
  const posts: number[] = [];
  /** The round of a run's newest write: the next one cannot stand before it. */
  const newest = new Map<number, number>();
  for (let index = 0; index < writes.length; index += 1) {
    const write = writes[index]!;
    if (write.kind === "post") {
      posts.push(index);
      continue;
    }
    const runs = runsOf(write);
    let at = 0;
    for (const rowId of runs) at = Math.max(at, newest.get(rowId) ?? 0);
    while (at < drafts.length && clashes(drafts[at]!, write)) at += 1;
    if (at === drafts.length) drafts.push(newDraft());
    enter(drafts[at]!, write, index);
    if (at > 0) for (const rowId of runs) newest.set(rowId, at);
  }
  const compare = comparison(writes);
  const rounds: Round[] = drafts.map(({ indices }) => indices.sort(compare));
  return posts.length === 0 ? rounds : [...rounds, posts];
}

/** New runs have no number yet; who inserts one of the same name waits as well. */
function comparison(writes: readonly Write[]): (a: number, b: number) => number {
  const runs = writes.map((write) => (write.kind === "post" || write.kind === "insert_run" ? 0 : (runOf(write) ?? 0)));
  const names = writes.map((write) => (write.kind === "insert_run" ? write.run.id : ""));
  return (a, b) => {
    if (runs[a] !== runs[b]) return runs[a]! - runs[b]!;
    if (names[a] === names[b]) return 0;
    return names[a]! < names[b]! ? -1 : 1;
  };
}

function newDraft(): Draft {
  return { indices: [], turned: new Set(), begun: new Set(), changed: new Set(), told: new Set(), rows: new Set() };
}

function runsOf(write: Owned): readonly number[] {
  return [runOf(write), toldBy(write)].filter((rowId) => rowId !== null);
}

/** Null: it is nobody's, or malformed, which its part will find out. */
function runOf(write: Owned): number | null {
  return write.kind === "wake" ? write.rowId : (write.owner?.rowId ?? null);
}

/** The parent that hears of this end. */
function toldBy(write: Owned): number | null {
  return write.kind === "transition" && write.parent?.awaited === true ? write.parent.rowId : null;
}

/** The run whose row the owner's write changes. */
function changedBy(write: Owned): number | null {
  switch (write.kind) {
    case "transition":
    case "progress":
    case "attributes":
    case "wake":
      return runOf(write);
    case "checkpoint":
      return write.clearsCrashes ? runOf(write) : null;
    case "attempt":
    case "beat":
    case "note":
    case "insert_run":
      return null;
  }
}

/** The row of `steps` or `attempts` that it writes. */
function rowOf(write: Owned): string | null {
  if (write.kind === "checkpoint") return `${runOf(write)} ${write.checkpoint.key}`;
  if (write.kind === "attempt") return `${runOf(write)} ${write.attempt.attempt} ${write.attempt.key}`;
  return write.kind === "beat" ? `${runOf(write)} ${write.attempt} ${write.key}` : null;
}

function clashes(draft: Draft, write: Owned): boolean {
  const owned = runOf(write);
  if (owned !== null && draft.turned.has(owned)) return true;
  if (write.kind === "transition" && owned !== null && draft.begun.has(owned)) return true;
  const changed = changedBy(write);
  if (changed !== null && (draft.changed.has(changed) || draft.told.has(changed))) return true;
  const told = toldBy(write);
  if (told !== null && draft.changed.has(told)) return true;
  const row = rowOf(write);
  return row !== null && draft.rows.has(row);
}

function enter(draft: Draft, write: Owned, index: number): void {
  draft.indices.push(index);
  const owned = runOf(write);
  if (write.kind === "transition" && owned !== null) draft.turned.add(owned);
  if (write.kind === "attempt" && write.attempt.state === "running" && owned !== null) draft.begun.add(owned);
  const changed = changedBy(write);
  if (changed !== null) draft.changed.add(changed);
  const told = toldBy(write);
  if (told !== null) draft.told.add(told);
  const row = rowOf(write);
  if (row !== null) draft.rows.add(row);
  if (write.kind === "attempt" && write.opens !== undefined) draft.rows.add(`${owned} ${write.attempt.key}`);
}
