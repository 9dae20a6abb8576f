/**
 * Drawing approvals: openings, outcomes, updates. Few keys and few people, so that they meet.
 */
import { APPROVAL_STATES, type NewApproval } from "../../model/approval.ts";
import type { Dice } from "../../model/dice.ts";
import type { Owner } from "../../model/run.ts";
import type { Checkpoint, NewAttempt } from "../../model/step.ts";
import type { NamedWrite } from "./draw-write.ts";
import type { Named } from "./names.ts";
import type { Look } from "./operation.ts";
import { anyRun, type View } from "./view.ts";

/** What runs may ask people for. */
export const APPROVAL_KEYS = ["sign", "sign/2"];

const PEOPLE = ["kim", "heads", "é"];

/** Who writes about which run, and under which number. */
type Place = { readonly owner: Named<Owner>; readonly seq: number };

/** The beginning of a wait that asks people, or its outcome, whether or not they were asked. */
export function drawApproval(dice: Dice, place: Place): NamedWrite<"attempt" | "checkpoint"> {
  return dice.chance(0.6) ? drawOpening(dice, place) : drawOutcome(dice, place);
}

function drawOpening(dice: Dice, { owner, seq }: Place): NamedWrite<"attempt"> {
  const opens = drawNewApproval(dice);
  const row = { key: opens.key, kind: "approval", attempt: 1, error: null, dueAtMs: null, durationMs: 0 } as const;
  const attempt: NewAttempt = { ...row, state: "waiting", seq };
  return { kind: "attempt", owner, attempt, dueInMs: dice.pick([null, 10.2, 50]), opens };
}

function drawOutcome(dice: Dice, { owner, seq }: Place): NamedWrite<"checkpoint"> {
  const state = dice.pick(["approved", "refused", "timed_out"]);
  const outcome = dice.chance(0.3) ? "cancelled" : "completed";
  const checkpoint: Checkpoint = {
    key: dice.pick(APPROVAL_KEYS),
    kind: "approval",
    outcome,
    value: JSON.stringify({ state, decisions: [] }),
    seq,
    attempt: 1,
    compensable: false,
    durationMs: 0,
  };
  return { kind: "checkpoint", owner, checkpoint, consumes: null, clearsCrashes: dice.chance(0.15) };
}

/** What people are asked, and who. */
export function drawNewApproval(dice: Dice): NewApproval {
  const to = PEOPLE.filter(() => dice.chance(0.5));
  const title = dice.pick(["Sign?", "Sign \u{1f600}'\"?"]);
  return { key: dice.pick(APPROVAL_KEYS), title, to: to.length === 0 ? ["kim"] : to, request: dice.pick(["1", "{}"]) };
}

/** What is asked of people, or has been. */
export function drawApprovalLook(view: View): Look {
  const { dice } = view;
  const { namespace, name, id } = anyRun(view);
  if (dice.chance(0.6)) return { call: "findApproval", ref: { namespace, name, id }, key: dice.pick(APPROVAL_KEYS) };
  const to = dice.chance(0.5) ? { to: PEOPLE.filter(() => dice.chance(0.5)) } : {};
  const of = dice.chance(0.3) ? { namespace: dice.pick(["shop", "team", "none"]) } : {};
  return {
    call: "listApprovals",
    filter: { state: dice.pick(APPROVAL_STATES), ...to, ...of, limit: 1 + dice.integer(4) },
  };
}
