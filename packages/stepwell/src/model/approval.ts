/**
 * Approval: a decision by people that a run waits for.
 *
 * Whoever decides leaves a decision in the run's inbox. The run takes them one by one and gives its verdict on each,
 * which is a checkpoint of its own, so that what was accepted once counts over crashes. The approval ends when
 * enough people have approved, when one has refused, or when its time is up; that is its checkpoint.
 */
import type { SchemaIssue } from "./schema.ts";

/** Where an approval stands. `cancelled`: nobody waits for it any more, as its run has ended or given it up. */
export const APPROVAL_STATES = ["open", "approved", "refused", "timed_out", "cancelled"] as const;

/** Where an approval stands. */
export type ApprovalState = (typeof APPROVAL_STATES)[number];

/** What a person decides. */
export type Answer = "approved" | "refused";

/** A decision that counts: who said what, and when by the store's clock. `form`: what was filled in, after the schema. */
export type Decision<Form = unknown> = {
  readonly actor: string;
  /** Epoch milliseconds by the store's clock. */
  readonly atMs: number;
  readonly comment: string | null;
} & ({ readonly answer: "approved"; readonly form: Form } | { readonly answer: "refused" });

/** What `ctx.approve` gives; being refused is a value like any other. `form`: of whoever approved last. */
export type ApprovalOutcome<Form = unknown> =
  | { readonly state: "approved"; readonly form: Form; readonly decisions: readonly Decision<Form>[] }
  | { readonly state: "refused"; readonly decisions: readonly Decision<Form>[] }
  | { readonly state: "timed_out"; readonly decisions: readonly Decision<Form>[] };

/**
 * What the run says to a decision. `four_eyes`: who asks may not approve. `repeated`: that person has decided already.
 * `too_late`: the approval's time was up, or it was another one of the same name.
 */
export type Verdict = { readonly verdict: "accepted"; readonly decision: Decision } | Objection;

/** Why a decision does not count. */
export type Objection =
  | { readonly verdict: "form_invalid"; readonly issues: readonly SchemaIssue[] }
  | { readonly verdict: "four_eyes" }
  | { readonly verdict: "repeated" }
  | { readonly verdict: "too_late" };

/** What a decision's sender says; the payload of its inbox item. */
export type SentDecision = {
  readonly answer: Answer;
  /** As it was sent, before the schema; undefined: none. */
  readonly form: unknown;
  readonly comment: string | null;
};

/** By what decisions are judged. */
export type ApprovalRules = {
  /** Different people who must approve. */
  readonly quorum: number;
  /** Who may not approve. */
  readonly requesters: readonly string[];
  readonly openedAtMs: number;
  /** Null: there is no deadline. */
  readonly dueAtMs: number | null;
};

/** Why a decision does not count, whatever its form holds; null: it may count. */
export function objectionTo(
  rules: ApprovalRules,
  decisions: readonly Decision[],
  sent: { readonly answer: Answer; readonly actor: string; readonly atMs: number },
): Objection | null {
  const { actor, answer, atMs } = sent;
  if (atMs < rules.openedAtMs || (rules.dueAtMs !== null && atMs >= rules.dueAtMs)) return { verdict: "too_late" };
  if (answer === "approved" && rules.requesters.includes(actor)) return { verdict: "four_eyes" };
  return decisions.some((decision) => decision.actor === actor) ? { verdict: "repeated" } : null;
}

/** What the decisions so far amount to; null: it is still open. One refusal refuses. */
export function outcomeOf(quorum: number, decisions: readonly Decision[]): ApprovalOutcome | null {
  if (decisions.some(({ answer }) => answer === "refused")) return { state: "refused", decisions };
  const last = decisions.at(-1);
  if (decisions.length < quorum || last?.answer !== "approved") return null;
  return { state: "approved", form: last.form, decisions };
}

/** Key of the checkpoint that holds the verdict on the decision with that inbox number. */
export function decisionKey(key: string, seq: number): string {
  return `${DECISION_PREFIX}${key}/${seq}`;
}

/** Key of the checkpoint of the n-th escalation, 1-based. */
export function escalationKey(key: string, n: number): string {
  return `@escalation/${key}/${n}`;
}

const DECISION_PREFIX = "@decision/";

/** Whether that is the key of a verdict on a decision about the approval `key`. */
export function isDecisionOn(key: string, recorded: string): boolean {
  const prefix = `${DECISION_PREFIX}${key}/`;
  return recorded.startsWith(prefix) && /^\d+$/.test(recorded.slice(prefix.length));
}

/** What a run asks people for, as stored. */
export type NewApproval = {
  readonly key: string;
  /** For people. */
  readonly title: string;
  /** Names of people or groups that it is for, with those whom it was escalated to. */
  readonly to: readonly string[];
  /** Encoded {@link ApprovalRequest}. */
  readonly request: string;
};

/** What is shown of a request besides, decoded. */
export type ApprovalRequest = {
  readonly details: unknown;
  /** JSON Schema of the form; null: there is none, or its schema cannot tell. */
  readonly form: unknown;
  /** Whether an approval must come with a form. */
  readonly asksForm: boolean;
  readonly quorum: number;
  /** Who may not approve. */
  readonly requesters: readonly string[];
};

/** An approval as read from the store. */
export type Approval = NewApproval & {
  readonly approvalId: number;
  readonly namespace: string;
  readonly name: string;
  readonly runId: string;
  /** Who started the run. */
  readonly requestedBy: string;
  readonly state: ApprovalState;
  /** Epoch milliseconds by the store's clock, as all moments here. */
  readonly openedAtMs: number;
  /** Null: no deadline. */
  readonly dueAtMs: number | null;
  readonly closedAtMs: number | null;
};

/** A decision as read from the store. */
export type StoredDecision = {
  /** Inbox number; unique in the run. */
  readonly seq: number;
  readonly operationId: string;
  readonly actor: string;
  readonly atMs: number;
  /** Encoded {@link SentDecision}. */
  readonly payload: string;
  /** Encoded {@link Verdict}; null: the run has not said yet. */
  readonly verdict: string | null;
};

/** Where an approval stands once that outcome of its call is stored. */
export function stateAfter(outcome: string, value: string): ApprovalState {
  if (outcome !== "completed") return "cancelled";
  return (JSON.parse(value) as { readonly state: ApprovalState }).state;
}
