/**
 * Investigate: runs that failed or are in quarantine, as cases for people: what happened, what was noted, and how it ended.
 *
 * A case is open until its run goes on, or somebody dismisses it. It belongs to one generation: a run that goes on and fails
 * again is another case.
 */
import { StepwellError } from "../model/errors.ts";
import { parseFailure, toError } from "../model/failure.ts";
import type { HistoryEvent } from "../model/history.ts";
import { decode } from "../model/json.ts";
import { checkKeys } from "../model/options.ts";
import type { Remark, RemarkKind } from "../model/remark.ts";
import type { Run, RunState } from "../model/run.ts";
import type { Deps } from "./deps.ts";
import { getRun } from "./find.ts";
import { openHandle, type RequestOptions, type RunHandle, type RunStatus, toStatus } from "./handle.ts";
import { FILTER_KEYS, type ListFilter, pageOfRuns } from "./list.ts";
import { nameOf, type Workflow } from "./workflow.ts";

/** A workflow, or its name. */
type Named = Workflow<never, unknown> | string;

/** What an operator has written down. */
export type InvestigationNote = { readonly actor: string; readonly text: string; readonly atMs: number };

/** How a case was closed. `retried`, `resolved`: its run went on in the next generation. */
export type Resolution = InvestigationNote & { readonly kind: "retried" | "resolved" | "dismissed" };

/** One case. */
export type Investigation = {
  /** As it stands now. */
  readonly run: RunStatus;
  readonly generation: number;
  /** What ended the run, or set it aside. */
  readonly reason: Error;
  readonly notes: readonly InvestigationNote[];
  /** Null: the case is open. */
  readonly resolution: Resolution | null;
};

/** A case with all that is known. */
export type InvestigationFile = Investigation & {
  /** All events of the run, over all its generations. */
  readonly history: Awaited<ReturnType<RunHandle["history"]>>;
  /** Cases of earlier generations, oldest first. */
  readonly earlier: readonly Omit<Investigation, "run">[];
};

/** Which cases to list. Fields left out do not filter. */
export type InvestigationFilter = Omit<ListFilter, "state"> & {
  /** `open` by default; `all`: those that were dismissed, too. */
  readonly cases?: "open" | "all";
};

/** A page of cases, newest first; see RunList. */
export type InvestigationList = { readonly cases: readonly Investigation[]; readonly cursor: string | null };

/** See the header. */
export type Investigations = {
  /** Runs that failed or are in quarantine. */
  readonly list: (filter?: InvestigationFilter) => Promise<InvestigationList>;
  /** One of them, with its history. @throws StepwellError RUN_NOT_FOUND, RUN_NOT_FAILED */
  readonly get: (workflow: Named, id: string) => Promise<InvestigationFile>;
  /** Write something down. @throws StepwellError RUN_NOT_FOUND, RUN_NOT_FAILED */
  readonly note: (workflow: Named, id: string, text: string, options?: RemarkOptions) => Promise<void>;
  /** Close the case without letting the run go on. @throws StepwellError RUN_NOT_FOUND, RUN_NOT_FAILED */
  readonly dismiss: (workflow: Named, id: string, options?: RequestOptions) => Promise<void>;
  /** Let the run go on: `retry` of one that failed, `resume` of one in quarantine. */
  readonly redrive: (workflow: Named, id: string, options?: RequestOptions) => Promise<void>;
};

/** Who writes it. Written twice under one `id`, it stands once. */
export type RemarkOptions = Omit<RequestOptions, "reason">;

const STATES: readonly RunState[] = ["failed", "quarantined"];

const KEYS = [...FILTER_KEYS.filter((key) => key !== "state"), "cases", "limit", "cursor"];

/** Made once per engine. */
export function openInvestigations(deps: Deps): Investigations {
  const refOf = (workflow: Named, id: string) => ({ ...nameOf(workflow), id });
  return {
    list: (filter = {}) => listCases(deps, filter),
    get: (workflow, id) => openFile(deps, refOf(workflow, id)),
    note: async (workflow, id, text, options = {}) => {
      checkKeys("options of note", options, ["actor", "id"]);
      await addRemark(deps, refOf(workflow, id), { kind: "note", text }, options);
    },
    dismiss: async (workflow, id, { reason = "", ...options } = {}) => {
      checkKeys("options of dismiss", options, ["actor", "id"]);
      await addRemark(deps, refOf(workflow, id), { kind: "dismissed", text: reason }, options);
    },
    redrive: async (workflow, id, options) => {
      const ref = refOf(workflow, id);
      const { rowId, state } = await getRun(deps, ref);
      const run = openHandle(deps, ref, rowId);
      await (state === "quarantined" ? run.resume(options) : run.retry(options));
    },
  };
}

