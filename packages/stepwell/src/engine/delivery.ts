/**
 * Delivery: outcomes reach the body in the order of their history numbers, one per
 * macrotask (E3 in execution.ts). The body's promise reactions to one outcome are all
 * done before the next arrives, on the first run as on a replay.
 */
import type { Deps } from "./deps.ts";
import { type Execution, isBusy, isGone, isHalting, scheduleIdleCheck } from "./execution.ts";

/**
 * Deliver a fresh outcome: at once when it is the only one of its flush and nothing is queued; that is the common
 * case.
 */
export function deliverFresh(deps: Deps, exec: Execution, seq: number, settle: () => void): void {
  const flush = deps.committer.flushes();
  if (exec.deliveries.length > 0 || exec.deliveredIn === flush) return queueDelivery(deps, exec, seq, settle);
  exec.deliveredIn = flush;
  settle();
  quieten(deps, exec);
}

/** Deliver an outcome in its turn: lowest number first among those that are known. */
export function queueDelivery(deps: Deps, exec: Execution, seq: number, settle: () => void): void {
  const last = exec.deliveries.at(-1);
  if (last !== undefined && last.seq > seq) exec.deliveriesSorted = false;
  exec.deliveries.push({ seq, settle });
  if (exec.pumping) return;
  exec.pumping = true;
  deps.host.defer(() => pump(deps, exec));
}

/** Step code has ended, a write is answered or an outcome delivered: what waited for quiet looks again. */
export function quieten(deps: Deps, exec: Execution): void {
  if (exec.onQuiet !== null && !isBusy(exec)) exec.onQuiet();
  if (exec.waits.size > 0 || isHalting(exec)) scheduleIdleCheck(deps.host, exec);
}

function pump(deps: Deps, exec: Execution): void {
  exec.pumping = false;
  if (isGone(exec)) return;
  if (!exec.deliveriesSorted) exec.deliveries.sort((a, b) => a.seq - b.seq);
  exec.deliveriesSorted = true;
  exec.moves += 1;
  exec.deliveries.shift()?.settle();
  if (exec.deliveries.length === 0) return quieten(deps, exec);
  exec.pumping = true;
  deps.host.defer(() => pump(deps, exec));
}
