/**
 * Kill points: the moments at which a process can be killed, in words.
 */
import type { NewInboxItem } from "../../model/inbox.ts";
import type { Checkpoint } from "../../model/step.ts";
import type { Write } from "../../store/write.ts";
import type { KillPoint } from "./scope.ts";

/** Writes of one flush that are told; the rest is counted. */
const WRITES_MAX = 3;

/** As in `right before the checkpoint of step "charge" was stored`. */
export function tellPoint(point: KillPoint): string {
  if (point.kind === "effect") return `right after ${point.service} had taken effect`;
  const told = point.writes.slice(0, WRITES_MAX).map(tellWrite);
  const left = point.writes.length - told.length;
  return `right ${point.when} ${[...told, ...(left === 0 ? [] : [`${left} more writes`])].join(" and ")} was stored`;
}

function tellWrite(write: Write): string {
  switch (write.kind) {
    case "insert_run":
      return `the start of run "${write.run.id}"`;
    case "checkpoint":
      return tellCheckpoint(write.checkpoint);
    case "attempt": {
      const { state, attempt, key } = write.attempt;
      return state === "failed" ? `the failure of attempt ${attempt} of "${key}"` : `the beginning of "${key}"`;
    }
    case "transition":
      return TRANSITIONS[write.transition.kind];
    case "note":
      return `the note "${write.note}"`;
    case "progress":
      return "the progress";
    case "beat":
      return `a heartbeat of "${write.key}"`;
    case "attributes":
      return "the search attributes";
    case "post":
      return tellItem(write.item);
    case "wake":
      return "the waking of the run";
  }
}

function tellItem({ kind, name }: NewInboxItem): string {
  if (kind === "signal") return `the signal "${name}"`;
  return kind === "decision" ? `the decision on "${name}"` : `the request to ${kind}`;
}

function tellCheckpoint({ kind, key }: Checkpoint): string {
  if (kind === "compensation") return `the undoing "${key}"`;
  return kind === "step" ? `the checkpoint of step "${key}"` : `the end of ${kind} "${key}"`;
}

const TRANSITIONS: Readonly<Record<Extract<Write, { kind: "transition" }>["transition"]["kind"], string>> = {
  complete: "the completion of the run",
  fail: "the failure of the run",
  cancel: "the cancellation of the run",
  compensate: "the beginning of the compensation",
  park: "the parking of the run",
  pause: "the pause of the run",
  hold: "the pause that was asked for",
  release: "the release of the run",
};
