/**
 * Version: the rows that runs point to. Small, never changed, so kept in memory
 * once they are committed.
 */
import { StepwellError } from "../../model/errors.ts";
import type { Identity, Run } from "../../model/run.ts";
import { toRun, toVersion, type VersionRow } from "../rows.ts";
import type { Version } from "../store.ts";
import { type Connection, connected, type Session } from "./connection.ts";
import { toRunRow, type RunValues } from "./run-row.ts";
import { transact } from "./transaction.ts";

/** Find or insert a version. A transaction of its own, and only when it is new. */
export function ensureVersion(session: Session, identity: Identity): Version {
  return toVersion(findVersion(connected(session), identity) ?? insertVersion(session, identity));
}

/** All versions, in the order they were first seen. */
export function listVersions(session: Session): readonly Version[] {
  const rows = connected(session).sql.listVersions.all() as unknown as readonly VersionRow[];
  for (const row of rows) session.versions.set(row.id, row);
  return rows.map(toVersion);
}

/** The version of that row id; STORE_WRITE_REFUSED when this store has none. */
export function getVersion(session: Session, connection: Connection, versionId: number): VersionRow {
  const known = session.versions.get(versionId);
  if (known !== undefined) return known;
  const row = connection.sql.findVersionById.get(versionId) as unknown as VersionRow | undefined;
  if (row === undefined) {
    throw new StepwellError("STORE_WRITE_REFUSED", `"${session.path}" has no version ${versionId}`);
  }
  session.versions.set(versionId, row);
  return row;
}

/** A run as the port tells it, from what the driver gave for one of RUN_QUERIES. */
export function runOf(session: Session, connection: Connection, row: unknown): Run {
  const run = toRunRow(row as RunValues);
  return toRun(run, getVersion(session, connection, run.version_id));
}

function insertVersion(session: Session, { namespace, name, version }: Identity): VersionRow {
  return transact(session, (connection) => {
    connection.sql.insertWorkflow.run(namespace, name);
    connection.sql.insertVersion.run(namespace, name, version);
    return findVersion(connection, { namespace, name, version })!;
  });
}

function findVersion({ sql }: Connection, { namespace, name, version }: Identity): VersionRow | null {
  return (sql.findVersion.get(namespace, name, version) as unknown as VersionRow | undefined) ?? null;
}
