/**
 * Approvals: what people are asked to decide, found and answered. The body's side is approve.ts.
 */
import { canonicalText } from "../model/canonical.ts";
import {
  type Answer,
  APPROVAL_STATES,
  type Approval,
  type ApprovalRequest,
  type ApprovalState,
  type SentDecision,
  type StoredDecision,
  type Verdict,
} from "../model/approval.ts";
import { StepwellError } from "../model/errors.ts";
import { decode } from "../model/json.ts";
import { nearestOf, checkKeys } from "../model/options.ts";
import { showValue } from "../model/plain.ts";
import type { SchemaIssue } from "../model/schema.ts";
import type { ApprovalFilter } from "../store/store.ts";
import { checkName } from "./approval-plan.ts";
import {
  type ApprovalRef,
  type ApproveAnswer,
  decide,
  findApproval,
  type Receipt,
  type RefuseAnswer,
} from "./decide.ts";
import type { Deps } from "./deps.ts";
import { checkOutsideTx } from "./tx-door.ts";
import { LIMIT_DEFAULT, checkLimit, parseCursor, toCursor, toName } from "./list.ts";
import type { Workflow } from "./workflow.ts";

/** An approval as shown to people. */
export type ApprovalInfo = {
  /** `namespace/name`. */
  readonly workflow: string;
  readonly runId: string;
  readonly name: string;
  readonly title: string;
  /** Names of people and groups, with those whom it was escalated to. */
  readonly to: readonly string[];
  readonly details: unknown;
  /** JSON Schema of the form; null: there is none, or its schema cannot tell. */
  readonly form: unknown;
  /** Whether an approval must come with a form. */
  readonly asksForm: boolean;
  /** How many different people must approve. */
  readonly quorum: number;
  /** Who started the run. */
  readonly requestedBy: string;
  /** Who may not approve. */
  readonly requesters: readonly string[];
  readonly state: ApprovalState;
  /** Epoch milliseconds by the store's clock, as all moments here. */
  readonly openedAtMs: number;
  /** Its deadline; null: none. */
  readonly dueAtMs: number | null;
  /** Null while it is open. */
  readonly closedAtMs: number | null;
};

/** A decision as shown to people. `unchecked`: the run has not said yet whether it counts. */
export type DecisionInfo = {
  readonly actor: string;
  readonly atMs: number;
  readonly answer: Answer;
  readonly comment: string | null;
  /** As it was sent; undefined: none. */
  readonly form: unknown;
  readonly verdict: Verdict["verdict"] | "unchecked";
  /** What is wrong with the form. */
  readonly issues: readonly SchemaIssue[];
};

/** Which approvals to list. Fields left out do not filter. */
export type ApprovalListFilter = {
  /** For this person or group, or for one of these. */
  readonly to?: string | readonly string[];
  /** A workflow, or its name: "orders/fulfil", or "fulfil" in `namespace`. */
  readonly workflow?: string | Workflow;
  readonly namespace?: string;
  /** `open` by default. */
  readonly state?: ApprovalState;
  /** Approvals of a page at most; 1 to 1,000, by default 100. */
  readonly limit?: number;
  /** From the page before, with the same filter. */
  readonly cursor?: string | null;
};

/** A page, newest first. */
export type ApprovalList = {
  /** May be fewer than `limit`, even none, although more follow. */
  readonly approvals: readonly ApprovalInfo[];
  /** For the next page; null: there is nothing more. */
  readonly cursor: string | null;
};

/** `engine.approvals`. Whoever may call it may decide: the engine takes the actors' names on trust. */
export type Approvals = {
  /** What is open, newest first. @throws StepwellError OPTION_UNKNOWN, OPTION_INVALID, WORKFLOW_INVALID */
  readonly list: (filter?: ApprovalListFilter) => Promise<ApprovalList>;
  /** One, with all that people have said to it. @throws StepwellError RUN_NOT_FOUND, APPROVAL_NOT_FOUND */
  readonly get: (ref: ApprovalRef) => Promise<ApprovalInfo & { readonly decisions: readonly DecisionInfo[] }>;
  /**
   * Approve. Resolves when the decision is durable and the run has accepted it, or, where no worker has looked at it in
   * time, as `recorded`. A decision that throws changes nothing.
   *
   * @throws StepwellError APPROVAL_NOT_FOUND, APPROVAL_CLOSED, APPROVAL_FOUR_EYES, APPROVAL_DECIDED, APPROVAL_FORM_INVALID
   */
  readonly approve: (ref: ApprovalRef, answer: ApproveAnswer) => Promise<Receipt>;
  /** Refuse: one is enough. Throws as `approve` does. */
  readonly refuse: (ref: ApprovalRef, answer: RefuseAnswer) => Promise<Receipt>;
};

