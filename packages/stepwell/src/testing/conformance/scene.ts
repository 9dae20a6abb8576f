/**
 * Scene: an open store with a workflow and a living worker, and builders that name
 * only what a test is about.
 *
 * Nothing here reads a clock. Tests happen at `NOW` and a few milliseconds around it.
 */
import type { NewInboxItem } from "../../model/inbox.ts";
import type { NewRun, Owner, Parent, Run } from "../../model/run.ts";
import type { Checkpoint, NewAttempt } from "../../model/step.ts";
import type { Transition } from "../../model/transition.ts";
import type { Offer, Store, WorkerProcess } from "../../store/store.ts";
import type { RunRef, Write, WriteResult } from "../../store/write.ts";

/** What the suite needs of a test runner; vitest, jest and bun have it. */
export type Kit = {
  readonly describe: (name: string, body: () => void) => void;
  readonly it: (name: string, body: () => Promise<void>) => void;
  readonly expect: (actual: unknown) => Expectation;
};

/** The few expectations used. */
export type Expectation = {
  readonly toBe: (expected: unknown) => void;
  readonly toEqual: (expected: unknown) => void;
  readonly toMatchObject: (expected: object) => void;
};

/** Where a test plays. */
export type Scene = { readonly store: Store; readonly versionId: number; readonly workerId: number };

/** A test with a scene of its own, opened before and closed after. */
export type Play = {
  (name: string, act: (scene: Scene) => Promise<void>): void;
  /** With the same database as another process has it; left out for stores that nobody shares. */
  readonly withPeer: (name: string, act: (scene: Scene, peer: Store) => Promise<void>) => void;
};

/** How to come by an empty store, and by the same database as another process has it; null: nobody shares it. */
export type Opening = {
  readonly open: () => Promise<Store>;
  readonly openPeer: ((of: Store) => Promise<Store>) | null;
};

/** A part of the suite. */
export type Chapter = (kit: Kit, play: Play) => void;

/** The moment at which tests happen. Epoch milliseconds. */
export const NOW = 1_700_000_000_000;

/** Lease of the scene's worker. */
export const LEASE_MS = 60_000;

/** What the scene's workers offer. */
export const OFFER: Offer = { concurrency: 8, workflows: ["test/work@1.0.0"] };

/** The workflow of the scene. */
export const WORKFLOW = { namespace: "test", name: "work", version: "1.0.0" } as const;

/** Declare tests that each get a fresh scene. */
export function playOn(kit: Kit, { open, openPeer }: Opening): Play {
  const play = (name: string, act: (scene: Scene) => Promise<void>): void =>
    kit.it(name, async () => {
      const store = await open();
      try {
        const { versionId } = await store.ensureVersion(WORKFLOW);
        await act({ store, versionId, workerId: await aWorker(store) });
      } finally {
        await store.close();
      }
    });
  const withPeer: Play["withPeer"] = (name, act) => {
    if (openPeer === null) return;
    play(name, async (scene) => {
      const peer = await openPeer(scene.store);
      try {
        await act(scene, peer);
      } finally {
        await peer.close();
      }
    });
  };
  return Object.assign(play, { withPeer });
}

/** Another living worker. */
export function aWorker(store: Store, process: Partial<WorkerProcess> = {}): Promise<number> {
  const someone = { name: "w", host: "h", bootId: "b", pid: 1, pidNamespace: "n", pidStartedAt: "0", ...process };
  return store.registerWorker(someone, { ...OFFER, leaseMs: LEASE_MS }, NOW);
}

/** The fields of a run. */
export function aRun({ versionId }: Scene, fields: Partial<NewRun> = {}): NewRun {
  return {
    versionId,
    id: "r",
    input: '"in"',
    inputHash: null,
    actor: "kim",
    seed: 7,
    parent: null,
    timeoutMs: null,
    ...fields,
  };
}

/** One write in a flush of its own. */
export async function flushOne({ store }: Scene, write: Write, nowMs: number = NOW): Promise<WriteResult> {
  const [result] = await store.flush([write], nowMs);
  return result!;
}

/** Insert a run that waits to be claimed; its row id. */
export async function insertPending(scene: Scene, fields: Partial<NewRun> = {}, nowMs: number = NOW): Promise<number> {
  const result = await flushOne(scene, insertOf(aRun(scene, fields)), nowMs);
  return result.kind === "inserted" ? result.rowId : -1;
}

/** Insert a run that the scene's worker holds under fence 1. */
export async function insertHeld(scene: Scene, fields: Partial<NewRun> = {}): Promise<Owner> {
  const { workerId } = scene;
  const result = await flushOne(scene, { ...insertOf(aRun(scene, fields)), claimFor: workerId });
  return { rowId: result.kind === "inserted" ? result.rowId : -1, workerId, fence: 1 };
}

