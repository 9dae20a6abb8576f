/**
 * List: runs by what is known of them, newest first, page by page.
 *
 * A store looks at so many rows in one call only. This goes on calling, and lets the
 * event loop turn in between, until the page is full, the runs are at their end, or so
 * much has been looked at that the caller should hear of it: then the page is short,
 * and its cursor goes on from there.
 */
import { attributeTexts } from "../model/attributes.ts";
import { canonicalText } from "../model/canonical.ts";
import { StepwellError } from "../model/errors.ts";
import { parseWorkflowName } from "../model/identity.ts";
import { checkKeys, nearestOf } from "../model/options.ts";
import { showValue } from "../model/plain.ts";
import { type Attributes, type Run, RUN_STATES, type RunState } from "../model/run.ts";
import type { RunFilter } from "../store/store.ts";
import type { Deps } from "./deps.ts";
import { type RunStatus, toStatus } from "./handle.ts";
import { checkOutsideTx } from "./tx-door.ts";
import type { Workflow } from "./workflow.ts";

/** A moment: a Date, epoch milliseconds, or a text such as "2026-11-20" or "2026-11-20T08:00:00Z". */
export type Moment = Date | number | string;

/** Which runs to list. Fields left out do not filter. */
export type ListFilter = {
  /** A workflow, or its name: "orders/fulfil", or "fulfil" in `namespace`. */
  readonly workflow?: string | Workflow;
  readonly namespace?: string;
  readonly state?: RunState | readonly RunState[];
  /** Started at this moment or later. */
  readonly createdAfter?: Moment;
  /** Started before this moment. */
  readonly createdBefore?: Moment;
  /** What `ctx.set` has set; all of these. */
  readonly attributes?: Attributes;
  /** Runs of a page at most; 1 to 1,000, by default 100. */
  readonly limit?: number;
  /** From the page before, with the same filter. */
  readonly cursor?: string | null;
};

/** A page, newest first. */
export type RunList = {
  /** May be fewer than `limit`, even none, although more follow. */
  readonly runs: readonly RunStatus[];
  /** For the next page; null: there is nothing more. */
  readonly cursor: string | null;
};

/** Calls of the store for one page at most. */
const LOOKS_MAX = 128;

/** Rows of a page unless told otherwise. */
export const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1_000;

/** Fields that choose runs. */
export const FILTER_KEYS = ["workflow", "namespace", "state", "createdAfter", "createdBefore", "attributes"];

/** @throws StepwellError OPTION_UNKNOWN, OPTION_INVALID, WORKFLOW_INVALID, ATTRIBUTE_INVALID */
export async function listRuns(deps: Deps, filter: ListFilter): Promise<RunList> {
  const { runs, cursor } = await pageOfRuns(deps, filter);
  return { runs: runs.map(toStatus), cursor };
}

/** As listRuns, of runs as they are stored. */
export async function pageOfRuns(
  deps: Deps,
  filter: ListFilter,
): Promise<{ readonly runs: readonly Run[]; readonly cursor: string | null }> {
  checkOutsideTx(deps, "a list of runs");
  checkKeys("filter of list", filter, [...FILTER_KEYS, "limit", "cursor"]);
  const { limit = LIMIT_DEFAULT, cursor = null } = filter;
  checkLimit(limit);
  const wanted = toRunFilter(filter);
  const mark = deps.host.hash(canonicalText(wanted));
  const from = cursor === null ? null : parseCursor(cursor, mark);
  const { runs, beforeRowId } = await collect(deps, wanted, { limit, from });
  return { runs, cursor: beforeRowId === null ? null : toCursor(beforeRowId, mark) };
}

/** All runs that the filter finds, newest first, page by page. */
export async function* findRuns(
  deps: Deps,
  filter: Omit<ListFilter, "limit" | "cursor">,
): AsyncGenerator<readonly Run[]> {
  const wanted = toRunFilter(filter);
  let from: number | null = null;
  do {
    const { runs, beforeRowId } = await collect(deps, wanted, { limit: LIMIT_MAX, from });
    yield runs;
    from = beforeRowId;
  } while (from !== null);
}

async function collect(
  deps: Deps,
  wanted: Omit<RunFilter, "limit">,
  { limit, from }: { readonly limit: number; readonly from: number | null },
): Promise<{ readonly runs: readonly Run[]; readonly beforeRowId: number | null }> {
  const runs: Run[] = [];
  let beforeRowId = from;
  for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
    if (looks > 0) await new Promise<void>((resolve) => deps.host.defer(resolve));
    const here = beforeRowId === null ? {} : { beforeRowId };
    const page = await deps.store.listRuns({ ...wanted, ...here, limit: limit - runs.length });
    runs.push(...page.runs);
    beforeRowId = page.beforeRowId;
    if (beforeRowId === null || runs.length >= limit) break;
  }
  return { runs, beforeRowId };
}

