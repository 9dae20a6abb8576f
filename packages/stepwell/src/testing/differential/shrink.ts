/**
 * Shrinking: a long way to a disagreement is shortened while it still leads to one.
 *
 * Large pieces are left out first, then smaller ones, then single operations, then single
 * writes of a flush. Whether a shorter way still leads there is found out by going it, and
 * looking around at its end. It must be a disagreement about the same: what is left out may
 * make two writes good that have one history number, which no engine would submit.
 */
import type { RunRef } from "../../store/write.ts";
import { subjectOf } from "./difference.ts";
import { type Known, lookAround } from "./look-around.ts";
import { type Operation, runName } from "./operation.ts";
import { type Contender, findDisagreement, inWorld, putToAll, type Round } from "./world.ts";

/** A way from empty stores to a disagreement: in its last operation, or in what is seen after it. */
export type Way = { readonly operations: readonly Operation[]; readonly disagreement: Round };

type Try = (candidate: readonly Operation[]) => Promise<Way | null>;

/** Ways gone at most; each opens all stores anew. */
const TRIES_MAX = 600;

/** The shortest way found; null: these operations lead to no disagreement. */
export async function shrink(contenders: readonly Contender[], operations: readonly Operation[]): Promise<Way | null> {
  const first = await goAlong(contenders, operations);
  if (first === null) return null;
  const subject = subjectOf(first.disagreement);
  let tries = 0;
  const tryIt: Try = async (candidate) => {
    tries += 1;
    const way = tries > TRIES_MAX ? null : await goAlong(contenders, candidate);
    return way !== null && subjectOf(way.disagreement) === subject ? way : null;
  };
  return shrinkFlushes(await leaveOut(first, tryIt), tryIt);
}

/** Operations, in pieces of half the length at first and of one at last. */
async function leaveOut(from: Way, tryIt: Try): Promise<Way> {
  let way = from;
  for (let size = Math.floor(way.operations.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < way.operations.length;) {
      const shorter: Way | null = await tryIt(way.operations.toSpliced(at, size));
      if (shorter === null) at += size;
      else way = shorter;
    }
  }
  return way;
}

async function shrinkFlushes(from: Way, tryIt: Try): Promise<Way> {
  let way = from;
  for (let at = 0; at < way.operations.length; at += 1) {
    for (let index = 0; ;) {
      const operation = way.operations[at];
      if (operation?.call !== "flush" || operation.writes.length < 2 || index >= operation.writes.length) break;
      const fewer = { ...operation, writes: operation.writes.toSpliced(index, 1) };
      const shorter: Way | null = await tryIt(way.operations.with(at, fewer));
      if (shorter === null) index += 1;
      else way = shorter;
    }
  }
  return way;
}

/** Null: the stores agree to the end, and on everything that is seen there. */
async function goAlong(contenders: readonly Contender[], operations: readonly Operation[]): Promise<Way | null> {
  return inWorld(contenders, async (sides) => {
    for (const [index, operation] of operations.entries()) {
      const round = await putToAll(sides, operation);
      if (!round.agreed) return { operations: operations.slice(0, index + 1), disagreement: round };
    }
    const disagreement = await findDisagreement(sides, lookAround(knownOf(operations)));
    return disagreement === null ? null : { operations, disagreement };
  });
}

/** What the operations speak of. */
function knownOf(operations: readonly Operation[]): Known {
  const refs = new Map<string, RunRef>();
  const workers = new Set<string>();
  let nowMs = 0;
  for (const operation of operations) {
    if ("nowMs" in operation) ({ nowMs } = operation);
    if (operation.call === "registerWorker") workers.add(operation.workerId);
    for (const { versionId, id } of bornIn(operation)) {
      const [namespace = "", name = ""] = versionId.split(/[/@]/);
      const ref = { namespace, name, id };
      refs.set(runName(ref), ref);
    }
  }
  return { nowMs, refs: [...refs.values()], workers: [...workers] };
}

/** Runs that it may insert. */
function bornIn(operation: Operation): readonly { readonly versionId: string; readonly id: string }[] {
  if (operation.call === "insertForked") return [operation.run];
  if (operation.call !== "flush") return [];
  return operation.writes.flatMap((write) => (write.kind === "insert_run" ? [write.run] : []));
}
