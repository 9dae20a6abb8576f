/**
 * Ways to break the good evidence by setting a run aside that should not be.
 */
import type { Draft } from "./an-evidence.ts";

/** A way to break the good evidence, and the invariant that must notice. */
export type Fault = readonly [id: string, what: string, damage: (draft: Draft) => void];

/** All must be noticed by I30. */
export const QUARANTINE_FAULTS: readonly Fault[] = [
  ["I30", "a run that never crashed before is quarantined", (draft) => quarantine(draft, 1)],
  ["I30", "a run is quarantined for a crash beside another", (draft) => quarantine(draft, 3)],
];

const runOf = (draft: Draft, rowId: number) => draft.stories.find((story) => story.run.rowId === rowId)!.run;

/** The worker of runs 1 and 3 dies when it has just begun to execute both, and run 1 is blamed. */
function quarantine(draft: Draft, crashes: number): void {
  const run = runOf(draft, 1);
  const stamp = { trueMs: 1, process: "w2", knownAt: 9_001 };
  for (const rowId of [1, 3]) {
    const claim = { run: { ...runOf(draft, rowId), fence: 50 }, nowMs: 1 };
    draft.records.push({ kind: "claim", workerId: 1, claims: [claim], at: 9_000 + rowId, ...stamp });
  }
  const freed = { freed: 1, quarantined: [{ ...run, crashes }] };
  draft.records.push({ kind: "bury", workerId: 1, gone: true, buried: true, nowMs: 1, at: 9_010, ...stamp });
  draft.records.push({ kind: "free", workerId: 1, how: "died", ...freed, at: 9_011, ...stamp });
}
