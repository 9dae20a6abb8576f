/**
 * Operations: everything that a store's callers may do at the same moment, each in its interesting variants, on the cast.
 */
import type { Breaker } from "../../../../src/model/breaker.ts";
import type { NewAttempt } from "../../../../src/model/step.ts";
import type { Owner } from "../../../../src/model/run.ts";
import type { Store } from "../../../../src/store/store.ts";
import type { Write } from "../../../../src/store/write.ts";
import {
  aRun,
  aWorker,
  attemptOf,
  checkpointOf,
  insertOf,
  LEASE_MS,
  OFFER,
  parkOf,
  postOf,
  transitionOf,
} from "../../../../src/testing/conformance/scene.ts";
import { AT, awaitedBy, BREAKER, type Cast } from "./cast.ts";

/** One call of the store; what it answers. */
export type Call = (store: Store) => Promise<unknown>;

/** One thing that somebody does. */
export type Operation = {
  readonly name: string;
  /** One after the other, each when the one before has been answered. */
  readonly calls: readonly Call[];
  /** Where a call is more than one transaction: what others may see one after the other. */
  readonly parts: readonly Call[];
  /** It passes over runs whose rows are locked. */
  readonly claims: boolean;
  /** What a group commit writes; empty for all else. */
  readonly writes: readonly Write[];
};

/** All of them. */
export function listOperations(cast: Cast): readonly Operation[] {
  return [
    ...ownWrites(cast),
    ...transitions(cast),
    ...arrivals(cast),
    ...knots(cast),
    ...claims(cast),
    ...registry(cast),
    ...breakers(cast),
  ];
}

/**
 * Whether both may be under way at once. Group commits of one worker are, unless they write about the same run; only one
 * whose connection was lost may still be under way when it comes again, with more to follow.
 */
export function mayMeet(one: Operation, other: Operation): boolean {
  const runs = ownedBy(one);
  if (![...ownedBy(other)].some((run) => runs.has(run))) return true;
  const [less, more] = one.writes.length < other.writes.length ? [one, other] : [other, one];
  return less.writes.every((write, index) => write === more.writes[index]);
}

/** The runs that a group commit writes about as their owner. */
function ownedBy({ writes }: Operation): ReadonlySet<number> {
  return new Set(writes.flatMap((write) => ("owner" in write && write.owner !== null ? [write.owner.rowId] : [])));
}

function does(name: string, ...calls: readonly Call[]): Operation {
  return { name, calls, parts: calls, claims: false, writes: [] };
}

function flushes(name: string, ...writes: readonly Write[]): Operation {
  return { ...does(name, flushOf(writes)), writes };
}

/** Of which others may see each write before the next. */
function flushesInRounds(name: string, ...writes: readonly Write[]): Operation {
  return { ...flushes(name, ...writes), parts: writes.map((write) => flushOf([write])) };
}

function flushOf(writes: readonly Write[]): Call {
  return (store) => store.flush(writes, AT);
}

/** What A writes about a run that it executes. */
function ownWrites({ run, heard }: Cast): readonly Operation[] {
  const { owner } = { owner: run };
  const long: Partial<NewAttempt> = { key: "long", error: null };
  const cleared = { ...checkpointOf(run, { key: "next", seq: 5, attempt: 2 }), clearsCrashes: true } as Write;
  const plain = checkpointOf(run, { key: "next", seq: 5 });
  const began = attemptOf(run, { ...long, state: "running", seq: 5 });
  const beat: Write = { kind: "beat", owner, key: "long", attempt: 1, value: "1" };
  const told: Write = { kind: "progress", owner, value: "0.5" };
  const described: Write = { kind: "attributes", owner, values: '{"tier":"gold","n":1}' };
  const completed = transitionOf(run, { kind: "complete", output: "1" }, { seq: 6 });
  return [
    flushes("A checkpoints", plain),
    flushes("A checkpoints again what is done", checkpointOf(run, { key: "done", seq: 2 })),
    flushes("A checkpoints and clears crashes", cleared),
    flushes("A consumes a signal", checkpointOf(heard, { key: "@wait/go", kind: "signal", seq: 3 }, 1)),
    flushes("A fails an attempt", attemptOf(run, { key: "next", seq: 5 }, 100)),
    flushes("A fails the running attempt", attemptOf(run, { key: "long", seq: 5 }, 100)),
    flushes("A begins the attempt again", began),
    flushes("A beats", beat),
    flushes("A notes", { kind: "note", owner, note: "log", value: '"told"', seq: 5, consumes: null }),
    flushes("A progresses", told),
    flushes("A describes", described),
    flushes("A checkpoints and completes", plain, completed),
    flushesInRounds("A describes and completes", described, completed),
    flushesInRounds("A progresses and completes", told, completed),
    flushesInRounds("A begins the attempt again and beats", began, beat),
  ];
}

