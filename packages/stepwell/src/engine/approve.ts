/**
 * Approve: what `ctx.approve` does. A durable wait like one for a signal, that takes decisions until they amount to an
 * outcome.
 *
 *   A1. The run alone judges, in the order of its inbox. Each verdict is a checkpoint, stored with the consumption of the
 *       decision; the outcome follows from the verdicts, and is a checkpoint as well. So a crash loses none, and what has
 *       been accepted stays so.
 *   A2. A decision counts if it was stored before the deadline, by the store's clock. Those that were there then are
 *       judged before the approval times out, whoever executes the run when (P6, P7).
 *   A3. An escalation is a checkpoint, too: it happens once, and never early.
 *   A4. What people see is opened before anything is waited for, and closed in the transaction of the outcome.
 */
import {
  type ApprovalOutcome,
  decisionKey,
  type Decision,
  escalationKey,
  isDecisionOn,
  type NewApproval,
  objectionTo,
  outcomeOf,
  type SentDecision,
  type Verdict,
} from "../model/approval.ts";
import { StepwellError } from "../model/errors.ts";
import { failureText, toFailure } from "../model/failure.ts";
import type { InboxItem } from "../model/inbox.ts";
import { decode, encode } from "../model/json.ts";
import { validate } from "../model/schema.ts";
import type { StepKind } from "../model/step.ts";
import type { ApprovalPlan } from "./approval-plan.ts";
import { quieten } from "./delivery.ts";
import type { Deps } from "./deps.ts";
import {
  added,
  countAnswer,
  type Execution,
  isGone,
  loseExecution,
  runName,
  scheduleIdleCheck,
  storeNowMs,
} from "./execution.ts";
import { takeFromInbox } from "./inbox.ts";
import { readPatiently } from "./patience.ts";
import { leaseLost, nextSeq, saveCheckpoint } from "./record.ts";
import { type Call, endCall, isGivenUp } from "./steps.ts";
import { beginWait } from "./waiting.ts";

/** An approval that this execution waits for. */
type Approval = {
  readonly call: Call;
  readonly plan: ApprovalPlan;
  readonly dueAtMs: number | null;
  openedAtMs: number;
  /** Accepted so far. */
  readonly decisions: Decision[];
  /** How many escalations there have been. */
  escalated: number;
};

/** See the header. */
export function performApprove(plan: ApprovalPlan): Call["perform"] {
  return (deps, call) => {
    const { exec, key } = call;
    exec.approvals = exec.approvals.size === 0 ? new Set([key]) : exec.approvals.add(key);
    const recalled = recall(exec, plan, key);
    const due = plan.timeoutMs === null ? { dueAtMs: null } : { dueInMs: plan.timeoutMs };
    const opens = toRow({ call, plan, escalated: recalled.escalated });
    beginWait(deps, call, { due, opens }, (dueAtMs) => show(deps, { call, plan, dueAtMs, openedAtMs: 0, ...recalled }));
  };
}

/** Approvals that nobody will answer any more, because the run ends: they are over with it. */
export function abandonApprovals(deps: Deps, exec: Execution): void {
  const failure = toFailure(new StepwellError("STEP_FLOATING", `the body of ${runName(exec)} has ended.`));
  for (const key of exec.approvals) {
    record(deps, exec, { key, kind: "approval", outcome: "cancelled", text: failureText(failure) }, () => {});
  }
  exec.approvals = new Set();
}

/**
 * What earlier executions have recorded of it. Where it is asked for anew, since an operator lets an ended run go on, people
 * decide anew, and those whom it was escalated to are asked at once.
 */
function recall(exec: Execution, plan: ApprovalPlan, key: string): Pick<Approval, "decisions" | "escalated"> {
  const decisions: Decision[] = [];
  for (const [recordedKey, checkpoint] of exec.recorded) {
    if (checkpoint.kind !== "decision" || !exec.attempts.has(key) || !isDecisionOn(key, recordedKey)) continue;
    const verdict = decode(checkpoint.value) as Verdict;
    if (verdict.verdict === "accepted") decisions.push(verdict.decision);
  }
  let escalated = 0;
  while (escalated < plan.escalations.length && exec.recorded.has(escalationKey(key, escalated + 1))) escalated += 1;
  return { decisions, escalated };
}

/** A4. Whom it is for, and how it reads, is brought up to date whenever the run is executed anew; then it is waited for. */
function show(deps: Deps, approval: Approval): void {
  const { exec } = approval.call;
  const row = toRow(approval);
  const update = async (): Promise<number | null> => (isGone(exec) ? null : deps.store.updateApproval(exec.owner, row));
  void whileBusy(deps, exec, async () => {
    const openedAtMs = await readPatiently(deps, "an approval", update);
    if (isGivenUp(approval.call)) return;
    if (openedAtMs === null) return loseExecution(exec, leaseLost(exec));
    approval.openedAtMs = openedAtMs;
    advance(deps, approval);
  });
}

function toRow({ call, plan, escalated }: Pick<Approval, "call" | "plan" | "escalated">): NewApproval {
  const added = plan.escalations.slice(0, escalated).flatMap((escalation) => escalation.to);
  return { key: call.key, title: plan.title, to: [...new Set([...plan.to, ...added])], request: plan.requestText };
}

