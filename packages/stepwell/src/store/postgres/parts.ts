/**
 * Parts: what each kind of write contributes to the one statement of a flush: its text, its parameters, its place in the
 * answer.
 */
import { attributeEntries } from "../attributes.ts";
import { endingDelivery } from "../delivery.ts";
import { transitionNote } from "../notes.ts";
import type { Owner } from "../../model/run.ts";
import type { Write } from "../write.ts";
import { stateAfter } from "../../model/approval.ts";
import { toEnding, type Transition } from "../../model/transition.ts";
import { type QueryName, statementTextOf, type Statement, toArrayText, toStatement } from "./query.ts";

/** A part's name. `order` stands for the head that locks before all others, see orderChanges. */
export type PartName =
  | "order"
  | "plain"
  | "steps"
  | "closings"
  | "attempts"
  | "openings"
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

type Of<Kind extends Write["kind"]> = Extract<Write, { kind: Kind }>;

/** In the order in which they stand in a statement: who refers to another comes after it. */
const PARTS: readonly (readonly [PartName, text: QueryName, answer: string])[] = [
  ["plain", "flushPlainSteps", "(SELECT count(*) FROM plain_steps)"],
  ["steps", "flushSteps", "(SELECT count(*) FROM other_steps)"],
  ["closings", "flushClosings", "0"],
  ["attempts", "flushAttempts", "(SELECT count(*) FROM saved_attempts)"],
  ["openings", "flushOpenings", "0"],
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
  const inOrder = parts.has("order");
  const name = `${inOrder ? "flush in order" : "flush"} ${used.map(([part]) => part).join(" ")}`;
  let statement = composed.get(name);
  if (statement === undefined) {
    const head: QueryName = inOrder ? "flushHeadInOrder" : "flushHead";
    const texts = [head, ...used.map(([, text]) => text)].map(statementTextOf);
    const answers = used.filter(([, , answer]) => answer !== "0").map(([part, , answer]) => `, ${answer} AS "${part}"`);
    statement = toStatement(name, `${texts.join(", ")} ${statementTextOf("flushTail")}${answers.join("")}`);
    composed.set(name, statement);
  }
  return statement;
}

/** The parameters of each part that has rows, in the order of a row's fields. */
const PARAMETERS = {
  plain: ["plainRunIds", "plainWorkers", "plainFences", "plainSeqs", "plainDurations", "plainKeys", "plainValues"],
  steps: [
    ...["stepRunIds", "stepWorkers", "stepFences", "stepSeqs", "stepDurations", "stepAttempts", "stepCompensables"],
    ...["stepKinds", "stepOutcomes", "stepKeys", "stepValues", "stepConsumes", "stepClears"],
  ],
  closings: ["closeRunIds", "closeKeys", "closeStates"],
  attempts: [
    ...["attemptRunIds", "attemptWorkers", "attemptFences", "attemptSeqs", "attemptNumbers", "attemptDurations"],
    ...["attemptRans", "attemptDueIns", "attemptDueAts"],
    ...["attemptKinds", "attemptStates", "attemptKeys", "attemptErrors"],
  ],
  openings: ["openRunIds", "openKeys", "openTitles", "openAddressees", "openRequests"],
  beats: ["beatRunIds", "beatWorkers", "beatFences", "beatNumbers", "beatKeys", "beatValues"],
  notes: ["noteRunIds", "noteWorkers", "noteFences", "noteSeqs", "noteKinds", "noteValues", "noteConsumes"],
  progress: ["progressRunIds", "progressWorkers", "progressFences", "progressValues"],
  attributes: ["attributeRunIds", "attributeWorkers", "attributeFences", "attributeValues"],
  wakes: ["wakeRunIds", "wakeFences"],
  runs: [
    ...["runWorkflowIds", "runVersionIds", "runPublicIds", "runClaimFors", "runInputs", "runInputHashes"],
    ...["runActors", "runSeeds", "runTimeouts", "runParentIds", "runParentKeys", "runParentAwaits"],
    ...["runOwnerIds", "runOwnerWorkers", "runOwnerFences"],
  ],
  turns: [
    ...["turnRunIds", "turnWorkers", "turnFences", "turnSeqs", "turnKinds", "turnConsumes"],
    ...["turnNoteKinds", "turnNotes", "turnStates", "turnDues", "turnSeens", "turnOutputs"],
    ...["turnErrors", "turnEndings", "turnWaits"],
  ],
  posts: [
    ...["postNamespaces", "postWorkflows", "postPublicIds", "postKinds", "postNames"],
    ...["postPayloads", "postActors", "postOperations"],
  ],
  childEnds: ["endRunIds", "endChildIds", "endNames", "endPayloads", "endOperations"],
} as const satisfies { readonly [Part in PartName]?: readonly string[] };

/** A part with rows of its own. */
export type RowPart = keyof typeof PARAMETERS;

type Field = string | number | boolean | null | undefined;

/** What a round's parts are made of: a row per write, and parts that follow from others. */
export type Draft = { readonly rows: { [Part in RowPart]?: Field[][] }; readonly parts: Set<PartName> };

/** The parameters of a draft, column by column. */
export function parametersOf({ rows }: Draft): Record<string, string> {
  const parameters: Record<string, string> = {};
  for (const part of Object.keys(rows) as RowPart[]) {
    const names = PARAMETERS[part];
    for (let place = 0; place < names.length; place += 1) parameters[names[place]!] = toArrayText(rows[part]!, place);
  }
  return parameters;
}

