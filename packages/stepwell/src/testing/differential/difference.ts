/**
 * Difference: the first place where two values are not the same.
 */
import { isDeepStrictEqual } from "node:util";
import type { Round } from "./world.ts";

/** Where two values differ first, such as `.runs[0].state`, and what stands there. */
export type Difference = { readonly path: string; readonly values: readonly [unknown, unknown] };

/** Null: they are the same. */
export function findDifference(a: unknown, b: unknown, path: string = ""): Difference | null {
  if (isDeepStrictEqual(a, b)) return null;
  const here = { path, values: [a, b] } as const;
  if (!isBranch(a) || !isBranch(b)) return here;
  const inside = Array.isArray(a) ? (field: string) => `${path}[${field}]` : (field: string) => `${path}.${field}`;
  for (const field of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const found = findDifference(a[field], b[field], inside(field));
    if (found !== null) return found;
  }
  return here;
}

/** What a disagreement is about, whichever run or write it happens to: `flush [].kind`. */
export function subjectOf({ operation, answers }: Round): string {
  const [first, ...others] = answers;
  const differences = others.map(({ answer }) => findDifference(first?.answer, answer));
  const path = differences.find((difference) => difference !== null)?.path ?? "";
  return `${operation.call} ${path.replaceAll(/\d+/g, "")}`;
}

function isBranch(value: unknown): value is { readonly [field: string]: unknown } {
  return typeof value === "object" && value !== null;
}
