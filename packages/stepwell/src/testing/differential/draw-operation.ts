/**
 * Drawing operations: what comes next, by the dice and by how things stand. Follow-ups are
 * drawn with what they follow, so that takeovers, and the quarantines that take three of
 * them, are common.
 */
import { identityText } from "../../model/identity.ts";
import { RUN_STATES } from "../../model/run.ts";
import type { RunFilter } from "../../store/store.ts";
import type { Write } from "../../store/write.ts";
import { drawBreaker } from "./draw-breaker.ts";
import {
  type Draft,
  drawAttempt,
  drawBeat,
  drawCheckpoint,
  drawInsert,
  drawNote,
  drawPlainStep,
  drawPost,
  drawSaying,
  drawTransition,
  drawWake,
  nextSeq,
  openDraft,
  ownerIn,
} from "./draw-write.ts";
import { drawFork, drawRemark, drawReopening } from "./draw-reopening.ts";
import { drawApproval, drawApprovalLook, drawNewApproval } from "./draw-approval.ts";
import { WANTED } from "./look-around.ts";
import type { Named } from "./names.ts";
import { type Operation, runName } from "./operation.ts";
import {
  anyRun,
  anyWorker,
  choose,
  deadHolders,
  heldRuns,
  IDENTITIES,
  late,
  NOBODY,
  observe,
  ownerOf,
  seeSome,
  type Sight,
  type View,
} from "./view.ts";

/** Runs that are held, and workers that live, are no fewer for long. */
const HELD_MIN = 2;
const LIVING_MIN = 2;

/** What to do next; usually one operation. */
export async function drawOperations(view: View): Promise<readonly Operation[]> {
  const { dice } = view;
  stepClock(view);
  await observe(view);
  if (view.living.length < LIVING_MIN) return [register(view)];
  const idle = heldRuns(view).length < HELD_MIN;
  const draw = choose<(view: View) => Promise<readonly Operation[]> | readonly Operation[]>(dice, [
    [60, drawFlush],
    [idle ? 60 : 12, drawClaim],
    [14, drawLooks],
    [deadHolders(view).length === 0 ? 6 : 25, drawCrash],
    [6, drawWorker],
    [4, drawReopening],
    [2, drawFork],
    [2, drawRemark],
    [4, drawBreaker],
    [3, drawUpdate],
    [3, ({ nowMs }) => [{ call: "resumePaused", versionIds: someVersions(view), nowMs }]],
    [2, () => [{ call: "ensureVersion", identity: dice.pick([IDENTITIES[0]!, ...IDENTITIES]) }]],
  ]);
  return draw(view);
}

/** Clocks stand still for many operations, run, leap, are set back, and tell the very moment of something, or nearly. */
function stepClock(view: View): void {
  const { dice } = view;
  const nowMs = Math.floor(view.nowMs);
  view.nowMs = choose(dice, [
    [50, view.nowMs],
    [30, nowMs + 1 + dice.integer(20)],
    [14, someMoment(view) + dice.pick([-1, 0, 0, 0.5])],
    [5, nowMs + 300 + dice.integer(900)],
    [3, nowMs - dice.integer(200)],
    [2, nowMs + 0.5],
  ]);
}

async function drawFlush(view: View): Promise<readonly Operation[]> {
  const { dice, nowMs, flushes } = view;
  if (flushes.length > 0 && dice.chance(0.12)) {
    const writes = dice.chance(0.7) ? flushes.at(-1)! : dice.pick(flushes);
    return [{ call: "flush", writes, nowMs }];
  }
  const draw = choose(dice, [
    [90, drawFew],
    [9, () => drawCrowd(view)],
    [1, async () => []],
  ]);
  const writes = await draw(view);
  flushes.splice(0, flushes.length, ...late([...flushes, writes]));
  return [{ call: "flush", writes, nowMs }];
}

