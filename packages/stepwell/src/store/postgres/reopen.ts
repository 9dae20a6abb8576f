/**
 * Reopen: runs that have ended go on, in their next generation (S9). One statement, which is its own transaction.
 */
import type { Run } from "../../model/run.ts";
import type { Change, NowMs, ReopenedRun } from "../store.ts";
import { tell } from "./listen.ts";
import type { Values } from "./query.ts";
import { askPatiently, read, type Session } from "./session.ts";
import { toRuns } from "./version.ts";

const RUNS_DUE: Change = { due: true, inbox: false, ended: false, workers: false };

/** All of them or none. */
export async function reopenRuns(session: Session, runs: readonly ReopenedRun[], nowMs: NowMs): Promise<boolean> {
  const values = { ...valuesOf(runs), nowMs };
  const [row] = await askPatiently(session, "claim", "reopenRuns", values);
  const reopened = Number(row!["reopened"]) > 0;
  if (reopened) tell(session, RUNS_DUE);
  return reopened;
}

/** Of a run that awaits, or awaited, them. */
export async function listChildren(session: Session, rowId: number): Promise<readonly Run[]> {
  return toRuns(session, await read(session, "listChildren", { rowId }));
}

function valuesOf(runs: readonly ReopenedRun[]): Values {
  const forgotten = runs.flatMap(({ rowId, reopening }) => reopening.forgotten.map((key) => ({ rowId, key })));
  const items = runs.flatMap(({ rowId, usedUp }) => usedUp.map((seq, index) => ({ rowId, seq, place: index + 1 })));
  return {
    rowIds: runs.map(({ rowId }) => rowId),
    generations: runs.map(({ generation }) => generation),
    endings: runs.map(({ reopening }) => reopening.undoing?.ending),
    errors: runs.map(({ reopening }) => reopening.undoing?.error),
    noteKinds: runs.map(({ note }) => note.kind),
    notes: runs.map(({ note }) => note.value),
    usedUps: runs.map(({ usedUp }) => usedUp.length),
    delivereds: runs.map(({ deliveries }) => deliveries.length),
    resolveds: runs.map(({ resolved }) => (resolved === null ? 0 : 1)),
    itemRunIds: items.map(({ rowId }) => rowId),
    itemSeqs: items.map(({ seq }) => seq),
    itemPlaces: items.map(({ place }) => place),
    forgottenRunIds: forgotten.map(({ rowId }) => rowId),
    forgottenKeys: forgotten.map(({ key }) => key),
    ...stepValues(runs),
    ...deliveryValues(runs),
  };
}

function stepValues(runs: readonly ReopenedRun[]): Values {
  const steps = runs.flatMap(({ rowId, resolved }) => (resolved === null ? [] : [{ ...resolved, rowId }]));
  return {
    stepRunIds: steps.map(({ rowId }) => rowId),
    stepKeys: steps.map(({ key }) => key),
    stepKinds: steps.map(({ kind }) => kind),
    stepAttempts: steps.map(({ attempt }) => attempt),
    stepValues: steps.map(({ value }) => value),
  };
}

function deliveryValues(runs: readonly ReopenedRun[]): Values {
  const items = runs.flatMap(({ rowId, deliveries }) =>
    deliveries.map((delivery, index) => ({ ...delivery, rowId, place: index + 1 })),
  );
  return {
    newRunIds: items.map(({ rowId }) => rowId),
    newPlaces: items.map(({ place }) => place),
    newKinds: items.map(({ kind }) => kind),
    newNames: items.map(({ name }) => name),
    newPayloads: items.map(({ payload }) => payload),
    newActors: items.map(({ actor }) => actor),
    newOperations: items.map(({ operationId }) => operationId),
  };
}
