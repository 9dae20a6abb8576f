/**
 * View: what a generator goes by: dice, its clock, the names it has given, and how things
 * stand in the first of the stores. It looks there so that what it asks for is mostly
 * possible, and knows what is not.
 */
import type { Dice } from "../../model/dice.ts";
import type { Identity, Owner, Run } from "../../model/run.ts";
import type { Memory, WorkerRow } from "../../store/store.ts";
import type { RunRef, Write } from "../../store/write.ts";
import type { Named } from "./names.ts";
import type { Side } from "./operation.ts";

/** A run as it stands, with what it remembers. */
export type Sight = { readonly run: Named<Run>; readonly memory: Named<Memory> };

/** What is remembered from operation to operation. */
export type View = {
  readonly dice: Dice;
  readonly reference: Side;
  /** Epoch milliseconds; mostly it grows. */
  nowMs: number;
  /** Runs that were to be inserted, in that order. */
  readonly refs: RunRef[];
  /** Workers that were registered, in that order. */
  readonly workers: string[];
  /** The runs of late as they stand. */
  runs: readonly Named<Run>[];
  /** Workers that live. */
  living: readonly string[];
  /** When something was inserted, is due or lapses. */
  moments: readonly number[];
  /** Who wrote last, last. */
  readonly owners: Named<Owner>[];
  /** Flushes of late, the last one last. */
  readonly flushes: (readonly Named<Write>[])[];
};

/** When worlds begin. Epoch milliseconds. */
export const BEGIN_MS = 1_700_000_000_000;

/** The versions that there can be: two of one workflow, and workflows that share a name or a namespace. */
export const IDENTITIES: readonly Identity[] = [
  { namespace: "shop", name: "order", version: "1.0.0" },
  { namespace: "shop", name: "order", version: "1.1.0" },
  { namespace: "shop", name: "refund", version: "1.0.0" },
  { namespace: "team", name: "order", version: "1.0.0" },
];

/** How many runs, owners and flushes count as late. */
const LATE = 8;

/** Nothing was done yet. */
export function openView(dice: Dice, reference: Side): View {
  return {
    dice,
    reference,
    nowMs: BEGIN_MS,
    refs: [],
    workers: [],
    runs: [],
    living: [],
    moments: [],
    owners: [],
    flushes: [],
  };
}

/** One of the values, each as likely as its weight among all. */
export function choose<T>(dice: Dice, weighted: readonly (readonly [weight: number, value: T])[]): T {
  const total = weighted.reduce((sum, [weight]) => sum + weight, 0);
  let rest = dice.next() * total;
  for (const [weight, value] of weighted) {
    rest -= weight;
    if (rest < 0) return value;
  }
  return weighted.at(-1)![1];
}

/** The last ones of a list. */
export function late<T>(list: readonly T[]): readonly T[] {
  return list.slice(-LATE);
}

/** See how things stand. */
export async function observe(view: View): Promise<void> {
  const { store, names } = view.reference;
  const runs: (Run | null)[] = [];
  for (const ref of late(view.refs)) runs.push(await store.findRun(ref));
  view.runs = names.toNames(runs.filter((run) => run !== null)) as readonly Named<Run>[];
  const workers = names.toNames(await store.listWorkers(view.nowMs)) as readonly Named<WorkerRow>[];
  view.living = workers.filter(({ state }) => state === "alive").map(({ workerId }) => workerId);
  view.moments = [
    ...view.runs.flatMap(({ createdAtMs, dueAtMs }) => (dueAtMs === null ? [createdAtMs] : [createdAtMs, dueAtMs])),
    ...workers.map(({ leaseLeftMs }) => Math.floor(view.nowMs) + leaseLeftMs),
  ];
}

/** Runs of late that a living worker holds. */
export function heldRuns({ runs, living }: View): readonly Named<Run>[] {
  return runs.filter(({ workerId }) => workerId !== null && living.includes(workerId));
}

/** Dead workers that hold runs of late. */
export function deadHolders({ runs, living }: View): readonly string[] {
  return runs.flatMap(({ workerId }) => (workerId !== null && !living.includes(workerId) ? [workerId] : []));
}

/** Mostly one of those wanted, else any of the late runs; null: there is none. */
export async function seeSome(view: View, wanted: readonly Named<Run>[] = heldRuns(view)): Promise<Sight | null> {
  const { dice, runs, reference } = view;
  if (runs.length === 0) return null;
  const run = dice.pick(wanted.length === 0 || dice.chance(0.15) ? runs : wanted);
  const memory = await reference.store.loadMemory(reference.names.idOf("run", run.rowId));
  return { run, memory: reference.names.toNames(memory) as Named<Memory> };
}

/** A run that nobody inserts. */
export const NOBODY: RunRef = { namespace: "shop", name: "order", id: "nobody" };

/** Mostly a run of late; sometimes one that is not there. */
export function anyRun({ dice, runs }: View): RunRef {
  return runs.length === 0 || dice.chance(0.04) ? NOBODY : dice.pick(runs);
}

/** Takings that no run lives to see. The next one would make a write good that is submitted again, with old numbers. */
const NEVER = 1_000;

/** Mostly who holds the run, or gave it up last; sometimes who had it once, somebody else, or another fence. */
export function ownerOf(view: View, { run }: Sight): Named<Owner> {
  const { dice, owners } = view;
  const workerId = run.workerId ?? owners.findLast((owner) => holds(owner, run))?.workerId ?? anyWorker(view);
  const owner: Named<Owner> = { rowId: run.rowId, workerId, fence: run.fence };
  const before = owners.filter(({ rowId }) => rowId === run.rowId);
  return choose(dice, [
    [40, owner],
    [2, { ...owner, fence: run.fence + NEVER }],
    [2, { ...owner, fence: run.fence - 1 }],
    [2, { ...owner, workerId: anyWorker(view) }],
    [before.length === 0 ? 0 : 4, before.length === 0 ? owner : dice.pick(before)],
  ]);
}

function holds({ rowId, fence }: Named<Owner>, run: Sight["run"]): boolean {
  return rowId === run.rowId && fence === run.fence;
}

/** Mostly one that lives; sometimes one that is dead, or that nobody knows. */
export function anyWorker({ dice, workers, living }: View): string {
  if (workers.length === 0 || dice.chance(0.02)) return "nobody";
  return dice.pick(living.length === 0 || dice.chance(0.1) ? workers.slice(-4) : living);
}
