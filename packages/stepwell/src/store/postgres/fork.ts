/**
 * Fork: a run that begins with checkpoints of another. One statement, which is its own transaction.
 */
import { StepwellError } from "../../model/errors.ts";
import type { NewRun } from "../../model/run.ts";
import type { Checkpoint } from "../../model/step.ts";
import type { Change, Forked, NowMs } from "../store.ts";
import { tell } from "./listen.ts";
import { findRuns } from "./run.ts";
import { askPatiently, type Session } from "./session.ts";
import { knowVersions } from "./version.ts";

const RUNS_DUE: Change = { due: true, inbox: false, ended: false, workers: false };

/** Insert it, due now, with its past; or find the run that has its name. */
export async function insertForked(
  session: Session,
  run: NewRun,
  past: readonly Checkpoint[],
  nowMs: NowMs,
): Promise<Forked> {
  await knowVersions(session, [run.versionId]);
  const version = session.versions.get(run.versionId);
  if (version === undefined) {
    throw new StepwellError("STORE_WRITE_REFUSED", `${session.place} has no version ${run.versionId}`);
  }
  const { versionId, id, input, inputHash, actor, seed, timeoutMs } = run;
  const [row] = await askPatiently(session, "claim", "insertForked", {
    ...{ workflowId: version.workflow_id, versionId, publicId: id, input, inputHash, actor, seed, timeoutMs, nowMs },
    historySeq: past.at(-1)?.seq ?? 1,
    keys: past.map(({ key }) => key),
    seqs: past.map(({ seq }) => seq),
    kinds: past.map(({ kind }) => kind),
    outcomes: past.map(({ outcome }) => outcome),
    attempts: past.map(({ attempt }) => attempt),
    compensables: past.map(({ compensable }) => compensable),
    durations: past.map(({ durationMs }) => durationMs),
    values: past.map(({ value }) => value),
  });
  if (row !== undefined) {
    tell(session, RUNS_DUE);
    return { kind: "inserted", atMs: Number(row["now_ms"]), rowId: Number(row["id"]), claimed: false };
  }
  const { namespace, name } = version;
  const [existing] = await findRuns(session, [{ namespace, name, id }]);
  if (existing === null || existing === undefined) return insertForked(session, run, past, nowMs);
  return { kind: "exists", run: existing };
}
