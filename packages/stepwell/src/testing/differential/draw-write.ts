/**
 * Drawing writes: few runs, few keys, few operations, so that writes meet. Most are what an
 * engine would submit; some come too late, twice, from somebody else, or cannot be.
 */
import type { NewInboxItem } from "../../model/inbox.ts";
import type { Dice } from "../../model/dice.ts";
import { identityText } from "../../model/identity.ts";
import type { Identity, NewRun, Owner, Wait } from "../../model/run.ts";
import type { Checkpoint, NewAttempt, StepKind } from "../../model/step.ts";
import type { Transition } from "../../model/transition.ts";
import type { RunRef, Write } from "../../store/write.ts";
import type { Named } from "./names.ts";
import { runName } from "./operation.ts";
import { anyRun, anyWorker, choose, IDENTITIES, late, ownerOf, type Sight, type View } from "./view.ts";

/** One kind of write, told with names. */
export type NamedWrite<Kind extends Write["kind"] = Write["kind"]> = Named<Extract<Write, { kind: Kind }>>;

/** A flush that is being drawn. */
export type Draft = {
  readonly view: View;
  /** The last history number given to each run in it. */
  readonly seqs: Map<string, number>;
  /** Who has written in it so far. */
  readonly owners: Named<Owner>[];
  /** Items that it uses up. */
  readonly used: Set<string>;
  /** It has a new run. */
  born: boolean;
};

/** Begin one. */
export function openDraft(view: View): Draft {
  return { view, seqs: new Map(), owners: [], used: new Set(), born: false };
}

/**
 * Who writes about a run: see ownerOf. A fence is given to one worker, and in one flush it is. Which of two who claim to have
 * it is the right one when he gives the run up in that flush is a store's own affair.
 */
export function ownerIn({ view, owners }: Draft, sight: Sight): Named<Owner> {
  const drawn = ownerOf(view, sight);
  const same = owners.find(({ rowId, fence }) => rowId === drawn.rowId && fence === drawn.fence);
  if (same === undefined) owners.push(drawn);
  return same ?? drawn;
}

/** A run, and who writes about it. */
type Target = { readonly sight: Sight; readonly owner: Named<Owner> };

const KEYS: readonly (readonly [key: string, kind: StepKind])[] = [
  ["pay", "step"],
  ["ship/1", "step"],
  ["naïve \u{1f600}", "step"],
  ["@wait/go/1", "signal"],
  ["nap", "sleep"],
  ["@undo/pay", "compensation"],
  ["@decision/sign/1", "decision"],
];

const VALUES = ["1", "null", '"done"', '{"a":[1,2.5,"é"]}', `"\\u0000\\ud800 \u{1f600}'"`];

const FAILURES = [
  '{"name":"E","message":"broke","retryable":true}',
  '{"name":"PermanentError","message":"","retryable":false,"code":"C","cause":{"name":"E","message":"why","retryable":true}}',
];

const DURATIONS_MS = [0, 0.5, 3, 1_000.6];

/**
 * A run, new or not, started by nobody or by a step of another; once in a flush, since it is a store's own affair which of
 * two is the older one. Then it is a post.
 */
export function drawInsert(draft: Draft, target: Target | null): NamedWrite<"insert_run" | "post"> {
  if (draft.born) return drawPost(draft);
  draft.born = true;
  const { view } = draft;
  const { dice, refs } = view;
  const known = refs.length > 0 && dice.chance(0.2) ? dice.pick(late(refs)) : null;
  const identity = dice.pick(IDENTITIES.filter((one) => known === null || isOf(one, known)));
  const ref = {
    namespace: identity.namespace,
    name: identity.name,
    id: known?.id ?? dice.pick(["1", `${refs.length}`]),
  };
  if (!refs.some((one) => runName(one) === runName(ref))) refs.push(ref);
  const versionId = dice.chance(0.03) ? "nobody/knows@1.0.0" : identityText(identity);
  const mother = target?.owner.rowId ?? (dice.chance(0.1) ? runName(anyRun(view)) : null);
  const birth = { key: `child/${dice.integer(3)}`, awaited: dice.chance(0.8) };
  const run: Named<NewRun> = {
    versionId,
    id: ref.id,
    input: dice.pick(VALUES),
    inputHash: dice.chance(0.5) ? "hash" : null,
    actor: dice.pick(["kim", "api:é"]),
    seed: dice.pick([0, 7, Number.MAX_SAFE_INTEGER]),
    parent: mother === null ? null : { rowId: mother, ...birth },
    timeoutMs: dice.chance(0.3) ? 1_000.5 : null,
  };
  const claimFor = dice.chance(0.7) ? anyWorker(view) : null;
  return { kind: "insert_run", run, claimFor, owner: target?.owner ?? null };
}

