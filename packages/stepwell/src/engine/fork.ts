/**
 * Fork: another run begins with what a run has recorded, up to a step, with another input, other outputs or another version.
 *
 * The run that it comes from is left as it is, whatever its state. What it recorded is copied, so that the fork replays it as
 * its own; randomness that was derived from its id and seed stays the same. What the fork did not do itself it does not
 * undo either: copied steps have no compensation.
 */
import { type Ancestry, ancestryOf, FORK_KEY } from "../model/ancestry.ts";
import { encode } from "../model/json.ts";
import { StepwellError } from "../model/errors.ts";
import { identityText } from "../model/identity.ts";
import { planFork } from "../model/reopening.ts";
import type { NewRun, Run } from "../model/run.ts";
import type { Checkpoint } from "../model/step.ts";
import type { RunRef } from "../store/write.ts";
import type { Deps } from "./deps.ts";
import { getRun } from "./find.ts";
import { prepareRun } from "./submit.ts";

/** What is asked for. */
export type Fork = {
  /** Of the new run. */
  readonly id: string;
  readonly actor: string;
  readonly reason: string;
  /** Key of the first step that is performed again; left out: of a run that failed, those that a retry would perform. */
  readonly from?: string;
  /** Outputs by key, instead of those that were recorded. */
  readonly outputs?: Readonly<Record<string, unknown>>;
  /** Instead of the run's. */
  readonly input?: unknown;
  /** Of the same workflow. */
  readonly version?: string;
};

/**
 * Start it; resolves when it is durable. Asked for twice under one id, it is one run.
 *
 * @throws StepwellError RUN_NOT_FOUND, STEP_NOT_FOUND, OPTION_INVALID, INPUT_INVALID, WORKFLOW_NOT_REGISTERED, RUN_ID_CONFLICT
 */
export async function forkRun(
  deps: Deps,
  ref: RunRef,
  fork: Fork,
): Promise<{ readonly rowId: number; readonly id: string }> {
  const source = await getRun(deps, ref);
  const { checkpoints } = await deps.store.loadMemory(source.rowId);
  if (fork.from === undefined && source.state !== "failed" && source.state !== "cancelled") {
    throw new StepwellError("OPTION_INVALID", `fork of run "${source.id}", which is ${source.state}, needs \`from\`.`);
  }
  const copies = copyOf(deps, source, checkpoints, fork);
  const ancestry = toAncestry(source, checkpoints, fork);
  const run = await toRun(deps, source, fork);
  const { text: value } = encode(ancestry);
  const origin = { key: FORK_KEY, kind: "fork", outcome: "completed", value, ...UNTIMED } as const;
  const past = [origin, ...copies].map((checkpoint, index) => ({ ...checkpoint, seq: index + 2 }));
  const result = await deps.store.insertForked(run, past, null);
  if (result.kind === "exists") await checkSameFork(deps, result.run, ancestry);
  else deps.worker.nudge();
  return { rowId: result.kind === "exists" ? result.run.rowId : result.rowId, id: run.id };
}

const UNTIMED = { attempt: 1, compensable: false, durationMs: 0 } as const;

/** What the fork finds recorded, in the order in which it was. */
function copyOf(
  deps: Deps,
  source: Run,
  checkpoints: readonly Checkpoint[],
  { from, outputs = {} }: Fork,
): readonly Omit<Checkpoint, "seq">[] {
  const forgotten = new Set(planFork(source, checkpoints, from));
  const edited = new Map(Object.entries(outputs));
  const known = checkpoints.filter(({ key, kind }) => key !== FORK_KEY && kind !== "compensation");
  const last = known.findIndex(({ key }) => key === from);
  const editable = new Set((last < 0 ? known : known.slice(0, last + 1)).map(({ key }) => key));
  for (const key of edited.keys()) {
    if (editable.has(key)) continue;
    const what = `"${key}" of \`outputs\` is no step that run "${source.id}" recorded${from === undefined ? "" : ` up to "${from}"`}.`;
    throw new StepwellError("STEP_NOT_FOUND", what, { details: { step: key, steps: [...editable] } });
  }
  return known.flatMap(({ seq: _, ...checkpoint }) => {
    const { key } = checkpoint;
    if (!edited.has(key)) return forgotten.has(key) ? [] : [{ ...checkpoint, compensable: false }];
    const { text: value } = encode(edited.get(key), deps.settings.limits);
    return [{ ...checkpoint, outcome: "resolved" as const, value, compensable: false }];
  });
}

function toAncestry(source: Run, checkpoints: readonly Checkpoint[], fork: Fork): Ancestry {
  const { from = null, outputs = {}, actor, reason } = fork;
  const origin = ancestryOf(checkpoints)?.origin ?? source.id;
  const edited = [...Object.keys(outputs), ...("input" in fork ? ["input"] : [])];
  return { run: source.id, origin, generation: source.generation, from, edited, actor, reason };
}

/** @throws StepwellError INPUT_INVALID, WORKFLOW_NOT_REGISTERED */
async function toRun(deps: Deps, source: Run, fork: Fork): Promise<NewRun> {
  const { namespace, name, seed, createdAtMs, deadlineAtMs } = source;
  const identity = { namespace, name, version: fork.version ?? source.version };
  const version = (await deps.store.listVersions()).find((one) => identityText(one) === identityText(identity));
  const offered = deps.registry.offered().includes(identityText(identity));
  if (version === undefined && !offered) throw notRegistered(identityText(identity));
  const versionId = version?.versionId ?? (await deps.registry.versionIdOf(identity));
  const start = { id: fork.id, hashed: false, actor: fork.actor, parent: null };
  const timeoutMs = deadlineAtMs === null ? null : deadlineAtMs - createdAtMs;
  if (!("input" in fork)) {
    const { id, actor, parent } = start;
    return { versionId, id, actor, parent, seed, timeoutMs, input: source.input, inputHash: null };
  }
  const workflow = deps.registry.findFor({ ...identity, versionId });
  if (workflow === null) throw notRegistered(identityText(identity));
  const { run } = await prepareRun(deps, workflow, fork.input, { ...start, timeoutMs });
  return { ...run, versionId, seed };
}

function notRegistered(identity: string): StepwellError {
  return new StepwellError("WORKFLOW_NOT_REGISTERED", `"${identity}" is not registered here.`);
}

/** @throws StepwellError RUN_ID_CONFLICT */
async function checkSameFork(deps: Deps, existing: Run, wanted: Ancestry): Promise<void> {
  const there = ancestryOf((await deps.store.loadMemory(existing.rowId)).checkpoints);
  const same = there?.run === wanted.run && there.from === wanted.from && there.edited.join() === wanted.edited.join();
  if (same) return;
  const { id, namespace, name } = existing;
  const what = `run "${id}" of ${namespace}/${name} exists, and is another one than this fork.`;
  throw new StepwellError("RUN_ID_CONFLICT", what, { details: { id, namespace, name } });
}
