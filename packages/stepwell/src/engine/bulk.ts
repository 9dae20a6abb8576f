/**
 * Bulk: what an operator asks of one run, asked of all that a filter finds, or only shown beforehand.
 *
 * Which runs those are is settled before the first is touched. Each is asked under an id of its own, made of the bulk's, so
 * that a bulk that is repeated asks nobody twice. What a run refuses, because it has moved on meanwhile, is told and holds
 * up nobody.
 */
import { StepwellError } from "../model/errors.ts";
import { checkKeys } from "../model/options.ts";
import type { Run, RunState } from "../model/run.ts";
import type { Deps } from "./deps.ts";
import { openHandle, type RequestOptions } from "./handle.ts";
import { FILTER_KEYS, findRuns, type ListFilter } from "./list.ts";
import { checkOutsideTx } from "./tx-door.ts";

/** Which runs. One of the fields must be there: nobody means all runs of a store. */
export type BulkFilter = Omit<ListFilter, "limit" | "cursor">;

/** Who asks for it, why, and how far it may go. */
export type BulkOptions = RequestOptions & {
  /** Only tell which runs it would be; nothing is changed. */
  readonly dryRun?: boolean;
  /** More runs than these are refused as a whole; 1,000 by default, 100,000 at most. */
  readonly max?: number;
};

/** A run by its name. */
export type BulkRun = { readonly workflow: string; readonly id: string; readonly state: RunState };

/** What came of it. */
export type BulkResult = {
  readonly dryRun: boolean;
  /** All that were asked, or would be, newest first; as they were before. */
  readonly runs: readonly BulkRun[];
  /** Those among them that refused. */
  readonly refused: readonly (BulkRun & { readonly error: Error })[];
};

/** The same for many runs as a handle has for one. */
export type Bulk = {
  readonly [K in BulkAction]: (filter: BulkFilter, options?: BulkOptions) => Promise<BulkResult>;
};

type BulkAction = "cancel" | "pause" | "resume" | "retry";

/** The states in which a run can be asked for it; of `retry` cancelled ones must be named. */
const STATES: { readonly [K in BulkAction]: readonly RunState[] } = {
  cancel: ["pending", "running", "waiting", "paused", "quarantined"],
  pause: ["pending", "running", "waiting", "compensating"],
  resume: ["paused", "quarantined"],
  retry: ["failed", "cancelled"],
};

const BY_DEFAULT: readonly RunState[] = ["failed"];

const MAX_DEFAULT = 1_000;
const MAX_LIMIT = 100_000;

/** Asked side by side. */
const LANES = 16;

/** @throws (each call) StepwellError BULK_FILTER_EMPTY, BULK_MATCHES_NOTHING, BULK_MATCHES_TOO_MANY, OPTION_INVALID */
export function openBulk(deps: Deps): Bulk {
  const bulk =
    (action: BulkAction) =>
    (filter: BulkFilter, options: BulkOptions = {}): Promise<BulkResult> =>
      askAll(deps, action, filter, options);
  return { cancel: bulk("cancel"), pause: bulk("pause"), resume: bulk("resume"), retry: bulk("retry") };
}

async function askAll(deps: Deps, action: BulkAction, filter: BulkFilter, options: BulkOptions): Promise<BulkResult> {
  checkOutsideTx(deps, `bulk.${action}`);
  checkKeys(`options of bulk.${action}`, options, ["actor", "reason", "id", "dryRun", "max"]);
  const { dryRun = false, max = MAX_DEFAULT, id = deps.host.freshId(), ...request } = options;
  const found = await findAll(deps, action, filter, max);
  const runs = found.map(toBulkRun);
  if (dryRun) return { dryRun, runs, refused: [] };
  const refused: BulkResult["refused"][number][] = [];
  const waiting = found.values();
  const lane = async (): Promise<void> => {
    for (const run of waiting) {
      try {
        const { namespace, name, id: runId, rowId } = run;
        await openHandle(deps, { namespace, name, id: runId }, rowId)[action]({ ...request, id });
      } catch (error) {
        refused.push({ ...toBulkRun(run), error: error as Error });
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return { dryRun, runs, refused };
}

/** Those it is about. A child goes on with the run that awaits it, so it is not retried by itself. */
async function findAll(deps: Deps, action: BulkAction, filter: BulkFilter, max: number): Promise<readonly Run[]> {
  const where = `bulk.${action}`;
  if (!Number.isSafeInteger(max) || max < 1 || max > MAX_LIMIT) {
    const what = `max of ${where} must be a whole number from 1 to ${MAX_LIMIT}, got ${String(max)}.`;
    throw new StepwellError("OPTION_INVALID", what);
  }
  checkKeys(`filter of ${where}`, filter, FILTER_KEYS);
  if (Object.values(filter).every((value) => value === undefined)) {
    throw new StepwellError("BULK_FILTER_EMPTY", `the filter of ${where} has no fields.`);
  }
  const found: Run[] = [];
  const states = toStates(action, filter);
  for await (const page of findRuns(deps, { ...filter, state: states })) {
    found.push(...page.filter((run) => action !== "retry" || run.parent?.awaited !== true));
    if (found.length > max) {
      throw new StepwellError("BULK_MATCHES_TOO_MANY", `the filter of ${where} matches more than ${max} runs.`);
    }
  }
  if (found.length > 0) return found;
  const what = `the filter of ${where} matches no run that is ${states.join(", ")}.`;
  throw new StepwellError("BULK_MATCHES_NOTHING", what);
}

function toStates(action: BulkAction, { state }: BulkFilter): readonly RunState[] {
  const able = STATES[action];
  if (state === undefined) return action === "retry" ? BY_DEFAULT : able;
  const wanted = typeof state === "string" ? [state] : state;
  const states = able.filter((one) => wanted.includes(one));
  if (states.length > 0) return states;
  const what = `bulk.${action} is for runs that are ${able.join(", ")}; the filter asks for ${wanted.join(", ")}.`;
  throw new StepwellError("OPTION_INVALID", what);
}

function toBulkRun({ namespace, name, id, state }: Run): BulkRun {
  return { workflow: `${namespace}/${name}`, id, state };
}