function transitions({ run, heard, undoing, child, parent, orphan }: Cast): readonly Operation[] {
  const ending = { seq: 5 };
  const error = '{"name":"E"}';
  const end = transitionOf(child, { kind: "complete", output: "1" }, { ...ending, parent: awaitedBy(parent) });
  const orphanEnd = transitionOf(
    orphan,
    { kind: "fail", error },
    { seq: 2, parent: { rowId: 0, key: "", awaited: false } },
  );
  return [
    flushes("A parks", parkOf(run)),
    flushes("A parks without having heard", parkOf(heard)),
    flushes("A parks having heard", parkOf(heard, { inboxSeen: 1 })),
    flushes("B parks the parent", parkOf(parent)),
    flushes("A completes", transitionOf(run, { kind: "complete", output: "1" }, ending)),
    flushes("A fails", transitionOf(run, { kind: "fail", error }, ending)),
    flushes("A cancels, consuming", transitionOf(heard, { kind: "cancel", error }, { seq: 3, consumes: 1 })),
    flushes("A compensates", transitionOf(run, { kind: "compensate", ending: "failed", error }, ending)),
    flushes("A pauses", transitionOf(run, { kind: "pause", error }, ending)),
    flushes("A holds", transitionOf(run, { kind: "hold", inboxSeen: 0 }, ending)),
    flushes("A releases", transitionOf(run, { kind: "release" }, ending)),
    flushes("A releases what it undoes", transitionOf(undoing, { kind: "release" }, ending)),
    flushes("A ends the child", end),
    flushes("A ends the child of a parked run", { ...orphanEnd, parent: null } as Write),
  ];
}

/** What comes from outside: items, wake-ups, starts. */
function arrivals(cast: Cast): readonly Operation[] {
  const { versionId, b, c, parent, parked } = cast;
  const scene = { store: null as never, versionId, workerId: b };
  const started = insertOf(aRun(scene, { id: "new" }));
  const spawned = insertOf(aRun(scene, { id: "spawned", parent: awaitedBy(parent) }));
  return [
    ...["run", "parent", "heard", "parked", "due", "paused"].map((id) => flushes(`somebody signals ${id}`, postOf(id))),
    ...["run", "parked", "paused"].map((id) =>
      flushes(`somebody cancels ${id}`, postOf(id, { kind: "cancel", name: "" })),
    ),
    ...["run", "parked", "due"].map((id) => flushes(`somebody pauses ${id}`, postOf(id, { kind: "pause", name: "" }))),
    flushes("somebody resumes paused", postOf("paused", { kind: "resume", name: "" })),
    flushes("the parked body moves", { kind: "wake", rowId: parked.rowId, fence: parked.fence }),
    flushes("somebody starts a run", started),
    flushes("B starts a run", { ...started, claimFor: b }),
    flushes("C starts a run", { ...started, claimFor: c }),
    flushes("B starts a child", { ...spawned, owner: parent, claimFor: b }),
  ];
}

/** Flushes that change rows of several runs, in an order that is not that of the others. */
function knots({ versionId, c, run, heard, child, parent, grandchild, orphan, parked }: Cast): readonly Operation[] {
  const scene = { store: null as never, versionId, workerId: c };
  const start = insertOf(aRun(scene, { id: "brand-new" }));
  const claimed = { ...start, claimFor: c };
  const end = (owner: Owner, of: Owner): Write =>
    transitionOf(owner, { kind: "complete", output: "1" }, { seq: 5, parent: awaitedBy(of) });
  return [
    flushes("A ends the child and parks", end(child, parent), parkOf(run)),
    flushes("B ends the grandchild and parks the parent", end(grandchild, run), parkOf(parent)),
    flushes("A ends the child and the orphan", end(child, parent), end(orphan, parked)),
    flushes("A parks two, the newer first", parkOf(heard, { inboxSeen: 1 }), parkOf(run)),
    flushes("A progresses the newer and parks the older", { kind: "progress", owner: heard, value: "1" }, parkOf(run)),
    flushes("somebody signals the newer and the older", postOf("heard"), postOf("run", { operationId: "op 5" })),
    flushes("somebody starts the newer and the older", insertOf(aRun(scene, { id: "new" })), start),
    flushes("C starts the older and the newer", claimed, { ...insertOf(aRun(scene, { id: "new" })), claimFor: c }),
    flushes("somebody signals run and due", postOf("run"), postOf("due", { operationId: "op 2" })),
    flushes(
      "somebody signals due and run",
      postOf("due", { operationId: "op 3" }),
      postOf("run", { operationId: "op 4" }),
    ),
    flushes("somebody signals paused, parked and heard", postOf("paused"), postOf("parked"), postOf("heard")),
    flushesInRounds("A parks while it signals the same run", parkOf(run), postOf("run")),
  ];
}