/** One to four writes, mostly about one run. */
async function drawFew(view: View): Promise<readonly Named<Write>[]> {
  const { dice } = view;
  const draft = openDraft(view);
  const writes: Named<Write>[] = [];
  const count = 1 + dice.integer(4);
  if (heldRuns(view).length < HELD_MIN && dice.chance(0.3)) writes.push(drawInsert(draft, null));
  let sight = await seeSome(view);
  while (writes.length < count) {
    if (dice.chance(0.2)) sight = await seeSome(view);
    writes.push(sight === null ? drawInsert(draft, null) : drawOne(draft, sight));
  }
  return writes;
}

function drawOne(draft: Draft, sight: Sight): Named<Write> {
  const { view } = draft;
  const target = { sight, owner: ownerIn(draft, sight) };
  view.owners.splice(0, view.owners.length, ...[...view.owners, target.owner].slice(-40));
  const draw = choose<() => Named<Write>>(view.dice, [
    [22, () => drawCheckpoint(draft, target)],
    [20, () => drawAttempt(draft, target)],
    [10, () => drawBeat(draft, target)],
    [6, () => drawNote(draft, target)],
    [9, () => drawApproval(view.dice, { owner: target.owner, seq: nextSeq(draft, sight, 1) })],
    [8, () => drawSaying(draft, target)],
    [18, () => drawTransition(draft, target)],
    [14, () => drawPost(draft)],
    [4, () => drawWake(view)],
    [3, () => drawInsert(draft, null)],
    [10, () => drawInsert(draft, target)],
  ]);
  return draw();
}

/** Many plain steps of one worker's runs, and a few other writes between them. */
async function drawCrowd(view: View, workerId: string = anyWorker(view)): Promise<readonly Named<Write>[]> {
  const draft = openDraft(view);
  const writes: Named<Write>[] = [];
  const count = 8 + view.dice.integer(20);
  const wanted = view.runs.filter((run) => run.workerId === workerId);
  while (writes.length < count) {
    const sight = await seeSome(view, wanted);
    if (sight === null) writes.push(drawInsert(draft, null));
    else if (view.dice.chance(0.15)) writes.push(drawOne(draft, sight));
    else writes.push(drawPlainStep(draft, { sight, owner: ownerIn(draft, sight) }));
  }
  return writes;
}

/** An owner says anew what his run asks for. */
async function drawUpdate(view: View): Promise<readonly Operation[]> {
  const sight = await seeSome(view);
  if (sight === null) return drawClaim(view);
  return [{ call: "updateApproval", owner: ownerOf(view, sight), approval: drawNewApproval(view.dice) }];
}

function drawClaim(view: View): readonly Operation[] {
  const { dice, nowMs } = view;
  const [versionIds, suspects] = [someVersions(view), dice.chance(0.4)];
  return [
    { call: "claimRuns", by: { workerId: anyWorker(view), suspects, versionIds, limit: dice.integer(5), nowMs } },
  ];
}

/**
 * A worker is gone, or its lease may have lapsed; it writes all the same, its runs are freed, it leaves, and somebody
 * claims them.
 */
async function drawCrash(view: View): Promise<readonly Operation[]> {
  const { dice, nowMs } = view;
  const dead = deadHolders(view);
  const workerId = dead.length === 0 ? anyWorker(view) : dice.pick(dead);
  const how = dice.chance(0.8) ? "died" : "left";
  const lateFlush = dice.chance(0.3)
    ? [{ call: "flush" as const, writes: await drawCrowd(view, workerId), nowMs }]
    : [];
  const steps: readonly (readonly [number, () => readonly Operation[]])[] = [
    [1, () => [{ call: "buryWorker", workerId, gone: dice.chance(0.7), nowMs }]],
    [0.5, () => lateFlush],
    [0.9, () => [{ call: "releaseRuns", workerId, how, nowMs }]],
    [0.5, () => lateFlush],
    [0.5, () => [{ call: "retireWorker", workerId, nowMs }]],
    [0.7, () => drawClaim(view)],
    [0.7, () => drawClaim(view)],
  ];
  return steps.flatMap(([p, draw]) => (dice.chance(p) ? draw() : []));
}

