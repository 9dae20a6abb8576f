/**
 * Operation: one call of the port as plain data, told with names, so that it can be put to
 * any store, printed, and tried again without those before it.
 */
import type { Breaker } from "../../model/breaker.ts";
import { identityText } from "../../model/identity.ts";
import type { Approval, NewApproval } from "../../model/approval.ts";
import type { NewRemark } from "../../model/remark.ts";
import type { Identity, NewRun, Owner, Run } from "../../model/run.ts";
import type { Checkpoint } from "../../model/step.ts";
import type {
  ApprovalFilter,
  FoundApproval,
  Offer,
  ReopenedRun,
  RunFilter,
  Store,
  WorkerProcess,
} from "../../store/store.ts";
import type { RunRef, Write, WriteResult } from "../../store/write.ts";
import type { Named, Names } from "./names.ts";

type ClaimRequest = Parameters<Store["claimRuns"]>[0];

/** One call. What the port takes by position has a field here. */
export type Operation =
  | { readonly call: "flush"; readonly writes: readonly Named<Write>[]; readonly nowMs: number }
  | { readonly call: "ensureVersion"; readonly identity: Identity }
  | { readonly call: "claimRuns"; readonly by: Named<ClaimRequest> }
  | { readonly call: "reopenRuns"; readonly runs: readonly Named<ReopenedRun>[]; readonly nowMs: number }
  | {
      readonly call: "insertForked";
      readonly run: Named<NewRun>;
      readonly past: readonly Checkpoint[];
      readonly nowMs: number;
    }
  | { readonly call: "addRemark"; readonly rowId: string; readonly remark: NewRemark; readonly nowMs: number }
  | { readonly call: "updateApproval"; readonly owner: Named<Owner>; readonly approval: NewApproval }
  | { readonly call: "resumePaused" | "nextDue"; readonly versionIds: readonly string[]; readonly nowMs: number }
  | { readonly call: "saveBreaker"; readonly breaker: Named<Breaker>; readonly owner: Named<Owner> | null }
  | WorkerOperation
  | Look;

/** A call about one worker. */
export type WorkerOperation = { readonly workerId: string; readonly nowMs: number } & (
  | {
      readonly call: "registerWorker";
      readonly process: WorkerProcess;
      readonly offer: Offer & { readonly leaseMs: number };
    }
  | { readonly call: "renewWorker"; readonly standing: Parameters<Store["renewWorker"]>[1] }
  | { readonly call: "buryWorker"; readonly gone: boolean }
  | { readonly call: "releaseRuns"; readonly how: "died" | "left" }
  | { readonly call: "retireWorker" }
);

/** A call that changes nothing. */
export type Look =
  | { readonly call: "listVersions" }
  | { readonly call: "listOldestDue" | "listWorkers"; readonly nowMs: number }
  | { readonly call: "listHeldRuns"; readonly workerId: string }
  | { readonly call: "loadMemory" | "listHistory" | "listActiveSteps" | "listChildren"; readonly rowId: string }
  | { readonly call: "listInbox"; readonly rowId: string; readonly afterSeq: number }
  | { readonly call: "listEnded" | "listRemarks"; readonly rowIds: readonly string[] }
  | { readonly call: "findRun"; readonly ref: RunRef }
  | {
      readonly call: "findBreaker";
      readonly name: string;
      readonly owner: Named<Owner> | null;
      readonly nowMs: number;
    }
  | { readonly call: "listBreakers"; readonly page: Parameters<Store["listBreakers"]>[0]; readonly nowMs: number }
  | { readonly call: "findApproval"; readonly ref: RunRef; readonly key: string }
  /** All pages. */
  | { readonly call: "listApprovals"; readonly filter: ApprovalFilter }
  /** All pages from there on. */
  | { readonly call: "listRuns"; readonly filter: Named<RunFilter> };

/** A store, and what it calls things. */
export type Side = { readonly name: string; readonly store: Store; readonly names: Names };

