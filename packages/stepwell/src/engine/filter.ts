/**
 * Filter: which runs a list shows. Checked whole, because a state that does not exist would match nothing, silently (P12).
 */
import { showValue } from "../model/plain.ts";
import { StepwellError } from "../model/errors.ts";
import { parseWorkflowName } from "../model/identity.ts";
import { checkKeys, nearestOf } from "../model/options.ts";
import type { RunState } from "../model/run.ts";
import type { RunFilter } from "../store/store.ts";

/** What users write; fields left out do not restrict. */
export type ListFilter = {
  readonly workflow?: string;
  readonly state?: RunState | readonly RunState[];
  /** At most so many; 100 by default, 1,000 at most. */
  readonly limit?: number;
};

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1_000;

const STATES: Readonly<Record<RunState, true>> = {
  pending: true,
  running: true,
  waiting: true,
  paused: true,
  compensating: true,
  completed: true,
  failed: true,
  cancelled: true,
  quarantined: true,
};

/**
 * What the store is asked for.
 *
 * @throws StepwellError OPTION_UNKNOWN, OPTION_INVALID, WORKFLOW_INVALID
 */
export function toRunFilter(filter: ListFilter): RunFilter {
  checkKeys("filter of list", filter, ["workflow", "state", "limit"]);
  const { workflow, state, limit = LIMIT_DEFAULT } = filter;
  if (typeof limit !== "number" || Number.isNaN(limit)) {
    throw new StepwellError("OPTION_INVALID", `limit of list must be a number, got ${showValue(limit)}.`);
  }
  return {
    ...(workflow === undefined ? {} : parseWorkflowName(workflow, "filter of list")),
    ...(state === undefined ? {} : { states: toStates(state) }),
    limit: Math.min(Math.max(1, Math.floor(limit)), LIMIT_MAX),
  };
}

function toStates(state: RunState | readonly RunState[]): readonly RunState[] {
  const states: readonly unknown[] = Array.isArray(state) ? state : [state];
  const unknown = states.find((one) => typeof one !== "string" || !Object.hasOwn(STATES, one));
  if (unknown === undefined && !states.includes(undefined)) return states as readonly RunState[];
  const all = Object.keys(STATES);
  const nearest = typeof unknown === "string" ? nearestOf(unknown, all) : null;
  const advice = nearest === null ? `there are ${all.join(", ")}.` : `did you mean "${nearest}"?`;
  throw new StepwellError("OPTION_INVALID", `filter of list: there is no state ${showValue(unknown)}; ${advice}`);
}
