/**
 * Reopen: an operator lets a run go on that has failed or was cancelled, from the step that failed.
 *
 * What it forgets says model/reopening.ts. The runs that it awaits are part of it: one that failed or was cancelled is
 * reopened with it, in the same transaction, unless the step that awaited it stays; one that completed is told to it again.
 */
import { encode } from "../model/json.ts";
import { StepwellError } from "../model/errors.ts";
import { parseFailure } from "../model/failure.ts";
import type { InboxItem } from "../model/inbox.ts";
import {
  isUncertain,
  planReopening,
  planUncertain,
  type Reopening,
  type UncertainDetails,
  undoneKey,
  type Wish,
} from "../model/reopening.ts";
import type { Run } from "../model/run.ts";
import type { Checkpoint } from "../model/step.ts";
import type { Memory, ReopenedRun } from "../store/store.ts";
import type { RunRef } from "../store/write.ts";
import type { Deps } from "./deps.ts";
import { getRun } from "./find.ts";

/** Who asks for it and why; `operation`: asked twice under one, it happens once. */
export type Request = { readonly actor: string; readonly reason: string; readonly operation: string };

/** A step that gets its value from the operator; `value` is encoded. */
export type Resolution = { readonly step: string; readonly value: string };

/** Tries of a reopening that others get in the way of, or whose outcome nobody knows. */
const TRIES_MAX = 5;

/** Pause before the next one. */
const AGAIN_MS = 100;

/**
 * Let it go on. Resolves when that is durable.
 *
 * @throws StepwellError RUN_NOT_FOUND, RUN_NOT_ENDED, RUN_NOT_FAILED, OPTION_INVALID, STEP_NOT_FOUND, STEP_NOT_FAILED
 */
export async function reopenRun(
  deps: Deps,
  ref: RunRef,
  request: Request,
  { from, resolve }: { readonly from?: string; readonly resolve?: Resolution },
): Promise<void> {
  const wish = { ...(from === undefined ? {} : { from }), ...(resolve === undefined ? {} : { resolve: resolve.step }) };
  for (let tries = 1; ; tries += 1) {
    const run = await getRun(deps, ref);
    if (await wasDone(deps, run, request.operation)) return;
    const runs = await planFamily(deps, run, { request, wish, value: resolve?.value ?? null });
    try {
      if (await deps.store.reopenRuns(runs, null)) return deps.worker.nudge();
      if (tries === TRIES_MAX) throw goesOn(run, " is being reopened by others");
    } catch (error) {
      const passes = error instanceof StepwellError && PASSING.has(error.code);
      if (!passes || tries === TRIES_MAX) throw error;
      await new Promise<void>((again) => void deps.host.timer(AGAIN_MS, again));
    }
  }
}

const PASSING: ReadonlySet<string> = new Set(["STORE_OUTCOME_UNKNOWN", "STORE_BUSY", "STORE_UNREACHABLE"]);

/** Under its operation it may have been done before, also by a try whose outcome nobody knew. */
async function wasDone(deps: Deps, run: Run, operation: string): Promise<boolean> {
  if (run.generation === 1) return false;
  const history = await deps.store.listHistory(run.rowId);
  return history.some((event) => {
    if (event.kind !== "note" || (event.note !== "retried" && event.note !== "resolved")) return false;
    return (JSON.parse(event.value) as { readonly operation: string }).operation === operation;
  });
}

type Plan = { readonly request: Request; readonly wish: Wish; readonly value: string | null };

/** The run, and what must go on with it. */
async function planFamily(deps: Deps, run: Run, plan: Plan): Promise<readonly ReopenedRun[]> {
  if (isUncertain(run)) return [goOn(run, plan)];
  checkFailed(run);
  const memory = await deps.store.loadMemory(run.rowId);
  const reopening = planReopening(run, memory.checkpoints, plan.wish);
  const awaited = await listAwaited(deps, run, memory, reopening);
  const completed = awaited.filter(({ state }) => state === "completed");
  const others = awaited.filter(({ state }) => state !== "completed");
  const told = new Set(memory.inbox.filter(isCompletion).map(({ name }) => name));
  const deliveries = completed.filter(({ parent }) => !told.has(parent!.key)).map((child) => toDelivery(run, child));
  const reason = `run ${run.id} goes on: ${plan.request.reason}`;
  const families: (readonly ReopenedRun[])[] = [];
  for (const child of others) {
    families.push(await planFamily(deps, child, { request: { ...plan.request, reason }, wish: {}, value: null }));
  }
  const { rowId, generation } = run;
  const resolved = toResolved(memory.checkpoints, plan);
  const usedUp = memory.inbox.filter((item) => !isKept(item)).map(({ seq }) => seq);
  const note = toNote(run, reopening, plan);
  return [{ rowId, generation, reopening, usedUp, deliveries, note, resolved }, ...families.flat()];
}