/** The name of a run. */
export function runName({ namespace, name, id }: RunRef): string {
  return `${namespace}/${name}#${id}`;
}

/**
 * Do it.
 *
 * @returns the answer with names, what has no order sorted; `{ thrown }` when the call was rejected
 */
export async function perform(side: Side, operation: Operation): Promise<unknown> {
  try {
    return inOrder(side.names.toNames(await callStore(side, operation)));
  } catch (error) {
    return { thrown: side.names.toNames(error) };
  }
}

async function callStore(side: Side, operation: Operation): Promise<unknown> {
  const { store, names } = side;
  switch (operation.call) {
    case "flush":
      return flush(side, operation);
    case "ensureVersion": {
      const version = await store.ensureVersion(operation.identity);
      names.learn("version", identityText(operation.identity), version.versionId);
      return version;
    }
    case "claimRuns":
      return store.claimRuns(names.toIds<ClaimRequest>(operation.by));
    case "reopenRuns":
      return store.reopenRuns(names.toIds<readonly ReopenedRun[]>(operation.runs), operation.nowMs);
    case "insertForked":
      return insertForked(side, operation);
    case "addRemark":
      return store.addRemark(names.idOf("run", operation.rowId), operation.remark, operation.nowMs);
    case "updateApproval":
      return store.updateApproval(names.toIds<Owner>(operation.owner), operation.approval);
    case "resumePaused":
    case "nextDue": {
      const versionIds = operation.versionIds.map((name) => names.idOf("version", name));
      return store[operation.call](versionIds, operation.nowMs);
    }
    case "saveBreaker":
      return store.saveBreaker(names.toIds<Breaker>(operation.breaker), names.toIds<Owner | null>(operation.owner));
    case "registerWorker":
    case "renewWorker":
    case "buryWorker":
    case "releaseRuns":
    case "retireWorker":
      return callOfWorker(side, operation);
    default:
      return look(side, operation);
  }
}

async function flush({ store, names }: Side, { writes, nowMs }: Operation & { call: "flush" }): Promise<unknown> {
  const results = await store.flush(names.toIds<readonly Write[]>(writes), nowMs);
  for (const [index, write] of writes.entries()) {
    const result = results[index];
    if (write.kind !== "insert_run" || result?.kind !== "inserted") continue;
    const [workflow] = write.run.versionId.split("@");
    names.learn("run", `${workflow}#${write.run.id}`, result.rowId);
  }
  return results.map((result) => asFarAsPromised(result, results));
}

async function insertForked(
  { store, names }: Side,
  { run, past, nowMs }: Operation & { call: "insertForked" },
): Promise<unknown> {
  const result = await store.insertForked(names.toIds<NewRun>(run), past, nowMs);
  const [workflow] = run.versionId.split("@");
  if (result.kind === "inserted") names.learn("run", `${workflow}#${run.id}`, result.rowId);
  return result;
}

/** How far a run has come, by the write's place in the flush or by the flush's end, is a store's own affair. */
function asFarAsPromised(result: WriteResult, all: readonly WriteResult[]): unknown {
  if (result.kind === "exists") return { kind: "exists", run: pick(result.run, BEGINNING) };
  if (result.kind !== "posted") return result;
  const last = all.findLast((one) => one.kind === "posted" && one.rowId === result.rowId);
  return { ...result, claimable: last?.kind === "posted" && last.claimable };
}

/** What never changes in a run. */
const BEGINNING = [
  ...(["rowId", "namespace", "name", "version", "id", "input", "inputHash"] as const),
  ...(["actor", "seed", "parent", "createdAtMs", "deadlineAtMs"] as const),
];

function pick(run: Run, fields: readonly (keyof Run)[]): unknown {
  return Object.fromEntries(fields.map((field) => [field, run[field]]));
}