function toRunFilter(filter: ListFilter): Omit<RunFilter, "limit"> {
  const { state, createdAfter, createdBefore, attributes } = filter;
  return {
    ...toName(filter),
    ...(state === undefined ? {} : { states: toStates(state) }),
    ...(createdAfter === undefined ? {} : { createdFromMs: toMs("createdAfter", createdAfter) }),
    ...(createdBefore === undefined ? {} : { createdBeforeMs: toMs("createdBefore", createdBefore) }),
    ...(attributes === undefined ? {} : { attributes: attributeTexts("attributes of list", attributes) }),
  };
}

/** What a filter by workflow and namespace means. */
export function toName({
  workflow,
  namespace,
}: Pick<ListFilter, "workflow" | "namespace">): Pick<RunFilter, "namespace" | "name"> {
  if (namespace !== undefined) parseWorkflowName(`${String(namespace)}/any`, "namespace of list");
  if (workflow === undefined) return namespace === undefined ? {} : { namespace };
  const bare = typeof workflow === "string" && namespace !== undefined && !workflow.includes("/");
  const named = bare ? `${namespace}/${workflow}` : workflow;
  const { namespace: of, name } =
    typeof named === "string" ? parseWorkflowName(named, "workflow of list") : toWorkflow(named);
  if (namespace === undefined || namespace === of) return { namespace: of, name };
  throw invalid(`namespace is "${namespace}", but workflow is of "${of}"; leave one of them out`);
}

function toWorkflow(named: Workflow<never, unknown>): Workflow<never, unknown> {
  if ((named as Workflow<never, unknown> | null)?.kind === "workflow") return named;
  throw invalid(`workflow must be a workflow or its name, got ${showValue(named)}`);
}

function toStates(state: RunState | readonly RunState[]): readonly RunState[] {
  const states = typeof state === "string" ? [state] : state;
  if (!Array.isArray(states)) throw invalid(`state must be a text or an array of texts, got ${typeof state}`);
  for (const one of states as readonly unknown[]) {
    if (RUN_STATES.includes(one as RunState)) continue;
    const nearest = typeof one === "string" ? nearestOf(one, RUN_STATES) : null;
    const advice = nearest === null ? `they are ${RUN_STATES.join(", ")}` : `did you mean "${nearest}"?`;
    throw invalid(`there is no state ${JSON.stringify(one)}; ${advice}`);
  }
  return [...new Set(states as readonly RunState[])].sort();
}

function toMs(where: string, moment: Moment): number {
  const ms = typeof moment === "string" ? Date.parse(moment) : Number(moment);
  const readable = typeof moment === "number" || typeof moment === "string" || moment instanceof Date;
  if (readable && Number.isFinite(ms)) return ms;
  throw invalid(
    `${where} must be a Date, epoch milliseconds or a text like "2026-11-20T08:00:00Z", got ${shown(moment)}`,
  );
}

function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 100)) : String(value);
}

/** Characters that stand for the filter in a cursor. */
const MARK_LENGTH = 8;

/** Where the next page begins; `mark`: a hash of the filter. */
export function toCursor(before: number, mark: string): string {
  return `${before.toString(36)}.${mark.slice(0, MARK_LENGTH)}`;
}

/** OPTION_INVALID for one that is none, or of another filter. */
export function parseCursor(cursor: string, mark: string): number {
  const match = typeof cursor === "string" ? /^([0-9a-z]{1,11})\.(.{8})$/.exec(cursor) : null;
  const beforeRowId = Number.parseInt(match?.[1] ?? "", 36);
  if (!Number.isSafeInteger(beforeRowId)) throw invalid(`cursor ${shown(cursor)} is none that list has given`);
  if (match?.[2] === mark.slice(0, MARK_LENGTH)) return beforeRowId;
  throw invalid("cursor belongs to a page of another filter; begin without one, or keep the filter as it was");
}

/** OPTION_INVALID for a page that is too small or too large. */
export function checkLimit(limit: number): void {
  if (Number.isSafeInteger(limit) && limit >= 1 && limit <= LIMIT_MAX) return;
  throw invalid(`limit must be a whole number from 1 to ${LIMIT_MAX}, got ${String(limit)}`);
}

function invalid(what: string): StepwellError {
  return new StepwellError("OPTION_INVALID", `filter of list: ${what}.`);
}
