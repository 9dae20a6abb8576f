/**
 * 1 of 4 · submit ▸ worker ▸ execute ▸ steps
 *
 * Starting a run: validate once, at the door; write one row; return when it is
 * durable (P1). With a free slot and nothing older waiting, the row is written
 * already claimed by the local worker, which then executes it at once.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { canonicalText } from "../model/canonical.ts";
import { encode } from "../model/json.ts";
import { StepwellError } from "../model/errors.ts";
import { identityText } from "../model/identity.ts";
import type { NewRun, Parent, Run } from "../model/run.ts";
import { issuesText, validate } from "../model/schema.ts";
import type { WriteResult } from "../store/write.ts";
import { whyNot } from "./commit.ts";
import type { Deps } from "./deps.ts";
import type { Workflow } from "./workflow.ts";

/** A run ready to be inserted. `input`: the decoded copy of its input, which nobody else holds. */
export type Prepared = { readonly workflow: Workflow; readonly run: NewRun; readonly input: unknown };

/** What a run is started with, beside its input. `hashed`: the id is a caller's, so another input is a conflict. */
export type Start = {
  readonly id: string | null;
  readonly hashed: boolean;
  readonly actor: string;
  readonly parent: Parent | null;
  /** How long the run may take as a whole; left out or null: as its workflow says. */
  readonly timeoutMs?: number | null;
};

/** Longest id that a caller may give. */
export const RUN_ID_LENGTH_MAX = 512;

/**
 * Validate and encode. Only what is not known yet is awaited: a schema's answer, a version's row.
 *
 * @throws StepwellError INPUT_INVALID with all issues, RUN_ID_INVALID, or the codec's
 */
export function prepareRun(deps: Deps, workflow: Workflow, raw: unknown, start: Start): Prepared | Promise<Prepared> {
  if (start.id !== null) checkRunId(start.id, workflow);
  const versionId = deps.registry.versionIdOf(workflow);
  if (workflow.input === undefined && typeof versionId === "number") {
    return toPrepared(deps, workflow, { raw, input: raw, versionId }, start);
  }
  return prepareLater(deps, workflow, raw, start);
}

async function prepareLater(deps: Deps, workflow: Workflow, raw: unknown, start: Start): Promise<Prepared> {
  const input = workflow.input === undefined ? raw : await validInput(workflow, workflow.input, raw);
  const versionId = await deps.registry.versionIdOf(workflow);
  return toPrepared(deps, workflow, { raw, input, versionId }, start);
}

function toPrepared(
  deps: Deps,
  workflow: Workflow,
  { raw, input, versionId }: { readonly raw: unknown; readonly input: unknown; readonly versionId: number },
  { id, hashed, actor, parent, timeoutMs }: Start,
): Prepared {
  const { text, value } = encode(input, deps.settings.limits);
  const run = {
    versionId,
    id: id ?? deps.host.freshId(),
    input: text,
    inputHash: hashed && id !== null ? deps.host.hash(canonicalText(raw)) : null,
    actor,
    seed: Math.floor(deps.host.random() * Number.MAX_SAFE_INTEGER),
    parent,
    timeoutMs: timeoutMs ?? workflow.timeoutMs,
  };
  return { workflow, run, input: value };
}

/**
 * Insert the run, or find the one that has its id; resolves when it is durable. One that this engine cannot execute is
 * left for others (F28).
 */
export function insertRun(deps: Deps, prepared: Prepared): Promise<{ readonly rowId: number; readonly id: string }> {
  const { run } = prepared;
  const workerId = deps.registry.executes(run.versionId) ? deps.worker.reserve() : null;
  const write = { kind: "insert_run", run, claimFor: workerId, owner: null } as const;
  return new Promise((resolve, reject) => {
    deps.committer.submit(write, (result) => {
      try {
        resolve({ rowId: inserted(deps, prepared, workerId, result), id: prepared.run.id });
      } catch (error) {
        reject(error);
      }
    });
  });
}

function inserted(deps: Deps, prepared: Prepared, workerId: number | null, result: WriteResult): number {
  if (result.kind === "inserted") {
    if (workerId !== null && result.claimed) {
      const claim = { run: freshRun(prepared, workerId, result), nowMs: result.atMs };
      deps.worker.begin(claim, prepared.input);
      return result.rowId;
    }
    if (workerId !== null) deps.worker.unreserve();
    deps.worker.nudge();
    return result.rowId;
  }
  if (result.kind === "exists") {
    settleReservation(deps, prepared, workerId, result.run);
    checkSameInput(prepared, result.run);
    return result.run.rowId;
  }
  if (workerId !== null) deps.worker.unreserve();
  throw whyNot(result, "a start");
}

/**
 * A start that was submitted twice for an unknown outcome finds its own row: it has the seed of this very start, and is
 * claimed for us. Any other row was claimed, or will be, in the ordinary way.
 */
function settleReservation(deps: Deps, prepared: Prepared, workerId: number | null, run: Run): void {
  if (workerId === null) return;
  const ours =
    run.seed === prepared.run.seed && run.workerId === workerId && run.fence === 1 && run.state === "running";
  if (ours && !deps.worker.executes(run.rowId)) deps.worker.begin({ run, nowMs: run.createdAtMs }, prepared.input);
  else deps.worker.unreserve();
}

/** @throws StepwellError RUN_ID_CONFLICT */
export function checkSameInput(prepared: Prepared, existing: Run): void {
  const { inputHash, id } = prepared.run;
  if (inputHash === null || existing.inputHash === null || inputHash === existing.inputHash) return;
  const { namespace, name } = prepared.workflow;
  throw new StepwellError("RUN_ID_CONFLICT", `run "${id}" of ${namespace}/${name} was started with another input.`, {
    details: { id, namespace, name },
  });
}

async function validInput(workflow: Workflow, schema: StandardSchemaV1, raw: unknown): Promise<unknown> {
  const checked = await validate(schema, raw);
  if (checked.ok) return checked.value;
  const what = `input of ${identityText(workflow)} does not fit its schema: ${issuesText(checked.issues)}.`;
  throw new StepwellError("INPUT_INVALID", what, { details: { issues: checked.issues } });
}

function checkRunId(id: string, workflow: Workflow): void {
  const fits = typeof id === "string" && id.length > 0 && id.length <= RUN_ID_LENGTH_MAX;
  if (fits && !/\p{Cc}/u.test(id)) return;
  throw new StepwellError("RUN_ID_INVALID", `the id given for a run of ${identityText(workflow)} is not usable.`, {
    details: { id: String(id).slice(0, 100) },
  });
}

/** The row as it was just written, so that it need not be read back. */
function freshRun(
  prepared: Prepared,
  workerId: number,
  written: { readonly rowId: number; readonly atMs: number },
): Run {
  const { namespace, name, version } = prepared.workflow;
  const { timeoutMs, ...run } = prepared.run;
  return {
    ...run,
    namespace,
    name,
    version,
    rowId: written.rowId,
    workerId,
    state: "running",
    output: null,
    error: null,
    onHold: false,
    ending: null,
    generation: 1,
    fence: 1,
    crashes: 0,
    inboxSeq: 0,
    historySeq: 1,
    waitingFor: [],
    progress: null,
    attributes: {},
    createdAtMs: written.atMs,
    dueAtMs: null,
    endedAtMs: null,
    deadlineAtMs: timeoutMs === null ? null : Math.ceil(written.atMs + timeoutMs),
  };
}
