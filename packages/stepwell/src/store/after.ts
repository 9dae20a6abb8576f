/**
 * After: where a run stands once a transition was applied, so that one which is submitted again is known (S5).
 */
import type { RunState } from "../model/run.ts";
import type { Transition } from "../model/transition.ts";
import type { StandingRow } from "./rows.ts";

type Kind = Transition["kind"];

/** Of one that is not on hold. What was given up may have been moved by what came into its inbox since. */
const STATES_AFTER: { readonly [K in Kind]: readonly RunState[] } = {
  complete: ["completed"],
  fail: ["failed"],
  cancel: ["cancelled"],
  compensate: ["compensating"],
  park: ["waiting", "pending", "compensating"],
  pause: ["paused", "pending", "compensating"],
  hold: ["pending", "compensating"],
  release: ["pending", "compensating"],
};

/** What leaves a run that an operator may then put on hold. */
const GIVES_UP: readonly Kind[] = ["park", "pause", "hold", "release"];

/** Whether that transition of its last owner was applied to the run; only the beginning of a compensation keeps the claim. */
export function wasApplied(kind: Kind, run: Pick<StandingRow, "state" | "worker_id" | "on_hold">): boolean {
  if ((run.worker_id !== null) !== (kind === "compensate")) return false;
  if (run.on_hold) return GIVES_UP.includes(kind);
  return STATES_AFTER[kind].includes(run.state);
}

/** A transition that is refused when the inbox holds more than its owner has seen. */
export function isGuarded(kind: Kind): boolean {
  return kind === "park" || kind === "hold";
}