function add({ rows, parts }: Draft, part: RowPart, row: Field[]): void {
  parts.add(part);
  (rows[part] ??= []).push(row);
}

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
      return add(draft, "beats", [...ownerFields(write), write.attempt, write.key, write.value]);
    case "note":
      return add(draft, "notes", [...ownerFields(write), write.seq, write.note, write.value, write.consumes]);
    case "progress":
      return add(draft, "progress", [...ownerFields(write), write.value]);
    case "attributes":
      attributeEntries(write.values);
      return add(draft, "attributes", [...ownerFields(write), write.values]);
    case "wake":
      return add(draft, "wakes", [write.rowId, write.fence]);
    case "post":
      return enterPost(draft, write);
  }
}

function ownerFields({ owner }: { readonly owner: Owner }): readonly [rowId: number, workerId: number, fence: number] {
  return [owner.rowId, owner.workerId, owner.fence];
}

/** Parts that change rows of `runs`; each names the run first. */
const CHANGING = [
  "steps",
  "progress",
  "attributes",
  "wakes",
  "turns",
  "childEnds",
] as const satisfies readonly RowPart[];

/**
 * When more than one part changes rows of `runs`, these are locked first, in order: a part alone goes in order anyway.
 *
 * @returns those to be locked first
 */
export function orderChanges({ rows, parts }: Draft): readonly number[] {
  const changes = CHANGING.map((part) => rows[part]?.filter((row) => part !== "steps" || row.at(-1) === true) ?? []);
  if (changes.filter((some) => some.length > 0).length < 2) return [];
  parts.add("order");
  return [...new Set(changes.flat().map(([rowId]) => rowId as number))];
}

/** Whether a checkpoint goes the short way; see flushPlainSteps. */
export function isPlain(write: Of<"checkpoint">): boolean {
  if (write.consumes !== null || write.clearsCrashes) return false;
  const { kind, outcome, attempt, compensable } = write.checkpoint;
  return kind === "step" && outcome === "completed" && attempt === 1 && !compensable;
}

function enterPlain(draft: Draft, { owner, checkpoint }: Of<"checkpoint">): void {
  const { seq, durationMs, key, value } = checkpoint;
  add(draft, "plain", [owner.rowId, owner.workerId, owner.fence, seq, Math.round(durationMs), key, value]);
}

function enterStep(draft: Draft, write: Of<"checkpoint">): void {
  const { seq, durationMs, attempt, compensable, kind, outcome, key, value } = write.checkpoint;
  const row = [...ownerFields(write), seq, Math.round(durationMs), attempt, compensable, kind, outcome, key, value];
  add(draft, "steps", [...row, write.consumes, write.clearsCrashes]);
  if (kind === "approval") add(draft, "closings", [write.owner.rowId, key, stateAfter(outcome, value)]);
}

function enterAttempt(draft: Draft, write: Of<"attempt">): void {
  const { seq, attempt, durationMs, dueAtMs, kind, state, key, error } = write.attempt;
  const row = [...ownerFields(write), seq, attempt, Math.round(durationMs), durationMs, write.dueInMs, dueAtMs];
  add(draft, "attempts", [...row, kind, state, key, error]);
  if (write.opens === undefined) return;
  const { title, to, request } = write.opens;
  add(draft, "openings", [write.owner.rowId, key, title, JSON.stringify(to), request]);
}

function enterRun(draft: Draft, { run, claimFor, owner }: Of<"insert_run">, workflowId: number): void {
  const { versionId, id, input, inputHash, actor, seed, parent, timeoutMs } = run;
  const row: Field[] = [workflowId, versionId, id, claimFor, input, inputHash, actor, seed, timeoutMs];
  row.push(parent?.rowId, parent?.key, parent?.awaited === true, owner?.rowId, owner?.workerId, owner?.fence);
  add(draft, "runs", row);
}

function enterTurn(draft: Draft, write: Of<"transition">): void {
  const { owner, transition, seq, consumes, parent } = write;
  const note = transitionNote(transition);
  if (note !== null || consumes !== null) draft.parts.add("turnNotes");
  const row: Field[] = [owner.rowId, owner.workerId, owner.fence, seq, transition.kind, consumes];
  row.push(note?.kind, note?.value, ...turnFields(transition));
  add(draft, "turns", row);
  const ending = parent?.awaited === true ? toEnding(transition) : null;
  if (ending === null || parent === null) return;
  // The child's public id is known to the statement alone, which puts the actor together.
  const { name, payload, operationId } = endingDelivery({ owner, id: "", parent, ending });
  draft.parts.add("items");
  add(draft, "childEnds", [parent.rowId, owner.rowId, name, payload, operationId]);
}

/** State, due time, inbox seen (null: it does not matter), output, error, ending and waits after it. */
function turnFields(transition: Transition): readonly Field[] {
  switch (transition.kind) {
    case "complete":
      return ["completed", null, null, transition.output, null, null, null];
    case "fail":
      return ["failed", null, null, null, transition.error, null, null];
    case "cancel":
      return ["cancelled", null, null, null, transition.error, null, null];
    case "pause":
      return ["paused", null, null, null, transition.error, null, null];
    case "hold":
      return ["paused", null, transition.inboxSeen, null, null, null, null];
    case "compensate":
      return ["compensating", null, null, null, transition.error, transition.ending, null];
    case "release":
      return [null, null, null, null, null, null, null];
    case "park": {
      const { state, dueAtMs, waitingFor, inboxSeen } = transition;
      const due = dueAtMs === null ? null : Math.ceil(dueAtMs);
      return [state, due, inboxSeen, null, null, null, JSON.stringify(waitingFor)];
    }
  }
}

function enterPost(draft: Draft, { to, item }: Of<"post">): void {
  draft.parts.add("items");
  const { kind, name, payload, actor, operationId } = item;
  add(draft, "posts", [to.namespace, to.name, to.id, kind, name, payload, actor, operationId]);
}
