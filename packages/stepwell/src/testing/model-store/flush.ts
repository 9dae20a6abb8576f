/**
 * Flush: write by write, in order (S4). One that is impossible leaves nothing behind and is
 * refused; the others are stored (S6).
 */
import { applyInOrder } from "../../store/order.ts";
import { refusalOf } from "../../store/refusals.ts";
import type { Write, WriteResult } from "../../store/write.ts";
import { saveAttempt, saveBeat } from "./attempt.ts";
import type { Batch } from "./batch.ts";
import { postItem, wakeRun } from "./inbox.ts";
import { insertRun } from "./run.ts";
import { saveAttributes, saveCheckpoint, saveNote, saveProgress } from "./step.ts";
import { applyTransition } from "./transition.ts";
import type { World } from "./world.ts";

/** One answer per write, in order. */
export function flush(world: World, writes: readonly Write[], nowMs: number): readonly WriteResult[] {
  return applyInOrder(writes, (write) => applyAlone({ world, nowMs }, write));
}

function applyAlone(batch: Batch, write: Write): WriteResult {
  const before = new Map(batch.world.books);
  try {
    return applyWrite(batch, write);
  } catch (error) {
    batch.world.books = before;
    return refusalOf(write, error);
  }
}

function applyWrite(batch: Batch, write: Write): WriteResult {
  switch (write.kind) {
    case "insert_run":
      return insertRun(batch, write);
    case "checkpoint":
      return saveCheckpoint(batch, write);
    case "attempt":
      return saveAttempt(batch, write);
    case "beat":
      return saveBeat(batch, write);
    case "transition":
      return applyTransition(batch, write);
    case "note":
      return saveNote(batch, write);
    case "progress":
      return saveProgress(batch, write);
    case "attributes":
      return saveAttributes(batch, write);
    case "post":
      return postItem(batch, write);
    case "wake":
      return wakeRun(batch, write);
  }
}
