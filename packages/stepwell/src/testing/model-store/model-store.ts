/**
 * The model store: the port as an executable specification.
 *
 * Everything lies in plain maps and arrays, and every function of the port is the few lines
 * that say what it means. It is slow, keeps nothing and has no others to tell of. Other
 * stores are compared with it, answer by answer; see testing/differential/.
 */
import { StepwellError } from "../../model/errors.ts";
import type { NowMs, Store } from "../../store/store.ts";
import { findApproval, listApprovals, updateApproval } from "./approval.ts";
import { listActiveSteps } from "./attempt.ts";
import { findBreaker, listBreakers, saveBreaker } from "./breaker.ts";
import { claimRuns, listOldestDue, nextDue, resumePaused } from "./claim.ts";
import { flush } from "./flush.ts";
import { listHistory } from "./history.ts";
import { listInbox } from "./inbox.ts";
import { listRuns } from "./list.ts";
import { addRemark, listRemarks } from "./remark.ts";
import { listChildren, reopenRuns } from "./reopen.ts";
import { ensureVersion, insertForked, listEnded, loadMemory } from "./run.ts";
import {
  buryWorker,
  listHeldRuns,
  listWorkers,
  registerWorker,
  releaseRuns,
  renewWorker,
  retireWorker,
} from "./worker.ts";
import { transact } from "./tx.ts";
import { emptyWorld, findBook } from "./world.ts";

/** How a model store is opened. */
export type ModelStoreOptions = {
  /** Epoch milliseconds, for calls whose `nowMs` is null; without it such a call throws OPTION_INVALID. */
  readonly clock?: () => number;
};

/**
 * The port as an executable specification: what a store of your own is compared with, see compareStores. Empty, in
 * memory, and for one process.
 */
export function openModelStore({ clock }: ModelStoreOptions = {}): Store {
  const world = emptyWorld();
  let closed = false;
  const now = (nowMs: NowMs): number => resolveNow(nowMs ?? clock?.());
  const turn: { owned: Promise<unknown> | null } = { owned: null };
  /** Whole before the next begins, and its errors are rejections, as in any store. */
  const call = async <T>(work: () => T): Promise<T> => {
    while (turn.owned !== null) await turn.owned;
    if (closed) throw new StepwellError("ENGINE_CLOSED", "the model store has been closed");
    return work();
  };
  /** Nothing else takes place until it is over. */
  const own = async <T>(work: () => Promise<T>): Promise<T> => {
    const { under } = await call(() => {
      const begun = Promise.resolve()
        .then(work)
        .finally(() => (turn.owned = null));
      turn.owned = begun.catch(() => {});
      return { under: begun };
    });
    return under;
  };
  return {
    kind: "model",
    warnings: [],
    secondFlush: null,
    pollMs: () => 1_000,
    ensureVersion: (identity) => call(() => ensureVersion(world, identity)),
    listVersions: () => call(() => [...world.versions]),
    flush: (writes, nowMs) => call(() => flush(world, writes, now(nowMs))),
    transact: (terms, work) => own(() => transact({ world, nowMs: now(terms.nowMs) }, terms, work)),
    claimRuns: (by) => call(() => claimRuns(world, { ...by, nowMs: now(by.nowMs) })),
    resumePaused: (versionIds, nowMs) => call(() => resumePaused(world, versionIds, now(nowMs))),
    nextDue: (versionIds, nowMs) => call(() => nextDue(world, versionIds, now(nowMs))),
    listOldestDue: (nowMs) => call(() => listOldestDue(world, now(nowMs))),
    listHeldRuns: (workerId) => call(() => listHeldRuns(world, workerId)),
    loadMemory: (rowId) => call(() => loadMemory(world, rowId)),
    listInbox: (rowId, afterSeq) => call(() => listInbox(world, rowId, afterSeq)),
    updateApproval: (owner, approval) => call(() => updateApproval(world, owner, approval)),
    findApproval: (ref, key) => call(() => findApproval(world, ref, key)),
    listApprovals: (filter) => call(() => listApprovals(world, filter)),
    listEnded: (rowIds) => call(() => listEnded(world, rowIds)),
    reopenRuns: (runs, nowMs) => call(() => reopenRuns(world, runs, now(nowMs))),
    insertForked: (run, past, nowMs) => call(() => insertForked(world, run, past, now(nowMs))),
    listChildren: (rowId) => call(() => listChildren(world, rowId)),
    addRemark: (rowId, remark, nowMs) => call(() => addRemark(world, rowId, remark, now(nowMs))),
    listRemarks: (rowIds) => call(() => listRemarks(world, rowIds)),
    findRun: (ref) => call(() => findBook(world, ref)?.run ?? null),
    listRuns: (filter) => call(() => listRuns(world, filter)),
    listHistory: (rowId) => call(() => listHistory(world, rowId)),
    listActiveSteps: (rowId) => call(() => listActiveSteps(world, rowId)),
    registerWorker: (process, offer, nowMs) => call(() => registerWorker(world, process, offer, now(nowMs))),
    renewWorker: (workerId, standing, nowMs) => call(() => renewWorker(world, workerId, standing, now(nowMs))),
    listWorkers: (nowMs) => call(() => listWorkers(world, now(nowMs))),
    buryWorker: (workerId, gone, nowMs) => call(() => buryWorker(world, workerId, gone, now(nowMs))),
    releaseRuns: (workerId, how, nowMs) => call(() => releaseRuns(world, workerId, how, now(nowMs))),
    retireWorker: (workerId) => call(() => retireWorker(world, workerId)),
    findBreaker: (name, owner, nowMs) => call(() => findBreaker(world, name, owner, now(nowMs))),
    saveBreaker: (breaker, owner) => call(() => saveBreaker(world, breaker, owner)),
    listBreakers: (page, nowMs) => call(() => listBreakers(world, page, now(nowMs))),
    watch: () => () => {},
    close: async () => {
      closed = true;
    },
  };
}

/** S3: whole milliseconds. */
function resolveNow(nowMs: number | undefined): number {
  if (nowMs !== undefined && Number.isFinite(nowMs)) return Math.floor(nowMs);
  throw new StepwellError("OPTION_INVALID", "a model store needs the time: pass nowMs, or open it with a `clock`");
}