/** An insert by nobody, for nobody. */
export function insertOf(run: NewRun): Extract<Write, { kind: "insert_run" }> {
  return { kind: "insert_run", run, claimFor: null, owner: null };
}

/** A step that completed. */
export function checkpointOf(owner: Owner, fields: Partial<Checkpoint> = {}, consumes: number | null = null): Write {
  const checkpoint: Checkpoint = {
    key: "step",
    kind: "step",
    outcome: "completed",
    value: "1",
    seq: 2,
    attempt: 1,
    compensable: false,
    durationMs: 3,
    ...fields,
  };
  return { kind: "checkpoint", owner, checkpoint, consumes, clearsCrashes: false };
}

/** A first attempt that failed, without another. */
export function attemptOf(owner: Owner, fields: Partial<NewAttempt> = {}, dueInMs: number | null = null): Write {
  const attempt: NewAttempt = {
    key: "step",
    kind: "step",
    state: "failed",
    attempt: 1,
    seq: 2,
    error: '{"name":"E"}',
    dueAtMs: null,
    durationMs: 3,
    ...fields,
  };
  return { kind: "attempt", owner, attempt, dueInMs };
}

/** A transition with history number 2, of a run without parent. */
export function transitionOf(
  owner: Owner,
  transition: Transition,
  fields: { readonly seq?: number; readonly consumes?: number; readonly parent?: Parent } = {},
): Write {
  return { kind: "transition", owner, transition, seq: 2, consumes: null, parent: null, ...fields };
}

/** Waiting for nothing but its inbox, which is taken to be empty. */
export function parkOf(owner: Owner, fields: Partial<Extract<Transition, { kind: "park" }>> = {}): Write {
  const park: Transition = { kind: "park", state: "waiting", dueAtMs: null, waitingFor: [], inboxSeen: 0, ...fields };
  return transitionOf(owner, park);
}

/** A signal to the run `id`, with an operation of its own. */
export function postOf(id: string, fields: Partial<NewInboxItem> = {}): Extract<Write, { kind: "post" }> {
  const item: NewInboxItem = {
    kind: "signal",
    name: "go",
    payload: "true",
    actor: "kim",
    operationId: "op",
    ...fields,
  };
  return { kind: "post", to: refOf(id), item };
}

/** A run of the scene's workflow. */
export function refOf(id: string): RunRef {
  return { namespace: WORKFLOW.namespace, name: WORKFLOW.name, id };
}

/** The run of that id as stored; fails the test when there is none. */
export async function readRun({ store }: Scene, id: string = "r"): Promise<Run> {
  const run = await store.findRun(refOf(id));
  if (run === null) throw new RangeError(`no run "${id}"`);
  return run;
}

/** The `code` of an error that was thrown; null when it has none. */
export function codeOf(thrown: unknown): unknown {
  return thrown instanceof Error && "code" in thrown ? thrown.code : null;
}

/** Claim the one run that is due. */
export async function claimOne(scene: Scene, nowMs: number = NOW, workerId: number = scene.workerId): Promise<Owner> {
  const by = { workerId, suspects: false, versionIds: [scene.versionId], limit: 1, nowMs };
  const [claim] = await scene.store.claimRuns(by);
  if (claim === undefined) throw new RangeError("nothing to claim");
  return { rowId: claim.run.rowId, workerId, fence: claim.run.fence };
}

/** What the worker holds is freed because it died; another is registered for the next claim. Its id. */
export async function crash({ store }: Scene, workerId: number, nowMs: number = NOW): Promise<number> {
  await store.buryWorker(workerId, true, nowMs);
  await store.releaseRuns(workerId, "died", nowMs);
  await store.retireWorker(workerId);
  return aWorker(store);
}

/** All that the scene's worker holds is freed, claimed and freed again: from then on it is on probation, due `nowMs`. */
export async function crashTwice(scene: Scene, nowMs: number = NOW): Promise<number> {
  const { store, versionId } = scene;
  const second = await crash(scene, scene.workerId, nowMs);
  await store.claimRuns({ workerId: second, suspects: false, versionIds: [versionId], limit: 9, nowMs });
  return crash(scene, second, nowMs);
}

/** Claim the one run on probation that is due. */
export async function claimSuspect({ store, versionId }: Scene, workerId: number): Promise<Owner> {
  const [claim] = await store.claimRuns({ workerId, suspects: true, versionIds: [versionId], limit: 9, nowMs: NOW });
  if (claim === undefined) throw new RangeError("no suspect to claim");
  return { rowId: claim.run.rowId, workerId, fence: claim.run.fence };
}
