/**
 * Batch: one flush under way, and who may write (S2, S5).
 *
 * The fence grows with every claim and every takeover. So while it is still the owner's,
 * nobody else has written about the run since; and if the owner does not hold the run any
 * more, it has given it up itself, in a flush that is now submitted again.
 */
import { StepwellError } from "../../model/errors.ts";
import type { Owner } from "../../model/run.ts";
import type { WriteResult } from "../../store/write.ts";
import type { Book, World } from "./world.ts";

/** One flush under way. */
export type Batch = { readonly world: World; readonly nowMs: number };

/** How a run stands to somebody who claims to own it. */
export type Standing = {
  readonly book: Book;
  /** False: given up, and taken by nobody since. */
  readonly held: boolean;
};

/** The answer to a write whose owner does not hold the run. */
export const STALE: WriteResult = { kind: "stale" };

/** The answer to most writes. */
export function stored({ nowMs }: Batch): WriteResult {
  return { kind: "stored", atMs: nowMs };
}

/** Whether that worker may write. */
export function isAlive({ workers }: World, workerId: number): boolean {
  return workers.get(workerId)?.state === "alive";
}

/** Null: the owner is dead, or somebody took the run after it. */
export function findStanding(world: World, { rowId, workerId, fence }: Owner): Standing | null {
  const book = world.books.get(rowId);
  if (book === undefined || book.run.fence !== fence || !isAlive(world, workerId)) return null;
  if (book.run.workerId === null) return { book, held: false };
  return book.run.workerId === workerId ? { book, held: true } : null;
}

/** STORE_WRITE_REFUSED unless each of the values is a text. */
export function checkTexts(values: { readonly [name: string]: unknown }): void {
  for (const [name, value] of Object.entries(values)) {
    if (typeof value !== "string") throw new StepwellError("STORE_WRITE_REFUSED", `${name} is not a text`);
  }
}

/** STORE_WRITE_REFUSED unless the value is one of those. */
export function checkOneOf(name: string, value: string, allowed: readonly string[]): void {
  if (allowed.includes(value)) return;
  throw new StepwellError("STORE_WRITE_REFUSED", `${name} is none of ${allowed.join(", ")}`);
}
