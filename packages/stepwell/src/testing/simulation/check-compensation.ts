/**
 * Invariants of undoing: once each, in reverse order, after a durable beginning.
 */
import { parseFailure } from "../../model/failure.ts";
import { type Case, type Finding, type Invariant, undoKey } from "./case.ts";
import { runText, type Story } from "./evidence.ts";

/** See the header. */
export const COMPENSATION_INVARIANTS: readonly Invariant[] = [
  {
    id: "I19",
    title:
      "a failed or cancelled run undoes each completed step exactly once, newest first; a completed run undoes none",
    check: (c) => c.evidence.stories.flatMap(wronglyUndone),
  },
  {
    id: "I23",
    title: "nothing is undone before the beginning of compensation is stored",
    check: (c) => [...undoneTooEarly(c), ...c.evidence.stories.flatMap(unannounced)],
  },
];

/** I19, of one run. */
export function wronglyUndone({ run, memory }: Story): Finding[] {
  const name = runText(run);
  const undone = memory.checkpoints.filter((checkpoint) => checkpoint.kind === "compensation");
  if (run.state === "completed") {
    return undone.map((checkpoint) => ({ run: name, what: `completed, but "${checkpoint.key}" was done` }));
  }
  if (run.state !== "failed" && run.state !== "cancelled") return [];
  const gaveUp = run.error !== null && parseFailure(run.error).code === "COMPENSATION_FAILED";
  const wanted = memory.checkpoints
    .filter((checkpoint) => checkpoint.compensable && checkpoint.outcome === "completed")
    .map((checkpoint) => undoKey(checkpoint.key))
    .reverse();
  const done = undone.map((checkpoint) => checkpoint.key);
  const findings: Finding[] = [];
  if (done.join("\n") !== wanted.join("\n")) {
    findings.push({
      run: name,
      what: `${run.state}; undone: ${done.join(", ") || "nothing"}; to be undone: ${wanted.join(", ") || "nothing"}`,
    });
  }
  const failed = undone.filter((checkpoint) => checkpoint.outcome !== "completed");
  if (gaveUp !== failed.length > 0) {
    const why = failed.map((checkpoint) => checkpoint.key).join(", ") || "none failed";
    findings.push({
      run: name,
      what: `${run.state}${gaveUp ? " with COMPENSATION_FAILED" : ""}, of its compensations ${why}`,
    });
  }
  return findings;
}

function undoneTooEarly(c: Case): Finding[] {
  if (c.evidence.records.length === 0) return [];
  return c.evidence.witness.flatMap((event) => {
    if (event.kind !== "start" || !event.undo) return [];
    const rowId = c.storyOf.get(event.run)?.run.rowId;
    const began = c.ledger.transitions.find((one) => one.rowId === rowId && one.entry.kind === "compensate");
    if (began !== undefined && began.at < event.at) return [];
    return [{ run: event.run, what: `"${event.key}" was being undone at ${event.trueMs} ms, before that was stored` }];
  });
}

function unannounced({ run, history }: Story): Finding[] {
  const note = history.findIndex((event) => event.kind === "note" && event.note === "compensating");
  const first = history.findIndex((event) => "step" in event && event.step === "compensation");
  if (first < 0 || (note >= 0 && note < first)) return [];
  return [{ run: runText(run), what: "its history tells of an undoing without its beginning" }];
}
