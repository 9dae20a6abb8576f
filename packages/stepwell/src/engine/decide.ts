/**
 * Decide: a person's answer to an approval, on its way to the run.
 *
 * What can be told at once is told at once, and nothing is stored. Otherwise the decision goes into the run's inbox; the
 * run, which knows the form's schema, says what it makes of it, and that is what the sender hears. It is asked for where
 * the run is executed here, and looked for in the store in case it is executed elsewhere.
 */
import {
  type Answer,
  type ApprovalRequest,
  type ApprovalState,
  type Objection,
  objectionTo,
  type SentDecision,
  type Verdict,
} from "../model/approval.ts";
import { type Duration, parseDuration } from "../model/duration.ts";
import { StepwellError } from "../model/errors.ts";
import type { NewInboxItem } from "../model/inbox.ts";
import { decode, encode } from "../model/json.ts";
import { checkKeys } from "../model/options.ts";
import { showValue } from "../model/plain.ts";
import { issuesText } from "../model/schema.ts";
import type { FoundApproval } from "../store/store.ts";
import type { RunRef } from "../store/write.ts";
import { checkName } from "./approval-plan.ts";
import { whyNot } from "./commit.ts";
import type { Deps } from "./deps.ts";
import { getRun } from "./find.ts";
import { nameOf, type Workflow } from "./workflow.ts";

/** Which approval: what `list` gives fits. */
export type ApprovalRef = {
  readonly workflow: string | Workflow<never, unknown>;
  readonly runId: string;
  /** As `ctx.approve` was told, after what the scope's names begin with. */
  readonly name: string;
};

/** Who refuses, and why. */
export type RefuseAnswer = {
  /** The person who decides; each counts once. */
  readonly actor: string;
  readonly comment?: string;
  /** Sent twice under one id, it counts once, and both get the same answer. Default: a fresh one. */
  readonly id?: string;
  /** How long to wait for what the run says to it; 5 seconds by default. */
  readonly wait?: Duration;
};

/** Who approves, why, and what was filled in. */
export type ApproveAnswer = RefuseAnswer & { readonly form?: unknown };

/**
 * What became of a decision that is stored. `accepted`: it counts, and `approval` is how things stand now. `recorded`: the
 * run has not looked at it yet; it will, and `approvals.get` will tell.
 */
export type Receipt = { readonly state: "accepted"; readonly approval: ApprovalState } | { readonly state: "recorded" };

/** How long a sender waits for the run's verdict unless told otherwise. */
const WAIT_MS = 5_000;

/** Pauses between two looks into the store: double from the first to the last. */
const LOOK_MS_MIN = 20;
const LOOK_MS_MAX = 500;

const COMMENT_LENGTH_MAX = 10_000;

/** The approval and where it is. @throws StepwellError RUN_NOT_FOUND, APPROVAL_NOT_FOUND */
export async function findApproval(deps: Deps, ref: ApprovalRef): Promise<FoundApproval> {
  const run = toRunRef(ref);
  const found = await deps.store.findApproval(run, ref.name);
  if (found !== null) return found;
  await getRun(deps, run);
  throw new StepwellError("APPROVAL_NOT_FOUND", `${placeOf(ref)}: there is no such approval.`);
}

/** Post it and wait for the verdict. */
export async function decide(deps: Deps, ref: ApprovalRef, answer: Answer, given: ApproveAnswer): Promise<Receipt> {
  const { sent, waitMs } = parse(answer, given);
  const found = await findApproval(deps, ref);
  const operationId = given.id === undefined ? deps.host.freshId() : `decision:${given.id}`;
  const earlier = found.decisions.find((decision) => decision.operationId === operationId);
  if (earlier !== undefined) {
    const { seq, actor } = earlier;
    if (actor !== given.actor) throw idTaken(ref, actor);
    const known = await look(deps, ref, seq);
    return toReceipt(ref, known === "nothing yet" ? await hear(deps, ref, { ...found, seq, waitMs }) : known);
  }
  checkDecision(ref, found, { ...sent, actor: given.actor });
  const { text: payload } = encode(sent, deps.settings.limits);
  const item = { kind: "decision", name: ref.name, payload, actor: given.actor, operationId } as const;
  const { rowId } = found;
  return toReceipt(ref, await post(deps, ref, item, (seq) => hear(deps, ref, { rowId, seq, waitMs })));
}

function parse(answer: Answer, given: ApproveAnswer): { readonly sent: SentDecision; readonly waitMs: number } {
  const where = answer === "approved" ? "approvals.approve" : "approvals.refuse";
  const keys = ["actor", "comment", "id", "wait"];
  checkKeys(`options of ${where}`, given, answer === "approved" ? [...keys, "form"] : keys);
  checkName(where, "actor", given.actor);
  const { form, comment = null, wait } = given;
  if (comment !== null && (typeof comment !== "string" || comment.length > COMMENT_LENGTH_MAX)) {
    const what = `comment must be a text of up to ${COMMENT_LENGTH_MAX} characters, got ${showValue(comment)}`;
    throw new StepwellError("OPTION_INVALID", `${where}: ${what}.`);
  }
  const waitMs = wait === undefined ? WAIT_MS : parseDuration(wait, `wait of ${where}`);
  return { sent: { answer, form, comment }, waitMs };
}

