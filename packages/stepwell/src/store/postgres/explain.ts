/**
 * Explain: why a write was not accepted, by a fresh look (S2, S5).
 *
 * Either the owner lost the run, or the row was there: this flush was stored once before. The fence tells. It grows with
 * every claim and every takeover, so while it is still the owner's, nobody else has written about the run since.
 */
import { isTerminal, type Owner, type Run, type RunState } from "../../model/run.ts";
import type { InboxItem } from "../../model/inbox.ts";
import { isGuarded, wasApplied } from "../after.ts";
import { endingOperation } from "../delivery.ts";
import { BEGAN_NOTE, beganNote } from "../events.ts";
import { refusalOfBeat } from "../refusals.ts";
import type { AttemptRow, RunRow, StandingRow } from "../rows.ts";
import type { Write, WriteResult } from "../write.ts";
import type { Row } from "./query.ts";
import { ask, type Session } from "./session.ts";
import { type Batch, insertedResult, itemKey, type Of, STALE, type Told, turnedResult } from "./told.ts";
import { runOf, workflowIdOf } from "./version.ts";

/** What a fresh look has found. */
type Found = {
  readonly told: Told;
  readonly standings: ReadonlyMap<number, StandingRow>;
  readonly steps: ReadonlySet<string>;
  readonly notes: ReadonlySet<string>;
  readonly attempts: ReadonlyMap<string, AttemptFound>;
  /** By workflow and public id. */
  readonly runs: ReadonlyMap<string, Run>;
  /** By run and operation. */
  readonly delivered: ReadonlyMap<string, DeliveredRow>;
  /** By the posts' places. */
  readonly addressees: ReadonlyMap<number, { readonly id: number; readonly state: RunState }>;
};

type StepFound = { readonly run_id: number; readonly generation: number; readonly key: string };
type NoteFound = { readonly run_id: number; readonly seq: number };
type AttemptFound = Pick<AttemptRow, "key" | "kind" | "state" | "attempt" | "seq" | "began_at_ms"> &
  Pick<StepFound, "run_id" | "generation">;
type AddresseeFound = { readonly place: number; readonly id: number; readonly state: RunState };

type DeliveredRow = {
  readonly run_id: number;
  readonly operation_id: string;
  readonly seq: number;
  readonly kind: InboxItem["kind"];
  readonly name: string;
  readonly actor: string;
  readonly payload: string;
  readonly at_ms: number;
  readonly claimable: boolean;
};

/** Fill the results that are still open. `open`: places in the flush. */
export async function explain(batch: Batch, open: readonly number[], told: Told): Promise<void> {
  const writes = open.map((index) => batch.writes[index]!);
  const found = await look(batch.session, writes, told);
  const fresh = new Set(told.runs);
  for (const [place, index] of open.entries()) {
    const write = batch.writes[index]!;
    if (write.kind === "attempt") batch.results[index] = await answerAttempt(batch, write, found);
    else if (write.kind === "insert_run") batch.results[index] = answerInsert(batch.session, write, found, fresh);
    else batch.results[index] = answerLate(write, place, found);
  }
}

async function look(session: Session, writes: readonly Write[], told: Told): Promise<Found> {
  const owners = writes.flatMap((write) => ("owner" in write && write.owner !== null ? [write.owner.rowId] : []));
  const standings = await lookFor<StandingRow & { readonly id: number }>(owners, () =>
    ask(session, "flush", "listStandings", { rowIds: [...new Set(owners)] }),
  );
  const steps = writes.filter((write) => write.kind === "checkpoint");
  const stepKeys = { rowIds: steps.map((one) => one.owner.rowId), keys: steps.map((one) => one.checkpoint.key) };
  const savedSteps = await lookFor<StepFound>(steps, () => ask(session, "flush", "listSavedSteps", stepKeys));
  const notes = writes.filter((write) => write.kind === "note");
  const noteKeys = { rowIds: notes.map((one) => one.owner.rowId), seqs: notes.map((one) => one.seq) };
  const savedNotes = await lookFor<NoteFound>(notes, () => ask(session, "flush", "listSavedNotes", noteKeys));
  const addressees = await lookForAddressees(session, writes);
  return {
    told,
    standings: new Map(standings.map((row) => [row.id, row])),
    steps: new Set(savedSteps.map((row) => `${row.run_id} ${row.generation} ${row.key}`)),
    notes: new Set(savedNotes.map((row) => `${row.run_id} ${row.seq}`)),
    attempts: await lookForAttempts(session, writes),
    runs: await lookForRuns(session, writes),
    addressees,
    delivered: await lookForItems(session, writes, { addressees, atMs: told.atMs }),
  };
}

