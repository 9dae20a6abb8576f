/**
 * Options: the check that nothing a caller wrote is silently ignored (P12).
 */
import { StepwellError } from "./codes.ts";

/**
 * Refuse keys that are not allowed.
 *
 * @param where names the place in the error, as "options of openEngine"
 * @throws OPTION_UNKNOWN with the nearest allowed key; OPTION_INVALID when `options` is no object
 */
export function checkKeys(where: string, options: object, allowed: readonly string[]): void {
  if (typeof options !== "object" || options === null) {
    const got = options === null ? "null" : typeof options;
    throw new StepwellError("OPTION_INVALID", `${where} must be an object, got ${got}`);
  }
  for (const key of Object.keys(options)) {
    if (allowed.includes(key)) continue;
    const nearest = nearestOf(key, allowed);
    const known = allowed.length === 0 ? "there are none" : `known are ${allowed.join(", ")}`;
    const advice = nearest === null ? `${known}.` : `did you mean "${nearest}"?`;
    throw new StepwellError("OPTION_UNKNOWN", `${where}: there is no option "${key.slice(0, 100)}"; ${advice}`, {
      details: { where, option: key.slice(0, 100), nearest },
    });
  }
}

/** The candidate with the fewest edits from `word`, if at most a third of it would change; first wins a tie. */
export function nearestOf(word: string, candidates: readonly string[]): string | null {
  if (word.length > 100) return null;
  let nearest: string | null = null;
  let fewest = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const edits = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (edits >= fewest) continue;
    fewest = edits;
    nearest = candidate;
  }
  return nearest;
}

/** Levenshtein distance: insertions, deletions and substitutions from `a` to `b`. */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const replaced = above[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, above[column]! + 1, current[column - 1]! + 1));
    }
    above = current;
  }
  return above[b.length]!;
}