async function callOfWorker({ store, names }: Side, operation: WorkerOperation): Promise<unknown> {
  const { nowMs } = operation;
  const workerId = names.idOf("worker", operation.workerId);
  switch (operation.call) {
    case "registerWorker": {
      const registered = await store.registerWorker(operation.process, operation.offer, nowMs);
      names.learn("worker", operation.workerId, registered);
      return { workerId: registered };
    }
    case "renewWorker":
      return store.renewWorker(workerId, operation.standing, nowMs);
    case "buryWorker":
      return store.buryWorker(workerId, operation.gone, nowMs);
    case "releaseRuns":
      return store.releaseRuns(workerId, operation.how, nowMs);
    case "retireWorker":
      return store.retireWorker(workerId);
  }
}

async function look({ store, names }: Side, operation: Look): Promise<unknown> {
  switch (operation.call) {
    case "listVersions":
      return store.listVersions();
    case "listOldestDue":
    case "listWorkers":
      return store[operation.call](operation.nowMs);
    case "listHeldRuns":
      return { unordered: await store.listHeldRuns(names.idOf("worker", operation.workerId)) };
    case "loadMemory":
    case "listHistory":
    case "listActiveSteps":
    case "listChildren":
      return store[operation.call](names.idOf("run", operation.rowId));
    case "listInbox":
      return store.listInbox(names.idOf("run", operation.rowId), operation.afterSeq);
    case "listEnded":
      return { unordered: await store.listEnded(operation.rowIds.map((name) => names.idOf("run", name))) };
    case "listRemarks":
      return store.listRemarks(operation.rowIds.map((name) => names.idOf("run", name)));
    case "findRun":
      return store.findRun(operation.ref);
    case "findBreaker":
      return store.findBreaker(operation.name, names.toIds<Owner | null>(operation.owner), operation.nowMs);
    case "listBreakers":
      return store.listBreakers(operation.page, operation.nowMs);
    case "findApproval":
      return unnumbered(await store.findApproval(operation.ref, operation.key));
    case "listApprovals":
      return listApprovalPages(store, operation.filter);
    case "listRuns":
      return listPages(store, names.toIds<RunFilter>(operation.filter));
  }
}

/** Where pages end is a store's own affair, as long as they are no longer than asked. */
async function listPages(store: Store, filter: RunFilter): Promise<unknown> {
  const pages = [await store.listRuns(filter)];
  let beforeRowId = pages[0]!.beforeRowId;
  while (beforeRowId !== null) {
    const page = await store.listRuns({ ...filter, beforeRowId });
    pages.push(page);
    beforeRowId = page.beforeRowId;
  }
  const tooLong = pages.some((page) => page.runs.length > filter.limit);
  return { tooLong, runs: pages.flatMap((page) => page.runs) };
}

/** Approvals of one flush are numbered in an order of the store's own. */
async function listApprovalPages(store: Store, filter: ApprovalFilter): Promise<unknown> {
  const pages = [await store.listApprovals(filter)];
  let { beforeId } = pages[0]!;
  while (beforeId !== null) {
    const page = await store.listApprovals({ ...filter, beforeId });
    pages.push(page);
    beforeId = page.beforeId;
  }
  const tooLong = pages.some(({ approvals }) => approvals.length > filter.limit);
  return { tooLong, unordered: pages.flatMap(({ approvals }) => approvals.map(withFieldsInOrder)) };
}

/** What has no order itself is sorted by its text. */
function withFieldsInOrder(approval: Approval): object {
  const fields = Object.entries({ ...approval, approvalId: 0 });
  return Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function unnumbered(found: FoundApproval | null): unknown {
  return found === null ? null : { ...found, approval: { ...found.approval, approvalId: 0 } };
}

/** Lists that the port gives in no order are sorted by the names in them. */
function inOrder(answer: unknown): unknown {
  if (typeof answer !== "object" || answer === null) return answer;
  for (const field of ["unordered", "quarantined"]) {
    const list = field in answer ? (answer as { readonly [field: string]: unknown })[field] : null;
    if (!Array.isArray(list)) continue;
    const keyed = list.map((element) => [JSON.stringify(element), element as unknown] as const);
    return { ...answer, [field]: keyed.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, element]) => element) };
  }
  return answer;
}
