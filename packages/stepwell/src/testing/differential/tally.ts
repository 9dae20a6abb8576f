/**
 * Tally: what a comparison has met, so that one which meets nothing of interest shows.
 */
import type { Operation } from "./operation.ts";

/** How often each call was made, each write answered so or so, and what else is worth counting. */
export type Tally = { readonly [what: string]: number };

/** A tally that is being kept. */
export type OpenTally = Map<string, number>;

/** Count an operation and what it came to: `flush`, `park stored`, `quarantined`, `loadMemory thrown`. */
export function tallyAnswer(tally: OpenTally, operation: Operation, answer: unknown): void {
  const count = (what: string, times: number = 1): void => void tally.set(what, (tally.get(what) ?? 0) + times);
  const { call } = operation;
  count(call);
  if (isThrown(answer)) return count(`${call} thrown`);
  if (call === "claimRuns" && Array.isArray(answer)) {
    count(operation.by.suspects ? "suspects claimed" : "runs claimed", answer.length);
  }
  if (call === "reopenRuns") count(answer === true ? "reopened" : "not reopened");
  if (call === "insertForked") count(`fork ${(answer as { readonly kind: string }).kind}`);
  if (call === "releaseRuns") {
    const { freed, quarantined } = answer as { readonly freed: number; readonly quarantined: readonly unknown[] };
    count(`${operation.how}: freed`, freed);
    count("quarantined", quarantined.length);
  }
  if (call === "saveBreaker") count(answer === true ? "breaker saved" : "breaker kept");
  if (call !== "flush") return;
  for (const [index, { kind }] of (answer as readonly { readonly kind: string }[]).entries()) {
    const write = operation.writes[index]!;
    count(`${write.kind === "transition" ? write.transition.kind : write.kind} ${kind}`);
  }
}

/** In the order of the alphabet. */
export function closeTally(tally: OpenTally): Tally {
  return Object.fromEntries([...tally].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function isThrown(answer: unknown): boolean {
  return typeof answer === "object" && answer !== null && "thrown" in answer;
}
