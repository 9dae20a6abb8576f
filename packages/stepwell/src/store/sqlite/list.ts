/**
 * List: pages of runs, newest first, each for a bounded price.
 *
 * One call looks at so many rows at most, whatever the filter and however large the
 * store, so that the event loop waits a few milliseconds and no longer (P11). A page
 * that is short for that reason says where the next one begins.
 *
 * Without attributes it walks `runs` by row id. With them it walks the index of one,
 * the rarest as far as a short count tells, and looks up the others run by run.
 */
import { StepwellError } from "../../model/errors.ts";
import type { RunFilter, RunPage } from "../store.ts";
import { type Connection, connected, type Session } from "./connection.ts";
import { listVersions, runOf } from "./version.ts";

/** Rows of one page at most (P11). */
const LIST_RUNS_MAX = 1_000;

/** Rows of `runs` that one call looks at, in their order: 3 ms on two shared cores (measured). */
const LOOK_MAX = 10_000;

/** Entries of an attribute that one call looks at: each is a search of its own in `runs`, 2 us (measured). */
const LOOK_BY_ATTRIBUTE_MAX = 1_000;

/** How far attributes are counted to find the rarest. */
const COUNT_MAX = 500;

/** What both queries ask of a run, in the order of their parameters. */
type Bounds = readonly [
  workflowIds: string | null,
  workflowIds: string | null,
  states: string | null,
  states: string | null,
  createdFromMs: number,
  createdBeforeMs: number,
];

/** A stretch of row ids: from `fromRowId` up to and without `beforeRowId`. */
type Stretch = { readonly fromRowId: number; readonly beforeRowId: number };

/** OPTION_INVALID for a limit outside 1 to LIST_RUNS_MAX. */
export function listRuns(session: Session, filter: RunFilter): RunPage {
  const { limit } = filter;
  if (!Number.isInteger(limit) || limit < 1 || limit > LIST_RUNS_MAX) {
    throw new StepwellError("OPTION_INVALID", `limit must be a whole number from 1 to ${LIST_RUNS_MAX}, got ${limit}`);
  }
  const connection = connected(session);
  const beforeRowId = filter.beforeRowId ?? Number.MAX_SAFE_INTEGER;
  const bounds = toBounds(session, filter);
  const wanted = Object.entries(filter.attributes ?? {});
  const { rows, fromRowId } =
    wanted.length === 0
      ? readByAge(connection, bounds, { beforeRowId, limit })
      : readByAttribute(connection, bounds, { wanted, beforeRowId, limit });
  const runs = rows.map((row) => runOf(session, connection, row));
  const lookedTo = runs.length === limit ? runs.at(-1)!.rowId : fromRowId;
  const more = lookedTo !== null && newestBelow(connection, lookedTo) !== null;
  return { runs, beforeRowId: more ? lookedTo : null };
}

type Looked = {
  readonly rows: readonly unknown[];
  /** Nothing from here on was left out; null: nothing is below. */
  readonly fromRowId: number | null;
};

/** Row ids have gaps at most where runs were removed, so a stretch of ids bounds what it holds. */
function readByAge(
  connection: Connection,
  bounds: Bounds,
  { beforeRowId, limit }: { readonly beforeRowId: number; readonly limit: number },
): Looked {
  const newest = newestBelow(connection, beforeRowId);
  if (newest === null) return { rows: [], fromRowId: null };
  const stretch: Stretch = { beforeRowId: newest + 1, fromRowId: newest + 1 - LOOK_MAX };
  const rows = connection.sql.listRuns.all(stretch.beforeRowId, stretch.fromRowId, ...bounds, limit);
  return { rows, fromRowId: stretch.fromRowId };
}

function readByAttribute(
  { sql }: Connection,
  bounds: Bounds,
  asked: {
    readonly wanted: readonly (readonly [name: string, value: string])[];
    readonly beforeRowId: number;
    readonly limit: number;
  },
): Looked {
  const { wanted, beforeRowId, limit } = asked;
  const count = (name: string, value: string, max: number): Counted =>
    sql.countAttribute.get(name, value, beforeRowId, max) as unknown as Counted;
  const counts = wanted.map(([name, value]) => count(name, value, COUNT_MAX).count);
  const rarest = counts.indexOf(Math.min(...counts));
  const [name, value] = wanted[rarest]!;
  const { count: entries, run_id: fromRowId } = count(name, value, LOOK_BY_ATTRIBUTE_MAX);
  if (fromRowId === null) return { rows: [], fromRowId: null };
  const others = JSON.stringify(Object.fromEntries(wanted.filter((_, index) => index !== rarest)));
  const rows = sql.listRunsByAttribute.all(name, value, beforeRowId, fromRowId, ...bounds, others, limit);
  return { rows, fromRowId: entries < LOOK_BY_ATTRIBUTE_MAX && rows.length < limit ? null : fromRowId };
}

type Counted = { readonly count: number; readonly run_id: number | null };

function newestBelow({ sql }: Connection, rowId: number): number | null {
  return sql.findNewestRow.get(rowId)?.["id"] as number | null;
}

function toBounds(session: Session, filter: RunFilter): Bounds {
  const { states, createdFromMs = -Number.MAX_VALUE, createdBeforeMs = Number.MAX_VALUE } = filter;
  const workflowIds = listWorkflowIds(session, filter);
  const wanted = states === undefined ? null : JSON.stringify(states);
  return [workflowIds, workflowIds, wanted, wanted, createdFromMs, createdBeforeMs];
}

/** JSON array, read in SQL so that a long list is no problem; null: all. */
function listWorkflowIds(session: Session, { namespace, name }: RunFilter): string | null {
  if (namespace === undefined && name === undefined) return null;
  const ids = new Set<number>();
  listVersions(session);
  for (const version of session.versions.values()) {
    const fits = (namespace ?? version.namespace) === version.namespace && (name ?? version.name) === version.name;
    if (fits) ids.add(version.workflow_id);
  }
  return JSON.stringify([...ids]);
}