async function listCases(deps: Deps, filter: InvestigationFilter): Promise<InvestigationList> {
  checkKeys("filter of investigations.list", filter, KEYS);
  const { cases: wanted = "open", ...others } = filter;
  if (wanted !== "open" && wanted !== "all") {
    throw new StepwellError("OPTION_INVALID", `cases of investigations.list must be "open" or "all".`);
  }
  const { runs, cursor } = await pageOfRuns(deps, { ...others, state: STATES });
  const remarks = await deps.store.listRemarks(runs.map(({ rowId }) => rowId));
  const cases = runs.map((run) =>
    toCase(
      run,
      remarks.filter(({ rowId }) => rowId === run.rowId),
    ),
  );
  return { cases: wanted === "all" ? cases : cases.filter(({ resolution }) => resolution === null), cursor };
}

function toCase(run: Run, remarks: readonly Remark[]): Investigation {
  const { generation, error } = run;
  return { run: toStatus(run), ...caseOf({ generation, error, remarks, reopened: null }) };
}

async function openFile(deps: Deps, ref: Parameters<typeof getRun>[1]): Promise<InvestigationFile> {
  const run = await getRun(deps, ref);
  const remarks = await deps.store.listRemarks([run.rowId]);
  const events = await deps.store.listHistory(run.rowId);
  const earlier = earlierCases(events, remarks);
  if (!STATES.includes(run.state) && earlier.length === 0) throw notFailed(run);
  return { ...toCase(run, remarks), history: await openHandle(deps, ref, run.rowId).history(), earlier };
}

/** Ends that an operator's retry or resolve followed. */
function earlierCases(events: readonly HistoryEvent[], remarks: readonly Remark[]): InvestigationFile["earlier"] {
  const cases: Omit<Investigation, "run">[] = [];
  let error: string | null = null;
  for (const event of events) {
    if (event.kind === "note" && event.note === "paused") error = pauseOf(event.value);
    if (event.kind === "ended") error = event.state === "completed" ? null : event.value;
    if (event.kind !== "note" || (event.note !== "retried" && event.note !== "resolved")) continue;
    const { actor, reason, generation } = decode(event.value) as Reopened;
    const reopened = { kind: event.note, actor, text: reason, atMs: event.atMs };
    cases.push(caseOf({ generation: generation - 1, error, remarks, reopened }));
  }
  return cases;
}

/** What a run was paused for, as a stored Failure. */
function pauseOf(note: string): string {
  return JSON.stringify((JSON.parse(note) as { readonly error: unknown }).error);
}

type Reopened = { readonly actor: string; readonly reason: string; readonly generation: number };

type Ended = {
  readonly generation: number;
  /** A stored Failure. */
  readonly error: string | null;
  /** All of its run. */
  readonly remarks: readonly Remark[];
  readonly reopened: Resolution | null;
};

function caseOf({ generation, error, remarks, reopened }: Ended): Omit<Investigation, "run"> {
  const own = remarks.filter((remark) => remark.generation === generation);
  const dismissed = own.findLast(({ kind }) => kind === "dismissed");
  return {
    generation,
    reason: toError(error === null ? NO_REASON : parseFailure(error)),
    notes: own.filter(({ kind }) => kind === "note").map(toNote),
    resolution: reopened ?? (dismissed === undefined ? null : { kind: "dismissed", ...toNote(dismissed) }),
  };
}

const NO_REASON = { name: "Error", message: "nothing is known of the reason", retryable: true };

function toNote({ actor, text, atMs }: Remark): InvestigationNote {
  return { actor, text, atMs };
}

async function addRemark(
  deps: Deps,
  ref: Parameters<typeof getRun>[1],
  remark: { readonly kind: RemarkKind; readonly text: string },
  { actor = deps.settings.actor, id }: RemarkOptions,
): Promise<void> {
  const run = await getRun(deps, ref);
  if (!STATES.includes(run.state)) throw notFailed(run);
  if (typeof remark.text !== "string") throw new StepwellError("OPTION_INVALID", "the text of a note is not a text.");
  const operationId = id === undefined ? deps.host.freshId() : `remark:${id}`;
  const { rowId, generation } = run;
  await deps.store.addRemark(rowId, { ...remark, generation, actor, operationId }, null);
}

function notFailed({ id, namespace, name, state }: Run): StepwellError {
  return new StepwellError("RUN_NOT_FAILED", `run "${id}" of ${namespace}/${name} is ${state}.`);
}
