/**
 * Lives: runs that an operator has let go on after their end. Most invariants are about a run with one life; these runs are
 * set apart, and held against invariants of their own.
 */
import type { WriteResult } from "../../store/write.ts";
import type { Write } from "../../store/write.ts";
import { type Evidence, runText, type Story, type StoreRecord } from "./evidence.ts";

/** The evidence about all others, and the stories of those who went on. */
export function setApart(evidence: Evidence): { readonly others: Evidence; readonly reopened: readonly Story[] } {
  const reopened = evidence.stories.filter(({ run }) => run.generation > 1);
  if (reopened.length === 0) return { others: evidence, reopened };
  const rows = new Set(reopened.map(({ run }) => run.rowId));
  const names = new Set(reopened.map(({ run }) => runText(run)));
  const isOther = ({ run }: { readonly run: string }): boolean => !names.has(run);
  const others = {
    ...evidence,
    stories: evidence.stories.filter(({ run }) => !rows.has(run.rowId)),
    records: evidence.records
      .filter((record) => record.kind !== "memory" || !rows.has(record.rowId))
      .map((record) => withoutRuns(record, rows, names)),
    witness: evidence.witness.filter(isOther),
    requests: evidence.requests.filter(isOther),
    replays: evidence.replays.filter(isOther),
    snapshots: evidence.snapshots.map((snapshot) => ({
      ...snapshot,
      runs: snapshot.runs.filter(({ rowId }) => !rows.has(rowId)),
    })),
  };
  return { others, reopened };
}

function withoutRuns(record: StoreRecord, rows: ReadonlySet<number>, names: ReadonlySet<string>): StoreRecord {
  switch (record.kind) {
    case "flush": {
      const kept = record.writes
        .map((write, index) => ({ write, result: record.results[index]! }))
        .filter((pair) => !isAbout(pair, rows, names));
      return { ...record, writes: kept.map(({ write }) => write), results: kept.map(({ result }) => result) };
    }
    case "claim":
      return { ...record, claims: record.claims.filter(({ run }) => !rows.has(run.rowId)) };
    case "free":
      return { ...record, quarantined: record.quarantined.filter(({ rowId }) => !rows.has(rowId)) };
    default:
      return record;
  }
}

function isAbout(
  { write, result }: { readonly write: Write; readonly result: WriteResult },
  rows: ReadonlySet<number>,
  names: ReadonlySet<string>,
): boolean {
  if (write.kind === "post") return names.has(runText(write.to));
  if (write.kind === "wake") return rows.has(write.rowId);
  if (write.kind !== "insert_run") return rows.has(write.owner.rowId);
  if (result.kind === "inserted") return rows.has(result.rowId);
  return result.kind === "exists" && rows.has(result.run.rowId);
}
