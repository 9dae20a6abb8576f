/**
 * Hold writes: a transaction stands alone in its run's history.
 *
 * History numbers are given in the order of the writes, without gaps (E2), and outcomes reach the body in that order
 * (E3). A transaction gets its number first, and begins when all that has a lower one is stored. What gets a higher one
 * while it is under way waits until it is over. So transactions of one run follow each other.
 */
import { encode } from "../model/json.ts";
import type { Write } from "../store/write.ts";
import type { Deps } from "./deps.ts";
import { type Execution, type Hold, isGone } from "./execution.ts";
import { nextSeq } from "./record.ts";

/** Take a number, and resolve with it when all lower ones are stored. Null: the execution is lost. */
export async function holdWrites(exec: Execution): Promise<number | null> {
  for (let { hold } = exec; hold !== null; { hold } = exec) {
    const { next } = hold;
    await new Promise<void>((resolve) => next.push(resolve));
  }
  if (isGone(exec)) return null;
  const hold: Hold = { kept: [], ready: () => {}, next: [] };
  exec.hold = hold;
  const seq = nextSeq(exec, null);
  if (exec.unanswered > 0) await new Promise<void>((resolve) => (hold.ready = resolve));
  return seq;
}

/**
 * The transaction is over: what was kept is submitted, and the next transaction begins. Of a lost execution nothing is:
 * the number of the transaction would be missing below it.
 */
export function releaseWrites(deps: Deps, exec: Execution): void {
  const { kept, next } = exec.hold!;
  exec.hold = null;
  if (!isGone(exec)) for (const { write, answered } of kept) deps.committer.submit(write, answered);
  for (const begin of next) begin();
}

/** Do something when the transaction that is under way is over, or at once. */
export function afterHold({ hold }: Execution, task: () => void): void {
  if (hold === null) task();
  else hold.next.push(task);
}

/**
 * Nothing was stored under this number: it is given back, or a line of the history takes it, if others come after it. In
 * a lost execution these are not stored either.
 */
export function giveBack(deps: Deps, exec: Execution, seq: number, key: string): void {
  if (exec.seq === seq || isGone(exec)) {
    exec.seq = seq - 1;
    return;
  }
  const value = encode({ key }).text;
  const note: Write = { kind: "note", owner: exec.owner, note: "rolled_back", value, seq, consumes: null };
  deps.committer.submit(note, () => {});
}