function isOf(identity: Identity, { namespace, name }: RunRef): boolean {
  return identity.namespace === namespace && identity.name === name;
}

/** A step's outcome, which may use up an item. */
export function drawCheckpoint(draft: Draft, { sight, owner }: Target): NamedWrite<"checkpoint"> {
  const { dice } = draft.view;
  const [key, kind] = dice.pick(KEYS);
  const consumes = drawItem(draft, sight);
  const outcome = choose<Checkpoint["outcome"]>(dice, [
    [20, "completed"],
    [4, "handled"],
    [4, "failed"],
    [2, "cancelled"],
    [1, "nonsense" as never],
  ]);
  const checkpoint: Checkpoint = {
    key,
    kind,
    outcome,
    value: dice.chance(0.02) ? (null as never) : dice.pick(outcome === "failed" ? FAILURES : VALUES),
    seq: nextSeq(draft, sight, consumes === null ? 1 : 2),
    attempt: 1 + dice.integer(3),
    compensable: dice.chance(0.3),
    durationMs: dice.pick(DURATIONS_MS),
  };
  return { kind: "checkpoint", owner, checkpoint, consumes, clearsCrashes: dice.chance(0.15) };
}

/** A step of the commonest kind, for flushes with many. */
export function drawPlainStep(draft: Draft, { sight, owner }: Target): NamedWrite<"checkpoint"> {
  const { dice } = draft.view;
  const checkpoint: Checkpoint = {
    key: dice.pick(["pay", "ship/1", `item/${dice.integer(16)}`]),
    kind: "step",
    outcome: "completed",
    value: dice.pick(VALUES),
    seq: nextSeq(draft, sight, 1),
    attempt: 1,
    compensable: false,
    durationMs: dice.pick(DURATIONS_MS),
  };
  return { kind: "checkpoint", owner, checkpoint, consumes: null, clearsCrashes: false };
}

/** An attempt that failed, a wait, or code that is running. */
export function drawAttempt(draft: Draft, { sight, owner }: Target): NamedWrite<"attempt"> {
  const { dice, nowMs } = draft.view;
  const { attempts } = sight.memory;
  const known = attempts.length > 0 && dice.chance(0.4) ? dice.pick(attempts) : null;
  const [key, kind] = known === null ? dice.pick(KEYS) : [known.key, known.kind];
  const state = choose<NewAttempt["state"]>(dice, [
    [8, "failed"],
    [8, "running"],
    [4, "waiting"],
    [0.3, "nonsense" as never],
  ]);
  const due = state !== "running" || dice.chance(0.03);
  const attempt: NewAttempt = {
    key,
    kind,
    state,
    attempt: known?.attempt ?? 1 + dice.integer(2),
    seq: nextSeq(draft, sight, 1),
    error: state === "failed" ? dice.pick(FAILURES) : null,
    dueAtMs: due && dice.chance(0.5) ? nowMs + 7.5 : null,
    durationMs: dice.pick(DURATIONS_MS),
  };
  return { kind: "attempt", owner, attempt, dueInMs: due && dice.chance(0.5) ? dice.pick([0, 10.2, 50]) : null };
}

/** Of an attempt that runs; where there is none, mostly the beginning of one. */
export function drawBeat(draft: Draft, target: Target): NamedWrite<"beat" | "attempt"> {
  const { dice } = draft.view;
  const { sight, owner } = target;
  const running = sight.memory.attempts.filter(({ state }) => state === "running");
  if (running.length === 0 && dice.chance(0.8)) return drawAttempt(draft, target);
  const { key, attempt } =
    running.length > 0 && dice.chance(0.9) ? dice.pick(running) : { key: dice.pick(KEYS)[0], attempt: 1 };
  return { kind: "beat", owner, key, attempt, value: dice.chance(0.2) ? null : dice.pick(VALUES) };
}

/** A line of the log, or that something is not as it should be. */
export function drawNote(draft: Draft, { sight, owner }: Target): NamedWrite<"note"> {
  const { dice } = draft.view;
  const note = dice.pick(["log", "floating", "stuck"] as const);
  const consumes = drawItem(draft, sight);
  const seq = nextSeq(draft, sight, consumes === null ? 1 : 2);
  return { kind: "note", owner, note, value: dice.pick(VALUES), seq, consumes };
}

/** What the run says of itself, or can be found by. */
export function drawSaying({ view: { dice } }: Draft, { owner }: Target): NamedWrite<"progress" | "attributes"> {
  if (dice.chance(0.3)) return { kind: "progress", owner, value: dice.pick(VALUES) };
  const values = choose(dice, [
    [6, JSON.stringify({ region: dice.pick(["eu", "us"]), size: dice.pick([1, "1", 2.5]) })],
    [3, JSON.stringify({ express: true, région: "é" })],
    [1, "{}"],
    [0.5, dice.pick(["[]", '{"a":null}', "{"])],
  ]);
  return { kind: "attributes", owner, values };
}

