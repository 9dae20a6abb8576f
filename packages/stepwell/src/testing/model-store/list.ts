/**
 * List: pages of runs, newest first.
 */
import { StepwellError } from "../../model/errors.ts";
import type { Run } from "../../model/run.ts";
import type { RunFilter, RunPage } from "../../store/store.ts";
import { allRuns, type World } from "./world.ts";

/** Runs of one page at most (P11). */
const LIMIT_MAX = 1_000;

/** OPTION_INVALID for a limit outside 1 to LIMIT_MAX. */
export function listRuns(world: World, filter: RunFilter): RunPage {
  const { limit } = filter;
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX) {
    throw new StepwellError("OPTION_INVALID", `limit must be a whole number from 1 to ${LIMIT_MAX}, got ${limit}`);
  }
  const found = allRuns(world)
    .filter((run) => fits(run, filter))
    .toReversed();
  const runs = found.slice(0, limit);
  return { runs, beforeRowId: found.length > limit ? runs.at(-1)!.rowId : null };
}

function fits(run: Run, filter: RunFilter): boolean {
  const { namespace, name, states, createdFromMs, createdBeforeMs, attributes, beforeRowId } = filter;
  return (
    (namespace === undefined || run.namespace === namespace) &&
    (name === undefined || run.name === name) &&
    (states === undefined || states.includes(run.state)) &&
    (createdFromMs === undefined || run.createdAtMs >= createdFromMs) &&
    (createdBeforeMs === undefined || run.createdAtMs < createdBeforeMs) &&
    (beforeRowId === undefined || run.rowId < beforeRowId) &&
    Object.entries(attributes ?? {}).every(([key, value]) => JSON.stringify(run.attributes[key]) === value)
  );
}