function drawWorker(view: View): readonly Operation[] {
  const { dice, nowMs } = view;
  const workerId = anyWorker(view);
  const standing = { leaseMs: dice.pick(LEASES_MS), executing: dice.integer(9) };
  return choose<readonly Operation[]>(dice, [
    [6, [{ call: "renewWorker", workerId, standing, nowMs }]],
    [1, [{ call: "retireWorker", workerId, nowMs }]],
    [1, [{ call: "releaseRuns", workerId, how: "died", nowMs }]],
    [1, [{ call: "buryWorker", workerId, gone: false, nowMs }]],
  ]);
}

const LEASES_MS = [50, 300.5, 2_000];

function register(view: View): Operation {
  const { dice, nowMs, workers } = view;
  const workerId = `worker-${workers.length + 1}`;
  workers.push(workerId);
  const process = { name: workerId, host: "h", bootId: "b", pid: 7, pidNamespace: "pid:[1]", pidStartedAt: "1" };
  const workflows = IDENTITIES.filter(() => dice.chance(0.5)).map(identityText);
  const offer = { concurrency: 1 + dice.integer(8), workflows, leaseMs: dice.pick(LEASES_MS) };
  return { call: "registerWorker", workerId, process, offer, nowMs };
}

function drawLooks(view: View): readonly Operation[] {
  const { dice, nowMs, refs } = view;
  const rowId = runName(anyRun(view));
  const byRow = dice.pick(["loadMemory", "listHistory", "listActiveSteps", "listChildren"] as const);
  return choose<readonly Operation[]>(dice, [
    [8, [{ call: byRow, rowId }]],
    [2, [{ call: "listInbox", rowId, afterSeq: dice.integer(4) }]],
    [2, [{ call: "listEnded", rowIds: [...late(refs), NOBODY].map(runName) }]],
    [2, [{ call: "listRemarks", rowIds: late(refs).map(runName) }]],
    [1, [{ call: "loadMemory", rowId: runName(NOBODY) }]],
    [2, [{ call: "findRun", ref: { namespace: "shop", name: dice.pick(["order", "none"]), id: "1" } }]],
    [4, [{ call: "listRuns", filter: drawFilter(view) }]],
    [3, [drawApprovalLook(view)]],
    [3, [{ call: "nextDue", versionIds: someVersions(view), nowMs }]],
    [1, [{ call: "listOldestDue", nowMs }]],
    [1, [{ call: "listWorkers", nowMs }]],
    [1, [{ call: "listHeldRuns", workerId: anyWorker(view) }]],
    [1, [{ call: "listVersions" }]],
  ]);
}

function drawFilter(view: View): Named<RunFilter> {
  const { dice } = view;
  const some = (fields: Partial<Named<RunFilter>>): Partial<Named<RunFilter>> => (dice.chance(0.25) ? fields : {});
  return {
    ...some({ namespace: dice.pick(["shop", "team", "none"]) }),
    ...some({ name: dice.pick(["order", "refund"]) }),
    ...some({ states: RUN_STATES.filter(() => dice.chance(0.4)) }),
    ...some({ createdFromMs: someMoment(view) }),
    ...some({ createdBeforeMs: someMoment(view) }),
    ...some({ attributes: dice.pick(WANTED) }),
    ...some({ beforeRowId: runName(anyRun(view)) }),
    limit: choose(dice, [
      [20, 1 + dice.integer(6)],
      [4, 1_000],
      [1, dice.pick([0, 1.5, 1_001])],
    ]),
  };
}

function someMoment({ dice, moments, nowMs }: View): number {
  return moments.length === 0 ? nowMs : dice.pick(moments);
}

function someVersions({ dice }: View): readonly string[] {
  return IDENTITIES.filter(() => dice.chance(0.7)).map(identityText);
}
