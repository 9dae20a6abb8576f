/**
 * Plain steps: the most frequent write of all, saved in groups of eight.
 *
 * Plain is a step that completed at its first attempt, has no compensation and used up no
 * inbox item. Groups are saved ahead of the other writes of a flush; that changes nothing,
 * since a checkpoint depends on nothing but its owner, which only a transition takes away,
 * and on what was saved under its key before: a step of a run that has a transition, or a
 * checkpoint which is not plain, earlier in the flush is left in its place.
 *
 * A group of which one row was held back is tried again row by row: those that were saved
 * answer so (see batch.ts), and the others say why they were not.
 */
import type { Write, WriteResult } from "../write.ts";
import { type Batch, isAlive } from "./batch.ts";

type CheckpointWrite = Extract<Write, { kind: "checkpoint" }>;

/** Rows of savePlainSteps. Four or sixteen are no faster (measured). */
const GROUP = 8;

/** Save what comes in full groups. The answers stand at the places of their writes; elsewhere nothing does. */
export function savePlainSteps(batch: Batch, writes: readonly Write[]): (WriteResult | undefined)[] {
  const results: (WriteResult | undefined)[] = Array.from({ length: writes.length });
  if (writes.length < GROUP) return results;
  const inOrder = new Set<number>();
  let workerId: number | null = null;
  let group: number[] = [];
  for (let index = 0; index < writes.length; index += 1) {
    const write = writes[index]!;
    if (write.kind !== "checkpoint" && write.kind !== "transition") continue;
    if (write.kind === "transition" || !isPlain(write)) {
      inOrder.add(write.owner.rowId);
      continue;
    }
    if (inOrder.size > 0 && inOrder.has(write.owner.rowId)) continue;
    workerId ??= write.owner.workerId;
    if (write.owner.workerId !== workerId) continue;
    group.push(index);
    if (group.length < GROUP) continue;
    saveGroup(batch, workerId, { writes, group, results });
    group = [];
  }
  return results;
}

function isPlain({ checkpoint, consumes, clearsCrashes }: CheckpointWrite): boolean {
  if (consumes !== null || clearsCrashes) return false;
  const { kind, outcome, attempt, compensable } = checkpoint;
  return kind === "step" && outcome === "completed" && attempt === 1 && !compensable;
}

function saveGroup(
  batch: Batch,
  workerId: number,
  {
    writes,
    group,
    results,
  }: {
    readonly writes: readonly Write[];
    readonly group: readonly number[];
    readonly results: (WriteResult | undefined)[];
  },
): void {
  if (!isAlive(batch, workerId)) return;
  const values: (number | string)[] = [batch.nowMs];
  for (const index of group) {
    const { owner, checkpoint } = writes[index] as CheckpointWrite;
    const { key, seq, durationMs, value } = checkpoint;
    values.push(owner.rowId, owner.fence, key, seq, Math.round(durationMs), value);
  }
  values.push(workerId);
  if (batch.sql.savePlainSteps.run(...values).changes !== GROUP) return;
  for (const index of group) results[index] = batch.stored;
}