/** `Found`: the columns that the query answers with. */
async function lookFor<Found>(
  wanted: readonly unknown[],
  query: () => Promise<readonly Row[]>,
): Promise<readonly Found[]> {
  return wanted.length === 0 ? [] : ((await query()) as unknown as readonly Found[]);
}

async function lookForAttempts(session: Session, writes: readonly Write[]): Promise<Found["attempts"]> {
  const wanted = writes.flatMap((write) => {
    if (write.kind === "attempt") {
      return [{ rowId: write.owner.rowId, key: write.attempt.key, at: write.attempt.attempt }];
    }
    return write.kind === "beat" ? [{ rowId: write.owner.rowId, key: write.key, at: write.attempt }] : [];
  });
  const keys = {
    rowIds: wanted.map((one) => one.rowId),
    keys: wanted.map((one) => one.key),
    attempts: wanted.map((one) => one.at),
  };
  const rows = await lookFor<AttemptFound>(wanted, () => ask(session, "flush", "listSavedAttempts", keys));
  return new Map(rows.map((row) => [`${row.run_id} ${row.generation} ${row.attempt} ${row.key}`, row]));
}

async function lookForRuns(session: Session, writes: readonly Write[]): Promise<Found["runs"]> {
  const wanted = writes.filter((write) => write.kind === "insert_run").map((write) => write.run);
  const keys = {
    workflowIds: wanted.map((run) => workflowIdOf(session, run.versionId)),
    publicIds: wanted.map((run) => run.id),
  };
  const rows = await lookFor<RunRow & { readonly workflow_id: number }>(wanted, () =>
    ask(session, "flush", "listRunsByPublicId", keys),
  );
  return new Map(rows.map((row) => [`${row.workflow_id} ${row.public_id}`, runOf(session, row)]));
}

async function lookForAddressees(session: Session, writes: readonly Write[]): Promise<Found["addressees"]> {
  const places = writes.flatMap((write, place) => (write.kind === "post" ? [{ place, to: write.to }] : []));
  const keys = {
    namespaces: places.map(({ to }) => to.namespace),
    workflows: places.map(({ to }) => to.name),
    publicIds: places.map(({ to }) => to.id),
  };
  const rows = await lookFor<AddresseeFound>(places, () => ask(session, "flush", "listAddressees", keys));
  return new Map(rows.map(({ place, id, state }) => [places[place - 1]!.place, { id, state }]));
}

async function lookForItems(
  session: Session,
  writes: readonly Write[],
  { addressees, atMs }: { readonly addressees: Found["addressees"]; readonly atMs: number },
): Promise<Found["delivered"]> {
  const wanted = writes.flatMap((write, place): { rowId: number; operation: string }[] => {
    if (write.kind === "transition" && write.parent?.awaited === true) {
      return [{ rowId: write.parent.rowId, operation: endingOperation(write.owner) }];
    }
    const to = addressees.get(place);
    return write.kind === "post" && to !== undefined ? [{ rowId: to.id, operation: write.item.operationId }] : [];
  });
  const keys = {
    rowIds: wanted.map(({ rowId }) => rowId),
    operations: wanted.map(({ operation }) => operation),
    nowMs: atMs,
  };
  const rows = await lookFor<DeliveredRow>(wanted, () => ask(session, "flush", "listDelivered", keys));
  return new Map(rows.map((row) => [itemKey(row.run_id, row.operation_id), row]));
}

/** The run's standing if nobody took it after `owner`, who lives, and holds it still or gave it up; null otherwise. */
function lastHeld({ told, standings }: Found, owner: Owner): StandingRow | null {
  const row = told.alive.has(owner.workerId) ? standings.get(owner.rowId) : undefined;
  if (row === undefined || row.fence !== owner.fence) return null;
  return row.worker_id === null || row.worker_id === owner.workerId ? row : null;
}