/** An end, a park or a turn. */
export function drawTransition(draft: Draft, { sight, owner }: Target): NamedWrite<"transition"> {
  const { dice } = draft.view;
  const transition = drawTurn(draft.view, sight);
  const consumes = transition.kind === "park" ? null : drawItem(draft, sight);
  const seq = transition.kind === "park" ? nextSeq(draft, sight, 0) : nextSeq(draft, sight, consumes === null ? 1 : 2);
  const { parent } = sight.run;
  const told = choose(dice, [
    [40, parent],
    [1, null],
    [1, parent && { ...parent, key: null as never }],
  ]);
  return { kind: "transition", owner, transition, seq, consumes, parent: told };
}

function drawTurn(view: View, { run, memory }: Sight): Transition {
  const { dice } = view;
  const error = dice.pick(FAILURES);
  const end = run.parent?.awaited === true ? 4 : 1;
  return choose<Transition>(dice, [
    [16, drawPark(view, run, memory.inboxSeq)],
    [4, { kind: "release" }],
    [4, { kind: "pause", error }],
    [4, { kind: "hold", inboxSeen: drawSeen(dice, memory.inboxSeq) }],
    [5, { kind: "compensate", ending: dice.pick(["failed", "cancelled"]), error }],
    [3 * end, { kind: "complete", output: dice.pick(VALUES) }],
    [2 * end, { kind: "fail", error }],
    [end, { kind: "cancel", error }],
  ]);
}

function drawPark({ dice, nowMs }: View, { ending }: Sight["run"], inboxSeq: number): Transition {
  const state = (ending === null) !== dice.chance(0.03) ? "waiting" : "compensating";
  const dueAtMs = dice.pick([null, nowMs, nowMs + 9.5, nowMs + 400, nowMs - 5]);
  const wait: Wait = { kind: "signal", key: "@wait/go/1", name: "go", dueAtMs };
  const inboxSeen = drawSeen(dice, inboxSeq);
  return { kind: "park", state, dueAtMs, waitingFor: dice.chance(0.5) ? [wait] : [], inboxSeen };
}

/** Mostly all. */
function drawSeen(dice: Dice, inboxSeq: number): number {
  return choose(dice, [
    [8, inboxSeq],
    [1, inboxSeq - 1],
    [1, 0],
  ]);
}

const NAMES: Readonly<Record<string, string>> = { signal: "go", decision: "sign" };

/** From outside. Few operations, so that some come twice. */
export function drawPost({ view }: Draft): NamedWrite<"post"> {
  const { dice } = view;
  const { namespace, name, id } = anyRun(view);
  const kind = choose<NewInboxItem["kind"]>(dice, [
    [12, "signal"],
    [5, "decision"],
    [4, "cancel"],
    [4, "pause"],
    [4, "resume"],
  ]);
  const what = { name: NAMES[kind] ?? "", payload: dice.pick(VALUES), actor: "kim" };
  const item = { ...what, kind, operationId: `op ${dice.integer(12)}` } as const;
  return { kind: "post", to: { namespace, name, id }, item };
}

/** The body of a run that was parked moved by itself. */
export function drawWake(view: View): NamedWrite<"wake"> {
  const { dice, runs } = view;
  const parked = runs.filter(({ workerId, endedAtMs }) => workerId === null && endedAtMs === null);
  const run = parked.length === 0 || dice.chance(0.3) ? { rowId: runName(anyRun(view)), fence: 1 } : dice.pick(parked);
  return { kind: "wake", rowId: run.rowId, fence: dice.chance(0.1) ? run.fence - 1 : run.fence };
}

/** Mostly none; else mostly one that is there. An executor uses an item up once. */
function drawItem({ view: { dice }, used }: Draft, { run, memory: { inbox } }: Sight): number | null {
  if (dice.chance(0.6)) return null;
  const none: readonly (readonly [weight: number, seq: number | null])[] = [
    [4, null],
    [1, 1],
  ];
  const seq = inbox.length === 0 ? choose(dice, none) : dice.pick(inbox).seq;
  const item = `${run.rowId} ${seq}`;
  if (seq === null || used.has(item)) return null;
  used.add(item);
  return seq;
}

/** The history number that comes `step` after the last one of that run. */
export function nextSeq({ seqs }: Draft, { run, memory }: Sight, step: number): number {
  const seq = (seqs.get(run.rowId) ?? memory.lastSeq) + step;
  seqs.set(run.rowId, seq);
  return seq;
}
