/**
 * Checker: holds the promises of design and reliability against the evidence.
 *
 * Each invariant is a number, a sentence and a pure function; each has a unit test
 * with a history that breaks it and one that keeps it.
 */
import { type Case, type Finding, type Invariant, openCase } from "./case.ts";
import { BREAKER_INVARIANTS } from "./check-breakers.ts";
import { APPROVAL_INVARIANTS } from "./check-approvals.ts";
import { COMPENSATION_INVARIANTS } from "./check-compensation.ts";
import { GENERATION_INVARIANTS } from "./check-generations.ts";
import { OWNERSHIP_INVARIANTS } from "./check-ownership.ts";
import { RUN_INVARIANTS } from "./check-runs.ts";
import { STEP_INVARIANTS } from "./check-steps.ts";
import { TX_INVARIANTS } from "./check-tx.ts";
import { WAIT_INVARIANTS } from "./check-waits.ts";
import type { Evidence } from "./evidence.ts";

/** A broken promise: which, in which run, and what was seen. */
export type Violation = {
  readonly invariant: string;
  readonly title: string;
  readonly run: string | null;
  readonly what: string;
};

/** All invariants, by number. */
export const INVARIANTS: readonly Invariant[] = [
  ...RUN_INVARIANTS,
  ...STEP_INVARIANTS,
  ...OWNERSHIP_INVARIANTS,
  ...WAIT_INVARIANTS,
  ...COMPENSATION_INVARIANTS,
  ...BREAKER_INVARIANTS,
  ...APPROVAL_INVARIANTS,
  ...TX_INVARIANTS,
  ...GENERATION_INVARIANTS,
].sort((a, b) => Number(a.id.slice(1)) - Number(b.id.slice(1)));

/** Hold all invariants, or those of the given numbers, against the evidence. */
export function check(
  evidence: Evidence,
  ids: readonly string[] = INVARIANTS.map(({ id }) => id),
): readonly Violation[] {
  const opened = openCase(evidence);
  return INVARIANTS.filter(({ id }) => ids.includes(id)).flatMap((invariant) =>
    findingsOf(invariant, opened).map(({ run, what }) => ({
      invariant: invariant.id,
      title: invariant.title,
      run,
      what,
    })),
  );
}

/** Evidence that cannot even be read, such as a payload that does not decode, breaks the promise as well. */
function findingsOf(invariant: Invariant, opened: Case): readonly Finding[] {
  try {
    return invariant.check(opened);
  } catch (error) {
    return [{ run: null, what: `the evidence could not be read: ${String(error)}` }];
  }
}

/** One line per violation. */
export function violationText({ invariant, title, run, what }: Violation): string {
  return `${invariant} ${title}\n     ${run === null ? "" : `${run}: `}${what}`;
}
