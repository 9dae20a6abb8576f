/**
 * Ended: how runs came out that somebody waits for.
 */
import type { Ending } from "../../model/transition.ts";
import type { EndedRun } from "../store.ts";
import { connected, type Session } from "./connection.ts";

type EndedRow = { readonly id: number; readonly state: Ending["state"]; readonly value: string | null };

/** Those of the given runs that have ended, in no order; one query however many they are. */
export function listEnded(session: Session, rowIds: readonly number[]): readonly EndedRun[] {
  const rows = connected(session).sql.listEnded.all(JSON.stringify(rowIds)) as unknown as readonly EndedRow[];
  return rows.map(({ id, state, value }) => ({ rowId: id, ending: { state, value: value ?? "null" } }));
}
