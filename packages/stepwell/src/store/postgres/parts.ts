/**
 * Parts: what each kind of write contributes to the one statement of a flush: its text, its parameters, its place in the
 * answer.
 */
import { attributeEntries } from "../attributes.ts";
import { endingDelivery } from "../delivery.ts";
import { transitionNote } from "../notes.ts";
import type { Write } from "../store.ts";
import { toEnding, type Transition } from "../../model/transition.ts";
import { type QueryName, statementTextOf, type Statement, toStatement } from "./query.ts";

/** A part's name. */
export type PartName =
  | "plain"
  | "steps"
  | "attempts"
  | "beats"
  | "notes"
  | "progress"
  | "attributes"
  | "wakes"
  | "runs"
  | "turns"
  | "turnNotes"
  | "posts"
  | "childEnds"
  | "items";

/** The columns of a flush's parameters, grown write by write. */
export type Columns = { readonly [parameter: string]: unknown[] };

type Of<Kind extends Write["kind"]> = Extract<Write, { kind: Kind }>;

/** In the order in which they stand in a statement: who refers to another comes after it. */
const PARTS: readonly (readonly [PartName, text: QueryName, answer: string])[] = [
  ["plain", "flushPlainSteps", "(SELECT count(*) FROM plain_steps)"],
  ["steps", "flushSteps", "(SELECT count(*) FROM other_steps)"],
  ["attempts", "flushAttempts", "(SELECT count(*) FROM saved_attempts)"],
  ["beats", "flushBeats", "(SELECT count(*) FROM beaten)"],
  ["notes", "flushNotes", "(SELECT count(*) FROM saved_notes)"],
  ["progress", "flushProgress", "(SELECT count(*) FROM progressed)"],
  ["attributes", "flushAttributes", "(SELECT count(*) FROM described)"],
  ["wakes", "flushWakes", "(SELECT array_agg(id) FROM awoken)"],
  ["runs", "flushRuns", "(SELECT array_agg(id ORDER BY id) FROM inserted)"],
  ["turns", "flushTransitions", "(SELECT count(*) FROM turned)"],
  ["turnNotes", "flushTurnNotes", "0"],
  ["posts", "flushPosts", "0"],
  ["childEnds", "flushChildEnds", "0"],
  [
    "items",
    "flushItems",
    `(SELECT json_agg(json_build_array(posted.run_id, posted.seq, posted.operation_id, woken.claimable, posted.actor))
      FROM posted JOIN woken ON woken.id = posted.run_id)`,
  ],
];

const composed = new Map<string, Statement>();

/** The statement of these parts; the same object each time, so that the server plans it once. */
export function composeFlush(parts: ReadonlySet<PartName>): Statement {
  const used = PARTS.filter(([name]) => parts.has(name));
  const name = `flush ${used.map(([part]) => part).join(" ")}`;
  let statement = composed.get(name);
  if (statement === undefined) {
    const texts = ["flushHead" as const, ...used.map(([, text]) => text)].map(statementTextOf);
    const answers = used.filter(([, , answer]) => answer !== "0").map(([part, , answer]) => `, ${answer} AS "${part}"`);
    statement = toStatement(name, `${texts.join(", ")} ${statementTextOf("flushTail")}${answers.join("")}`);
    composed.set(name, statement);
  }
  return statement;
}

/** What a round's parts are made of. */
export type Draft = { readonly parts: Set<PartName>; readonly columns: { [parameter: string]: unknown[] } };

/** Enter a write; `workflowId` of the version, for a run that is inserted. Throws for one that cannot be stored at all. */
export function enterWrite(draft: Draft, write: Write, workflowId: number): void {
  switch (write.kind) {
    case "checkpoint":
      return isPlain(write) ? enterPlain(draft, write) : enterStep(draft, write);
    case "insert_run":
      return enterRun(draft, write, workflowId);
    case "transition":
      return enterTurn(draft, write);
    case "attempt":
      return enterAttempt(draft, write);
    case "beat":
      enterOwned(draft, "beats", "beat", write);
      return push(draft, "beat", { Numbers: write.attempt, Keys: write.key, Values: write.value });
    case "note":
      enterOwned(draft, "notes", "note", write);
      return push(draft, "note", { Seqs: write.seq, Kinds: write.note, Values: write.value });
    case "progress":
      enterOwned(draft, "progress", "progress", write);
      return push(draft, "progress", { Values: write.value });
    case "attributes":
      attributeEntries(write.values);
      enterOwned(draft, "attributes", "attribute", write);
      return push(draft, "attribute", { Values: write.values });
    case "wake":
      draft.parts.add("wakes");
      return push(draft, "wake", { RunIds: write.rowId, Fences: write.fence });
    case "post":
      return enterPost(draft, write);
  }
}

/** Whether a checkpoint goes the short way; see flushPlainSteps. */
export function isPlain(write: Of<"checkpoint">): boolean {
  if (write.consumes !== null || write.clearsCrashes) return false;
  const { kind, outcome, attempt, compensable } = write.checkpoint;
  return kind === "step" && outcome === "completed" && attempt === 1 && !compensable;
}

function push({ columns }: Draft, prefix: string, fields: Readonly<Record<string, unknown>>): void {
  for (const field in fields) (columns[prefix + field] ??= []).push(fields[field]);
}

