/**
 * Approval plan: what `ctx.approve` was asked for, checked once. A plan that could never come to an end, or never to an
 * approval, is refused where it is written.
 */
import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import type { ApprovalOutcome, ApprovalRequest } from "../model/approval.ts";
import { type Duration, parseDuration } from "../model/duration.ts";
import { StepwellError } from "../model/errors.ts";
import { encode } from "../model/json.ts";
import type { Limits } from "../model/limits.ts";
import { checkKeys } from "../model/options.ts";
import { showValue } from "../model/plain.ts";

/** Whom an approval is for: names of people or groups, in the users' own words. */
export type Addressees = string | readonly string[];

/** Who is asked as well, and when: so long after the approval was opened. */
export type Escalation = { readonly after: Duration; readonly to: Addressees };

/** Options of `ctx.approve`. */
export type ApproveOptions<Form = unknown, Timeout extends Duration = Duration> = {
  /** One line for people. */
  readonly title: string;
  /** Whom it is for; by these names they find it. Not a check: whoever is let into the inbox may decide. */
  readonly to: Addressees;
  /** Shown with it. */
  readonly details?: unknown;
  /** What whoever approves fills in; any Standard Schema. */
  readonly form?: StandardSchemaV1<unknown, Form>;
  /** How long people have; survives restarts, never ends early. Default: for ever. */
  readonly timeout?: Timeout;
  /** Who is asked as well when nobody has decided by then. */
  readonly escalate?: Escalation | readonly Escalation[];
  /** How many different people must approve; 1 by default. One refusal refuses. */
  readonly quorum?: number;
  /** On whose behalf the run asks, where that is not who started it. */
  readonly requestedBy?: string;
  /** False: who started the run, and `requestedBy`, may approve, too. */
  readonly fourEyes?: boolean;
};

/** What `ctx.approve` gives: without a timeout it cannot time out. */
export type ApprovalOf<Form, Timeout extends Duration> = [Timeout] extends [never]
  ? Exclude<ApprovalOutcome<Form>, { readonly state: "timed_out" }>
  : ApprovalOutcome<Form>;

/** Options, checked. */
export type ApprovalPlan = {
  readonly title: string;
  readonly to: readonly string[];
  readonly schema: StandardSchemaV1 | null;
  readonly timeoutMs: number | null;
  /** In the order of their times. */
  readonly escalations: readonly { readonly afterMs: number; readonly to: readonly string[] }[];
  readonly request: ApprovalRequest;
  /** The same, encoded. */
  readonly requestText: string;
};

/** Names of one approval, or of one escalation, at most. */
const ADDRESSEES_MAX = 100;

/** Of one approval at most. */
const ESCALATIONS_MAX = 20;

/** In UTF-16 code units. */
const NAME_LENGTH_MAX = 200;
const TITLE_LENGTH_MAX = 1_000;

const KEYS = ["title", "to", "details", "form", "timeout", "escalate", "quorum", "requestedBy", "fourEyes"];

/**
 * @param startedBy who started the run
 * @throws StepwellError OPTION_UNKNOWN, OPTION_INVALID, DURATION_INVALID; NOT_SERIALISABLE and the like for the details
 */
export function toPlan(where: string, options: ApproveOptions, startedBy: string, limits: Limits): ApprovalPlan {
  checkKeys(where, options, KEYS);
  const { quorum = 1, fourEyes = true, form = null, requestedBy } = options;
  if (!Number.isSafeInteger(quorum) || quorum < 1) {
    throw invalid(where, `quorum must be a whole number from 1, got ${showValue(quorum)}`);
  }
  if (typeof fourEyes !== "boolean") throw invalid(where, `fourEyes must be true or false, got ${showValue(fourEyes)}`);
  if (form !== null && typeof form?.["~standard"]?.validate !== "function") {
    throw invalid(where, "form is no Standard Schema");
  }
  const timeoutMs = options.timeout === undefined ? null : parseDuration(options.timeout, `timeout of ${where}`);
  const requesters =
    requestedBy === undefined ? [startedBy] : [startedBy, checkName(where, "requestedBy", requestedBy)];
  const request = {
    details: options.details,
    form: form === null ? null : toJsonSchema(form),
    asksForm: form !== null,
    quorum,
    requesters: fourEyes ? requesters : [],
  };
  return {
    title: checkText(where, "title", options.title, TITLE_LENGTH_MAX),
    to: toNames(where, options.to),
    schema: form,
    timeoutMs,
    escalations: toEscalations(where, options.escalate ?? [], timeoutMs),
    request,
    requestText: encode(request, limits).text,
  };
}

/** A name as people are called by; OPTION_INVALID. */
export function checkName(where: string, option: string, name: unknown): string {
  return checkText(where, option, name, NAME_LENGTH_MAX);
}

function toNames(where: string, to: Addressees): readonly string[] {
  const names = typeof to === "string" ? [to] : to;
  if (!Array.isArray(names)) throw invalid(where, `to must be a name or an array of names, got ${showValue(to)}`);
  if (names.length === 0 || names.length > ADDRESSEES_MAX) {
    throw invalid(where, `to must have 1 to ${ADDRESSEES_MAX} names, got ${names.length}`);
  }
  return [...new Set((names as readonly unknown[]).map((name) => checkName(where, "to", name)))];
}

function toEscalations(
  where: string,
  escalate: Escalation | readonly Escalation[],
  timeoutMs: number | null,
): ApprovalPlan["escalations"] {
  const list = (Array.isArray(escalate) ? escalate : [escalate]) as readonly Escalation[];
  if (list.length > ESCALATIONS_MAX) throw invalid(where, `escalate has more than ${ESCALATIONS_MAX} entries`);
  const escalations = list.map((escalation) => {
    checkKeys(`escalate of ${where}`, escalation, ["after", "to"]);
    const afterMs = parseDuration(escalation.after, `escalate of ${where}`);
    if (timeoutMs !== null && afterMs >= timeoutMs) {
      throw invalid(where, `it escalates after ${String(escalation.after)}, when its time is up already`);
    }
    return { afterMs, to: toNames(`escalate of ${where}`, escalation.to) };
  });
  return escalations.sort((a, b) => a.afterMs - b.afterMs);
}

/** By Standard JSON Schema; a schema that has no such description is shown as none. */
function toJsonSchema(schema: StandardSchemaV1): unknown {
  const { jsonSchema } = schema["~standard"] as Partial<StandardJSONSchemaV1.Props>;
  try {
    const described = jsonSchema?.input({ target: "draft-2020-12" }) ?? null;
    return described === null ? null : JSON.parse(JSON.stringify(described));
  } catch {
    return null;
  }
}

/** What stands in the store beside payloads: PostgreSQL keeps no NUL and no half a character. */
function checkText(where: string, option: string, text: unknown, lengthMax: number): string {
  if (typeof text !== "string" || text.trim() === "") {
    throw invalid(where, `${option} must be a text, got ${showValue(text)}`);
  }
  if (text.length > lengthMax) throw invalid(where, `${option} is longer than ${lengthMax} characters`);
  if (text.isWellFormed() && !/\p{Cc}/u.test(text)) return text;
  throw invalid(where, `${option} holds a control character, or half a character`);
}

function invalid(where: string, what: string): StepwellError {
  return new StepwellError("OPTION_INVALID", `${where}: ${what}.`);
}