function answerLate(
  write: Exclude<Write, { kind: "attempt" | "insert_run" }>,
  place: number,
  found: Found,
): WriteResult {
  if (write.kind === "post") return answerPost(write, place, found);
  if (write.kind === "wake") return STALE;
  const held = lastHeld(found, write.owner);
  if (held === null) return STALE;
  const { rowId } = write.owner;
  const answer = (there: boolean): WriteResult => (there ? found.told.stored : STALE);
  switch (write.kind) {
    case "checkpoint":
      return answer(found.steps.has(`${rowId} ${held.generation} ${write.checkpoint.key}`));
    case "note":
      return answer(found.notes.has(`${rowId} ${write.seq}`));
    case "beat": {
      const there = found.attempts.has(`${rowId} ${held.generation} ${write.attempt} ${write.key}`);
      return there ? found.told.stored : refusalOfBeat(write.key, write.attempt);
    }
    case "progress":
    case "attributes":
      return found.told.stored;
    case "transition":
      return answerTurn(write, held, found);
  }
}

function answerTurn(write: Of<"transition">, held: StandingRow, found: Found): WriteResult {
  const { owner, transition, parent } = write;
  if (!wasApplied(transition.kind, held)) {
    return isGuarded(transition.kind) && held.worker_id !== null ? { kind: "unseen" } : STALE;
  }
  const told = turnedResult(found.told, write);
  if (told.kind === "posted" || parent?.awaited !== true) return told;
  const row = found.delivered.get(itemKey(parent.rowId, endingOperation(owner)));
  return row === undefined ? found.told.stored : deliveredResult(row, found.told.atMs);
}

function answerPost(write: Of<"post">, place: number, found: Found): WriteResult {
  const to = found.addressees.get(place);
  if (to === undefined) return { kind: "unknown_run" };
  const key = itemKey(to.id, write.item.operationId);
  const fresh = found.told.items.get(key);
  const row = found.delivered.get(key);
  if (row !== undefined) {
    return deliveredResult({ ...row, claimable: fresh?.claimable ?? row.claimable }, found.told.atMs);
  }
  return isTerminal(to.state) ? { kind: "ended", state: to.state } : { kind: "unknown_run" };
}

function deliveredResult(row: DeliveredRow, atMs: number): WriteResult {
  const { run_id: rowId, seq, kind, name, payload, actor, claimable } = row;
  return { kind: "posted", atMs, rowId, item: { seq, kind, name, payload, actor, atMs: row.at_ms }, claimable };
}

/** `fresh`: runs that this round inserted, and whose own answer is still to be given. */
function answerInsert(session: Session, write: Of<"insert_run">, found: Found, fresh: Set<number>): WriteResult {
  const { run: wanted, owner } = write;
  const run = found.runs.get(`${workflowIdOf(session, wanted.versionId)} ${wanted.id}`);
  if (owner !== null && lastHeld(found, owner) === null) return STALE;
  if (run === undefined) return STALE;
  return fresh.delete(run.rowId) ? insertedResult(found.told, write, run.rowId) : { kind: "exists", run };
}

/** One that a crash cut off may begin again; everything else was there or is stale. */
async function answerAttempt({ session }: Batch, write: Of<"attempt">, found: Found): Promise<WriteResult> {
  const { owner, attempt } = write;
  const held = lastHeld(found, owner);
  if (held === null) return STALE;
  const before = found.attempts.get(`${owner.rowId} ${held.generation} ${attempt.attempt} ${attempt.key}`);
  const begins = attempt.state === "running" && before?.state === "running" && attempt.seq > before.seq;
  if (!begins) return before === undefined ? STALE : found.told.stored;
  const { atMs, stored } = found.told;
  const begun = await ask(session, "flush", "beginAttemptAgain", {
    ...{ ...owner, key: attempt.key, attempt: attempt.attempt, seq: attempt.seq, nowMs: atMs },
    durationMs: Math.round(attempt.durationMs),
    beganAtMs: Math.floor(atMs - attempt.durationMs),
    beforeSeq: before.seq,
    beforeAtMs: before.began_at_ms,
    noteKind: BEGAN_NOTE,
    note: beganNote(before.kind, attempt.key, attempt.attempt),
  });
  return begun.length === 0 ? STALE : stored;
}
