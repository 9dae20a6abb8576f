/**
 * List: pages of runs, newest first, each for a bounded price.
 *
 * One call looks at so many rows at most, whatever the filter and however large the store (P11). A page that is short for
 * that reason says where the next one begins.
 *
 * Without attributes it walks `runs` by row id. With them it walks the index of one, the rarest as far as a short count
 * tells, and looks up the others run by run.
 */
import { StepwellError } from "../../model/errors.ts";
import type { RunFilter, RunPage } from "../store.ts";
import type { Values } from "./query.ts";
import { read, type Session } from "./session.ts";
import { toRuns } from "./version.ts";

/** Rows of one page at most (P11). */
const LIST_RUNS_MAX = 1_000;

/** Rows of `runs` that one call looks at, in their order. */
const LOOK_MAX = 10_000;

/** Entries of an attribute that one call looks at: each is a search of its own in `runs`. */
const LOOK_BY_ATTRIBUTE_MAX = 1_000;

/** How far attributes are counted to find the rarest. */
const COUNT_MAX = 500;

/** OPTION_INVALID for a limit outside 1 to LIST_RUNS_MAX. */
export async function listRuns(session: Session, filter: RunFilter): Promise<RunPage> {
  const { limit } = filter;
  if (!Number.isInteger(limit) || limit < 1 || limit > LIST_RUNS_MAX) {
    throw new StepwellError("OPTION_INVALID", `limit must be a whole number from 1 to ${LIST_RUNS_MAX}, got ${limit}`);
  }
  const wanted = Object.entries(filter.attributes ?? {});
  const { rows, fromRowId, oldestRowId } =
    wanted.length === 0 ? await readByAge(session, filter) : await readByAttribute(session, filter, wanted);
  const runs = await toRuns(session, rows);
  const lookedTo = runs.length === limit ? runs.at(-1)!.rowId : fromRowId;
  const more = lookedTo !== null && oldestRowId !== null && oldestRowId < lookedTo;
  return { runs, beforeRowId: more ? lookedTo : null };
}

type Looked = {
  readonly rows: readonly unknown[];
  /** Nothing from here on was left out; null: nothing is below. */
  readonly fromRowId: number | null;
  /** Of all runs; null: there is none. */
  readonly oldestRowId: number | null;
};

/** Without a run that fits there is one row all the same, whose run is null. */
type PageRow = { readonly id: number | null; readonly oldest_id: number | null };

/** Row ids have gaps at most where runs were removed, so a stretch of ids bounds what it holds. */
async function readByAge(session: Session, filter: RunFilter): Promise<Looked> {
  const values = { ...toBounds(filter), lookMax: LOOK_MAX };
  const rows = (await read(session, "listRunsByAge", values)) as readonly unknown[] as readonly AgeRow[];
  const { newest_id: newestId, oldest_id: oldestRowId } = rows[0]!;
  const fromRowId = newestId === null ? null : newestId + 1 - LOOK_MAX;
  return { rows: rows.filter(({ id }) => id !== null), fromRowId, oldestRowId };
}

type AgeRow = PageRow & { readonly newest_id: number | null };

async function readByAttribute(
  session: Session,
  filter: RunFilter,
  wanted: readonly (readonly [name: string, value: string])[],
): Promise<Looked> {
  const rows = (await read(session, "listRunsByAttribute", {
    ...toBounds(filter),
    names: wanted.map(([name]) => name),
    values: wanted.map(([, value]) => value),
    countMax: COUNT_MAX,
    lookMax: LOOK_BY_ATTRIBUTE_MAX,
  })) as readonly unknown[] as readonly AttributeRow[];
  const { entries, from_id: fromId, oldest_id: oldestRowId } = rows[0]!;
  const found = rows.filter(({ id }) => id !== null);
  const exhausted = entries < LOOK_BY_ATTRIBUTE_MAX && found.length < filter.limit;
  return { rows: found, fromRowId: exhausted ? null : fromId, oldestRowId };
}

type AttributeRow = PageRow & { readonly entries: number; readonly from_id: number | null };

/** What both queries ask of a run. */
function toBounds(filter: RunFilter): Values {
  const { namespace, name, states, createdFromMs, createdBeforeMs, beforeRowId, limit } = filter;
  return {
    beforeRowId: beforeRowId ?? Number.MAX_SAFE_INTEGER,
    anyWorkflow: namespace === undefined && name === undefined,
    namespace: namespace ?? null,
    name: name ?? null,
    states: states ?? null,
    createdFromMs: createdFromMs ?? null,
    createdBeforeMs: createdBeforeMs ?? null,
    limit,
  };
}