/** The calls of `engine.approvals`. */
export function approvalCalls(deps: Deps): Approvals {
  return {
    list: (filter = {}) => list(deps, filter),
    get: async (ref) => {
      const { approval, decisions } = await findApproval(deps, ref);
      return { ...toInfo(approval), decisions: decisions.map(toDecisionInfo) };
    },
    approve: (ref, answer) => decide(deps, ref, "approved", answer),
    refuse: (ref, answer) => decide(deps, ref, "refused", answer),
  };
}

const WHERE = "filter of approvals.list";

/** Calls of the store for one page at most. */
const LOOKS_MAX = 128;

async function list(deps: Deps, filter: ApprovalListFilter): Promise<ApprovalList> {
  checkOutsideTx(deps, "approvals.list");
  checkKeys(WHERE, filter, ["to", "workflow", "namespace", "state", "limit", "cursor"]);
  const { limit = LIMIT_DEFAULT, cursor = null } = filter;
  checkLimit(limit);
  const wanted = toFilter(filter);
  const mark = deps.host.hash(canonicalText(wanted));
  let beforeId = cursor === null ? null : parseCursor(cursor, mark);
  const approvals: Approval[] = [];
  for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
    if (looks > 0) await new Promise<void>((resolve) => deps.host.defer(resolve));
    const here = beforeId === null ? {} : { beforeId };
    const page = await deps.store.listApprovals({ ...wanted, ...here, limit: limit - approvals.length });
    approvals.push(...page.approvals);
    beforeId = page.beforeId;
    if (beforeId === null || approvals.length >= limit) break;
  }
  return { approvals: approvals.map(toInfo), cursor: beforeId === null ? null : toCursor(beforeId, mark) };
}

function toFilter(filter: ApprovalListFilter): Omit<ApprovalFilter, "limit"> {
  const { state = "open", to } = filter;
  if (!APPROVAL_STATES.includes(state)) {
    const nearest = typeof state === "string" ? nearestOf(state, APPROVAL_STATES) : null;
    const advice = nearest === null ? `they are ${APPROVAL_STATES.join(", ")}` : `did you mean "${nearest}"?`;
    throw new StepwellError("OPTION_INVALID", `${WHERE}: there is no state ${showValue(state)}; ${advice}.`);
  }
  const names = to === undefined ? null : typeof to === "string" ? [to] : to;
  if (names !== null && (!Array.isArray(names) || names.length === 0)) {
    throw new StepwellError("OPTION_INVALID", `${WHERE}: to must be a name or an array of names.`);
  }
  const addressed = names === null ? {} : { to: names.map((name) => checkName(WHERE, "to", name)) };
  return { state, ...addressed, ...toName(filter) };
}

function toInfo(approval: Approval): ApprovalInfo {
  const { details, form, asksForm, quorum, requesters } = decode(approval.request) as ApprovalRequest;
  const { namespace, name, runId, key, title, to, requestedBy, state, openedAtMs, dueAtMs, closedAtMs } = approval;
  return {
    ...{ workflow: `${namespace}/${name}`, runId, name: key, title, to, details, form, asksForm, quorum },
    ...{ requestedBy, requesters, state, openedAtMs, dueAtMs, closedAtMs },
  };
}

function toDecisionInfo({ actor, atMs, payload, verdict }: StoredDecision): DecisionInfo {
  const { answer, form, comment } = decode(payload) as SentDecision;
  const said = verdict === null ? null : (decode(verdict) as Verdict);
  const issues = said?.verdict === "form_invalid" ? said.issues : [];
  return { actor, atMs, answer, comment, form, verdict: said?.verdict ?? "unchecked", issues };
}
