/**
 * Lanes: work on a list, some of it side by side. All that began ends before the first
 * failure is thrown, so that nothing is left floating when a sibling fails.
 */
import { StepwellError } from "../model/errors.ts";

/** How many items there are, how many may be under way, which is next, and why no other will begin. */
export type Lanes = { readonly count: number; readonly limit: number; next: number; stopped: Error | null };

/** What `ctx.all` does: a record or a list of calls to a record or a list of values. */
export async function allOf(
  calls: Readonly<Record<string, PromiseLike<unknown>>> | readonly PromiseLike<unknown>[],
): Promise<unknown> {
  const keys = Object.keys(calls);
  const promises = Object.values(calls);
  const lanes = openLanes("all", promises.length, undefined);
  const values = await sideBySide(lanes, (index) => Promise.resolve(promises[index]));
  return Array.isArray(calls) ? values : Object.fromEntries(keys.map((key, index) => [key, values[index]]));
}

/** Lanes for `count` items; as many as there are items unless told. @throws OPTION_INVALID for fewer than one */
export function openLanes(where: string, count: number, concurrency: number | undefined): Lanes {
  const limit = concurrency ?? count;
  if (limit >= 1 || count === 0) return { count, limit, next: 0, stopped: null };
  throw new StepwellError("OPTION_INVALID", `concurrency of ${where} must be at least 1.`);
}

/** Begin no other item; what is under way ends. */
export function stopLanes(lanes: Lanes, reason: Error): void {
  if (lanes.next < lanes.count) lanes.stopped = reason;
  lanes.next = lanes.count;
}

/** Run `begin(0 … count-1)` in its lanes; when all that began have ended, the first failure by index is thrown. */
export async function sideBySide(lanes: Lanes, begin: (index: number) => Promise<unknown>): Promise<unknown[]> {
  const { count, limit } = lanes;
  const results: unknown[] = Array.from({ length: count });
  const failures: { readonly index: number; readonly error: unknown }[] = [];
  const lane = async (): Promise<void> => {
    while (lanes.next < count) {
      const index = lanes.next++;
      try {
        results[index] = await begin(index);
      } catch (error) {
        failures.push({ index, error });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, count) }, lane));
  failures.sort((a, b) => a.index - b.index);
  if (failures.length > 0) throw failures[0]!.error;
  if (lanes.stopped !== null) throw lanes.stopped;
  return results;
}

/** What tells an item apart: its key, or itself. @throws OPTION_INVALID */
export function itemKey(
  where: string,
  item: unknown,
  key: ((item: never) => string | number) | undefined,
): string | number {
  if (key !== undefined) return key(item as never);
  if (typeof item === "string" || typeof item === "number") return item;
  throw new StepwellError("OPTION_INVALID", `${where} needs a \`key\` for items that are neither strings nor numbers.`);
}