function claims({ versionId, a, b, c }: Cast): readonly Operation[] {
  const claim = (name: string, workerId: number, limit: number, suspects = false): Operation => ({
    ...does(name, (store) => store.claimRuns({ workerId, suspects, versionIds: [versionId], limit, nowMs: AT })),
    claims: true,
  });
  return [
    claim("A claims one", a, 1),
    claim("B claims", b, 9),
    claim("C claims", c, 9),
    claim("B claims a suspect", b, 1, true),
    claim("C claims a suspect", c, 1, true),
  ];
}

function registry({ versionId, a, b, c }: Cast): readonly Operation[] {
  const standing = { leaseMs: LEASE_MS, executing: 3 };
  const bury =
    (workerId: number): Call =>
    (store) =>
      store.buryWorker(workerId, true, AT);
  const buryUntold =
    (workerId: number): Call =>
    async (store) => {
      await store.buryWorker(workerId, true, AT);
      return [];
    };
  const free =
    (workerId: number, how: "died" | "left"): Call =>
    (store) =>
      store.releaseRuns(workerId, how, AT);
  const retire =
    (workerId: number): Call =>
    (store) =>
      store.retireWorker(workerId);
  const lapsed = AT + 2 * LEASE_MS;
  return [
    does("somebody buries A", bury(a)),
    does("somebody finds A lapsed", (store) => store.buryWorker(a, false, lapsed)),
    does("somebody takes over from A", bury(a), free(a, "died"), retire(a)),
    does("somebody takes over from C", bury(c), free(c, "died"), retire(c)),
    does("A leaves", bury(a), free(a, "left"), retire(a)),
    does("somebody frees the runs of A", free(a, "died")),
    does("A renews", (store) => store.renewWorker(a, standing, AT)),
    does("A renews late", (store) => store.renewWorker(a, standing, lapsed)),
    does("B renews", (store) => store.renewWorker(b, standing, AT)),
    // It declares its death first, so that nothing of it comes later.
    { ...does("C retires", retire(c)), parts: [buryUntold(c), retire(c)] },
    does("a worker of A's name registers", async (store) => {
      await aWorker(store, { name: "A" });
    }),
    does("a worker registers", async (store) => {
      await store.registerWorker(PROCESS, { ...OFFER, leaseMs: LEASE_MS }, AT);
    }),
    does("a deploy resumes the paused", (store) => store.resumePaused([versionId], AT)),
    does("somebody brings a version", async (store) => {
      await store.ensureVersion({ namespace: "test", name: "other", version: "2.0.0" });
    }),
  ];
}

/** The same revision, by several who looked before; each in a way of its own. */
function breakers({ run, heard, parent }: Cast): readonly Operation[] {
  const saves = (name: string, fields: Partial<Breaker>, owner: Owner | null): Operation =>
    does(name, (store) => store.saveBreaker({ ...BREAKER, revision: 2, ...fields }, owner));
  const fresh = { name: "fresh", revision: 1 };
  return [
    saves("A probes", { epoch: 2, probe: { mark: "A", owner: run } }, run),
    saves("A probes for another run", { epoch: 2, probe: { mark: "A2", owner: heard } }, heard),
    saves("B probes", { epoch: 2, probe: { mark: "B", owner: parent } }, parent),
    saves("somebody resets the breaker", { epoch: 2, openUntilMs: null, failures: [] }, null),
    saves("A asks a fresh breaker", fresh, run),
    saves("B asks a fresh breaker", { ...fresh, failures: ["b"] }, parent),
    does("somebody looks at the breaker", async (store) => {
      const { breaker, held } = await store.findBreaker(BREAKER.name, run, AT);
      return { revision: breaker?.revision, held };
    }),
  ];
}

const PROCESS = { name: "D", host: "h", bootId: "b", pid: 4, pidNamespace: "n", pidStartedAt: "0" } as const;