/** Judge what has come, then wait for more; until there is an outcome. */
function advance(deps: Deps, approval: Approval): void {
  const { call, plan, dueAtMs } = approval;
  const { exec, key } = call;
  const outcome = outcomeOf(plan.request.quorum, approval.decisions);
  if (outcome !== null) return end(deps, call, outcome);
  const wanted = { kind: "approval", key, name: plan.title } as const;
  const item = takeFromInbox(exec, wanted);
  if (item !== null) return take(deps, approval, item);
  const fire = (arrived: InboxItem | null): void => {
    if (arrived === null) fallDue(deps, approval);
    else take(deps, approval, arrived);
  };
  const nextAtMs = nextEscalationAtMs(approval) ?? dueAtMs;
  exec.waits = added(exec.waits, key, { ...wanted, dueAtMs: nextAtMs, fire });
  scheduleIdleCheck(deps.host, exec);
}

/** Null: there is none left before the deadline, which stays as it was when newer code escalates later. */
function nextEscalationAtMs({ plan, openedAtMs, dueAtMs, escalated }: Approval): number | null {
  const next = plan.escalations[escalated];
  const atMs = next === undefined ? Infinity : Math.ceil(openedAtMs + next.afterMs);
  return atMs < (dueAtMs ?? Infinity) ? atMs : null;
}

/** A1. The decision is consumed by its verdict; whoever sent it hears of it once it is stored. */
function take(deps: Deps, approval: Approval, item: InboxItem): void {
  const { call } = approval;
  const { exec, key } = call;
  void whileBusy(deps, exec, async () => {
    const verdict = await judge(deps, approval, item);
    if (isGivenUp(call)) return;
    const { text, value: stored } = encode(verdict);
    if (stored.verdict === "accepted") approval.decisions.push(stored.decision);
    record(deps, exec, { key: decisionKey(key, item.seq), kind: "decision", text, consumes: item }, () =>
      deps.verdicts.tell(exec.run.rowId),
    );
    advance(deps, approval);
  });
}

/** A2. A form is looked at last, so that nobody fills one in anew for nothing. */
async function judge(deps: Deps, approval: Approval, item: InboxItem): Promise<Verdict> {
  const { plan, openedAtMs, dueAtMs, decisions } = approval;
  const { quorum, requesters } = plan.request;
  const { answer, form, comment } = decode(item.payload) as SentDecision;
  const { actor, atMs } = item;
  const rules = { quorum, requesters, openedAtMs, dueAtMs };
  const objection = objectionTo(rules, decisions, { answer, actor, atMs });
  if (objection !== null) return objection;
  if (answer === "refused") return { verdict: "accepted", decision: { actor, atMs, comment, answer } };
  const checked = await checkForm(deps, plan, form);
  if (!checked.ok) return { verdict: "form_invalid", issues: checked.issues };
  return { verdict: "accepted", decision: { actor, atMs, comment, answer, form: checked.value } };
}

/** A schema that throws, or gives what cannot be stored, is told to whoever filled the form in: somebody has to know. */
async function checkForm(deps: Deps, { schema }: ApprovalPlan, form: unknown): ReturnType<typeof validate> {
  if (schema === null) {
    return form === undefined ? { ok: true, value: form } : { ok: false, issues: [{ path: "$", message: NO_FORM }] };
  }
  try {
    const checked = await validate(schema, form);
    if (checked.ok) encode(checked.value, deps.settings.limits);
    return checked;
  } catch (thrown) {
    return { ok: false, issues: [{ path: "$", message: toFailure(thrown).message }] };
  }
}

const NO_FORM = "this approval asks for no form";

/** A3; or its time is up, and all that came before has been judged (A2). */
function fallDue(deps: Deps, approval: Approval): void {
  const { call, dueAtMs, decisions } = approval;
  const { exec } = call;
  const nextAtMs = nextEscalationAtMs(approval);
  if (nextAtMs !== null && nextAtMs <= storeNowMs(deps.host, exec)) return escalate(deps, approval);
  if (nextAtMs === null && dueAtMs !== null) return end(deps, call, { state: "timed_out", decisions });
  advance(deps, approval);
}

function escalate(deps: Deps, approval: Approval): void {
  const { call, plan } = approval;
  const { exec, key } = call;
  const { to } = plan.escalations[approval.escalated]!;
  approval.escalated += 1;
  const { text } = encode({ to });
  const escalation = { key: escalationKey(key, approval.escalated), kind: "escalation", text } as const;
  record(deps, exec, escalation, () => {
    if (!isGivenUp(call)) show(deps, approval);
  });
}

function end(deps: Deps, call: Call, outcome: ApprovalOutcome): void {
  call.exec.approvals.delete(call.key);
  endCall(deps, call, { outcome: "completed", attempt: 1, durationMs: 0, ...encode(outcome) });
}

/** A checkpoint that no call of the body asks for. */
function record(
  deps: Deps,
  exec: Execution,
  entry: {
    readonly key: string;
    readonly kind: StepKind;
    readonly text: string;
    readonly outcome?: "cancelled";
    readonly consumes?: InboxItem;
  },
  stored: () => void,
): void {
  const { key, kind, text: value, outcome = "completed", consumes = null } = entry;
  const seq = nextSeq(exec, consumes);
  const checkpoint = { key, kind, outcome, value, seq, attempt: 1, durationMs: 0, compensable: false } as const;
  const clearsCrashes = exec.run.crashes > 0;
  const item = consumes?.seq ?? null;
  const write = { kind: "checkpoint", owner: exec.owner, checkpoint, consumes: item, clearsCrashes } as const;
  saveCheckpoint(deps, exec, write, stored);
}

/** The run does not come to rest while this is under way. */
async function whileBusy<T>(deps: Deps, exec: Execution, work: () => Promise<T>): Promise<T> {
  exec.unanswered += 1;
  try {
    return await work();
  } finally {
    countAnswer(exec);
    if (!isGone(exec)) quieten(deps, exec);
  }
}