/** A run that asks about a step has not ended: all else of it goes on as it was. */
function goOn(run: Run, plan: Plan): ReopenedRun {
  const { rowId, generation } = run;
  const reopening = planUncertain(run, plan.wish);
  const { step, attempt } = parseFailure(run.error!).details as UncertainDetails;
  const { value } = plan;
  const resolved = value === null ? null : ({ key: step, kind: "step", attempt, value } as const);
  const note = toNote(run, { ...reopening, forgotten: [step] }, plan);
  return { rowId, generation, reopening, usedUp: [], deliveries: [], note, resolved };
}

/** Children of calls that will be made again. While a run goes on undoing, nobody is awaited. */
async function listAwaited(
  deps: Deps,
  run: Run,
  { checkpoints }: Memory,
  { forgotten, undoing }: Reopening,
): Promise<readonly Run[]> {
  if (undoing !== null) return [];
  const stays = new Set(checkpoints.map(({ key }) => key));
  for (const key of forgotten) stays.delete(key);
  // One whose step was undone is past: its step starts another.
  for (const { key, kind } of checkpoints) if (kind === "compensation") stays.add(undoneKey(key));
  const children = await deps.store.listChildren(run.rowId);
  return children.filter(({ parent }) => !stays.has(parent!.key));
}

/** What the next generation may still want. Who decided about an approval that is over will be told so. */
function isKept(item: InboxItem): boolean {
  return item.kind === "signal" || item.kind === "decision" || isCompletion(item);
}

/** The end of a child, whose call has not taken it. */
function isCompletion({ kind, payload }: InboxItem): boolean {
  return kind === "child" && (JSON.parse(payload) as { readonly state: string }).state === "completed";
}

function toDelivery(run: Run, child: Run): ReopenedRun["deliveries"][number] {
  return {
    kind: "child",
    name: child.parent!.key,
    payload: JSON.stringify({ state: "completed", value: child.output }),
    actor: `run:${child.id}`,
    operationId: `child:${child.rowId}:${child.fence}:${run.generation + 1}`,
  };
}

function toResolved(checkpoints: readonly Checkpoint[], { wish, value }: Plan): ReopenedRun["resolved"] {
  const step = checkpoints.find(({ key }) => key === wish.resolve);
  if (step === undefined || value === null) return null;
  return { key: step.key, kind: step.kind, attempt: step.attempt, value };
}

function toNote({ generation }: Run, { forgotten, undoing }: Reopening, { request, wish }: Plan): ReopenedRun["note"] {
  const { actor, reason, operation } = request;
  const again = forgotten.filter((key) => key !== wish.resolve && (undoing !== null || undoneKey(key) === key));
  const told = { actor, reason, generation: generation + 1, again, operation };
  const { resolve: step } = wish;
  return step === undefined
    ? { kind: "retried", value: encode(told).text }
    : { kind: "resolved", value: encode({ ...told, step }).text };
}

function checkFailed(run: Run): void {
  const { state, id, namespace, name, parent } = run;
  if (state === "failed" || state === "cancelled") return;
  if (state === "completed") {
    throw new StepwellError("RUN_NOT_FAILED", `run "${id}" of ${namespace}/${name} has completed.`);
  }
  throw goesOn(run, parent === null ? ` is ${state}` : `, which another run awaits, is ${state}`);
}

function goesOn({ id, namespace, name }: Run, how: string): StepwellError {
  return new StepwellError("RUN_NOT_ENDED", `run "${id}" of ${namespace}/${name}${how}.`);
}
