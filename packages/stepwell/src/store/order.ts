/**
 * Order: in which the writes of a flush are applied, where a store applies them one by one.
 */
import type { Write, WriteResult } from "./write.ts";

/**
 * Apply each, as given, but posts after all others: an outsider's item has no order with what an owner writes at the same
 * moment. The answers stand at the places of their writes.
 */
export function applyInOrder(
  writes: readonly Write[],
  apply: (write: Write, place: number) => WriteResult,
): readonly WriteResult[] {
  const results: WriteResult[] = Array.from({ length: writes.length });
  const posts: number[] = [];
  for (let place = 0; place < writes.length; place += 1) {
    const write = writes[place]!;
    if (write.kind === "post") posts.push(place);
    else results[place] = apply(write, place);
  }
  for (const place of posts) results[place] = apply(writes[place]!, place);
  return results;
}
