/**
 * Version: the rows that runs point to. Small, never changed, so kept in memory once they have been seen.
 */
import { StepwellError } from "../../model/errors.ts";
import type { Identity, Run } from "../../model/run.ts";
import { type RunRow, toRun, toVersion, type VersionRow } from "../rows.ts";
import type { Version } from "../store.ts";
import { tell } from "./listen.ts";
import { ask, read, type Session } from "./session.ts";

/** Find or insert a version. Several processes may insert the same one at once. */
export async function ensureVersion(session: Session, identity: Identity): Promise<Version> {
  const { namespace, name, version } = identity;
  const known = { namespace, name, version };
  const [found] = await read(session, "findVersion", known);
  if (found !== undefined) return remember(session, found);
  await ask(session, "claim", "insertWorkflow", known);
  const news = await ask(session, "claim", "insertVersion", known);
  if (news.length > 0) tell(session, { due: true, inbox: false, ended: false, workers: false });
  const [inserted] = await read(session, "findVersion", known);
  return remember(session, inserted);
}

/** All versions, in the order they were first seen. */
export async function listVersions(session: Session): Promise<readonly Version[]> {
  const rows = await read(session, "listVersions", {});
  return rows.map((row) => remember(session, row));
}

/** Look up versions that have not been seen here. */
export async function knowVersions(session: Session, versionIds: readonly number[]): Promise<void> {
  if (versionIds.some((id) => !session.versions.has(id))) await listVersions(session);
}

/** The workflow of a version that has been seen; STORE_WRITE_REFUSED when this store has none of that id. */
export function workflowIdOf(session: Session, versionId: number): number {
  return getVersion(session, versionId).workflow_id;
}

/** A run as the port tells it; its version has been seen. */
export function runOf(session: Session, row: RunRow): Run {
  return toRun(row, getVersion(session, row.version_id));
}

/** Rows of `runs` as the port tells them. */
export async function toRuns(session: Session, rows: readonly unknown[]): Promise<readonly Run[]> {
  const found = rows as readonly RunRow[];
  await knowVersions(
    session,
    found.map((row) => row.version_id),
  );
  return found.map((row) => runOf(session, row));
}

function getVersion(session: Session, versionId: number): VersionRow {
  const row = session.versions.get(versionId);
  if (row !== undefined) return row;
  throw new StepwellError("STORE_WRITE_REFUSED", `${session.place} has no version ${versionId}`);
}

function remember(session: Session, row: unknown): Version {
  const version = row as VersionRow;
  session.versions.set(version.id, version);
  return toVersion(version);
}