/** What is certain already. The run judges by the same rules, in the order in which decisions come. */
function checkDecision(
  ref: ApprovalRef,
  { approval, decisions }: FoundApproval,
  sent: SentDecision & { readonly actor: string },
): void {
  if (approval.state !== "open") throw closed(ref, approval.state);
  const { quorum, requesters, asksForm } = decode(approval.request) as ApprovalRequest;
  const accepted = decisions.flatMap(({ verdict }) => {
    const said = verdict === null ? null : (decode(verdict) as Verdict);
    return said?.verdict === "accepted" ? [said.decision] : [];
  });
  // When its time is up is the run's to say: this process knows only its own clock.
  const { openedAtMs } = approval;
  const rules = { quorum, requesters, openedAtMs, dueAtMs: null };
  const objection = objectionTo(rules, accepted, { ...sent, atMs: openedAtMs });
  if (objection !== null) throw refusal(ref, objection);
  if (sent.form !== undefined && !asksForm) {
    throw refusal(ref, { verdict: "form_invalid", issues: [{ path: "$", message: "this approval asks for no form" }] });
  }
}

/** Resolves with what `stored` finds out, which listens before the run can have answered. */
function post(
  deps: Deps,
  ref: ApprovalRef,
  item: NewInboxItem,
  stored: (seq: number) => Promise<Heard>,
): Promise<Heard> {
  return new Promise((resolve, reject) => {
    deps.committer.submit({ kind: "post", to: toRunRef(ref), item }, (result) => {
      if (result.kind === "ended") return reject(closed(ref, "cancelled"));
      if (result.kind !== "posted") return reject(whyNot(result, "a decision"));
      if (result.item.actor !== item.actor) return reject(idTaken(ref, result.item.actor));
      stored(result.item.seq).then(resolve, reject);
      deps.worker.receive(result);
    });
  });
}

/** What is known of a decision: the verdict, or that the approval was over before; null: that could not be found out. */
type Heard = { readonly verdict: Verdict | null; readonly approval: ApprovalState } | null;

/** Look when the run is known to have spoken, and every now and then: it may be executed elsewhere. */
async function hear(
  deps: Deps,
  ref: ApprovalRef,
  { rowId, seq, waitMs }: { readonly rowId: number; readonly seq: number; readonly waitMs: number },
): Promise<Heard> {
  const { host, verdicts } = deps;
  const untilMs = host.monotonicMs() + waitMs;
  const ear = verdicts.listen(rowId);
  for (let pauseMs = LOOK_MS_MIN; ; pauseMs = Math.min(pauseMs * 2, LOOK_MS_MAX)) {
    const leftMs = untilMs - host.monotonicMs();
    if (leftMs > 0) await ear.heard(Math.min(pauseMs, leftMs), host);
    const heard = await look(deps, ref, seq);
    if (heard === "nothing yet" && host.monotonicMs() < untilMs) continue;
    ear.close();
    return heard === "nothing yet" ? null : heard;
  }
}

/** A store that cannot say just now is no reason to doubt the decision, which is stored; one that was closed never will. */
async function look(deps: Deps, ref: ApprovalRef, seq: number): Promise<Heard | "nothing yet"> {
  try {
    const { approval, decisions } = await findApproval(deps, ref);
    const verdict = decisions.find((decision) => decision.seq === seq)?.verdict ?? null;
    if (verdict === null && approval.state === "open") return "nothing yet";
    return { verdict: verdict === null ? null : (decode(verdict) as Verdict), approval: approval.state };
  } catch (error) {
    return error instanceof StepwellError && error.code === "ENGINE_CLOSED" ? null : "nothing yet";
  }
}

function toReceipt(ref: ApprovalRef, heard: Heard): Receipt {
  if (heard === null) return { state: "recorded" };
  if (heard.verdict === null) throw closed(ref, heard.approval);
  if (heard.verdict.verdict === "accepted") return { state: "accepted", approval: heard.approval };
  throw refusal(ref, heard.verdict);
}

function refusal(ref: ApprovalRef, verdict: Objection): StepwellError {
  const place = placeOf(ref);
  switch (verdict.verdict) {
    case "form_invalid": {
      const what = `${place}: the form does not fit: ${issuesText(verdict.issues)}.`;
      return new StepwellError("APPROVAL_FORM_INVALID", what, { details: { issues: verdict.issues } });
    }
    case "four_eyes":
      return new StepwellError("APPROVAL_FOUR_EYES", `${place}: it was asked for by the same person.`);
    case "repeated":
      return new StepwellError("APPROVAL_DECIDED", `${place}: this person has decided already.`);
    case "too_late":
      return closed(ref, "timed_out");
  }
}

function idTaken(ref: ApprovalRef, by: string): StepwellError {
  return new StepwellError("OPTION_INVALID", `${placeOf(ref)}: a decision of ${by} has that id already.`);
}

function closed(ref: ApprovalRef, state: ApprovalState): StepwellError {
  return new StepwellError("APPROVAL_CLOSED", `${placeOf(ref)} is ${state}.`, { details: { state } });
}

function placeOf(ref: ApprovalRef): string {
  const { namespace, name } = nameOf(ref.workflow);
  return `approval "${ref.name}" of ${namespace}/${name} ${ref.runId}`;
}

function toRunRef({ workflow, runId }: ApprovalRef): RunRef {
  return { ...nameOf(workflow), id: runId };
}