function enterOwned(
  draft: Draft,
  part: PartName,
  prefix: string,
  { owner }: { readonly owner: { readonly rowId: number; readonly workerId: number; readonly fence: number } },
): void {
  draft.parts.add(part);
  push(draft, prefix, { RunIds: owner.rowId, Workers: owner.workerId, Fences: owner.fence });
}

function enterPlain(draft: Draft, write: Of<"checkpoint">): void {
  const { seq, durationMs, key, value } = write.checkpoint;
  enterOwned(draft, "plain", "plain", write);
  push(draft, "plain", { Seqs: seq, Durations: Math.round(durationMs), Keys: key, Values: value });
}

function enterStep(draft: Draft, write: Of<"checkpoint">): void {
  const { seq, durationMs, attempt, compensable, kind, outcome, key, value } = write.checkpoint;
  enterOwned(draft, "steps", "step", write);
  push(draft, "step", { Seqs: seq, Durations: Math.round(durationMs), Attempts: attempt, Compensables: compensable });
  push(draft, "step", { Kinds: kind, Outcomes: outcome, Keys: key, Values: value });
  push(draft, "step", { Consumes: write.consumes, Clears: write.clearsCrashes });
}

function enterAttempt(draft: Draft, write: Of<"attempt">): void {
  const { seq, attempt, durationMs, dueAtMs, kind, state, key, error } = write.attempt;
  enterOwned(draft, "attempts", "attempt", write);
  push(draft, "attempt", { Seqs: seq, Numbers: attempt, Durations: Math.round(durationMs), Rans: durationMs });
  push(draft, "attempt", { DueIns: write.dueInMs, DueAts: dueAtMs });
  push(draft, "attempt", { Kinds: kind, States: state, Keys: key, Errors: error });
}

function enterRun(draft: Draft, { run, claimFor, owner }: Of<"insert_run">, workflowId: number): void {
  const { versionId, id, input, inputHash, actor, seed, parent, timeoutMs } = run;
  draft.parts.add("runs");
  push(draft, "run", { WorkflowIds: workflowId, VersionIds: versionId, PublicIds: id, ClaimFors: claimFor });
  push(draft, "run", { Inputs: input, InputHashes: inputHash, Actors: actor, Seeds: seed, Timeouts: timeoutMs });
  push(draft, "run", { ParentIds: parent?.rowId ?? null, ParentKeys: parent?.key ?? null });
  push(draft, "run", { ParentAwaits: parent?.awaited === true, OwnerIds: owner?.rowId ?? null });
  push(draft, "run", { OwnerWorkers: owner?.workerId ?? null, OwnerFences: owner?.fence ?? null });
}

function enterTurn(draft: Draft, write: Of<"transition">): void {
  const { owner, transition, seq, consumes, parent } = write;
  const note = transitionNote(transition);
  enterOwned(draft, "turns", "turn", write);
  if (note !== null || consumes !== null) draft.parts.add("turnNotes");
  push(draft, "turn", { Seqs: seq, Kinds: transition.kind, Consumes: consumes, ...fieldsOf(transition) });
  push(draft, "turn", { NoteKinds: note?.kind ?? null, Notes: note?.value ?? null });
  const ending = parent?.awaited === true ? toEnding(transition) : null;
  if (ending === null || parent === null) return;
  // The child's public id is known to the statement alone, which puts the actor together.
  const { name, payload, operationId } = endingDelivery({ owner, id: "", parent, ending });
  draft.parts.add("childEnds").add("items");
  push(draft, "end", { RunIds: parent.rowId, ChildIds: owner.rowId });
  push(draft, "end", { Names: name, Payloads: payload, Operations: operationId });
}

const STATES: { readonly [Kind in Exclude<Transition["kind"], "park" | "release">]: string } = {
  complete: "completed",
  fail: "failed",
  cancel: "cancelled",
  compensate: "compensating",
  pause: "paused",
};

/** `Seens` null: the inbox does not matter. */
function fieldsOf(transition: Transition): Readonly<Record<string, unknown>> {
  const none = { States: null, Dues: null, Seens: null, Outputs: null, Errors: null, Endings: null, Waits: null };
  switch (transition.kind) {
    case "complete":
      return { ...none, States: STATES.complete, Outputs: transition.output };
    case "fail":
    case "cancel":
    case "pause":
      return { ...none, States: STATES[transition.kind], Errors: transition.error };
    case "compensate":
      return { ...none, States: STATES.compensate, Errors: transition.error, Endings: transition.ending };
    case "release":
      return none;
    case "park": {
      const { state, dueAtMs, waitingFor, inboxSeen } = transition;
      const due = dueAtMs === null ? null : Math.ceil(dueAtMs);
      return { ...none, States: state, Dues: due, Seens: inboxSeen, Waits: JSON.stringify(waitingFor) };
    }
  }
}

function enterPost(draft: Draft, { to, item }: Of<"post">): void {
  draft.parts.add("posts").add("items");
  push(draft, "post", { Namespaces: to.namespace, Workflows: to.name, PublicIds: to.id });
  push(draft, "post", { Kinds: item.kind, Names: item.name, Payloads: item.payload });
  push(draft, "post", { Actors: item.actor, Operations: item.operationId });
}
