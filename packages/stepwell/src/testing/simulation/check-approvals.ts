/**
 * Invariants of approvals: who may decide, what follows from it, and what is told to whom.
 */
import {
  type ApprovalOutcome,
  escalationKey,
  outcomeOf,
  type SentDecision,
  type Verdict,
} from "../../model/approval.ts";
import { decode } from "../../model/json.ts";
import type { HistoryEvent } from "../../model/history.ts";
import { isTerminal } from "../../model/run.ts";
import type { ShapeInput } from "./behaviour.ts";
import { type Case, type Finding, type Invariant, isEarly, toJson } from "./case.ts";
import { isInTime } from "./check-waits.ts";
import { type Request, runText, type Story } from "./evidence.ts";
import { askedOf, isFit, REQUESTER } from "./shapes-of-approval.ts";

type StepEvent = HistoryEvent & { readonly kind: "step"; readonly seq: number };
type Received = HistoryEvent & { readonly kind: "received" };

/** An approval as its run's history tells it. */
type Asked = {
  readonly story: Story;
  readonly key: string;
  readonly openedAtMs: number;
  readonly dueAtMs: number | null;
  /** Null: it has none. */
  readonly end: StepEvent | null;
  /** In the order of the verdicts. */
  readonly judged: readonly { readonly item: Received; readonly verdict: Verdict; readonly seq: number }[];
};

const VERDICTS: Invariant = {
  id: "I45",
  title: "each decision is judged by what was asked: by whom, once a person, in time, and by its form",
  check: (c) => askedIn(c).flatMap(misjudged),
};

const OUTCOMES: Invariant = {
  id: "I46",
  title:
    "an approval comes out as its verdicts say, and is escalated and out of time when it is due, not before (P6, P7)",
  check: (c) => askedIn(c).flatMap((asked) => [...mistaken(asked), ...passedOver(c, asked), ...early(c, asked)]),
};

const RECEIPTS: Invariant = {
  id: "I47",
  title: "what the sender of a decision is told is what the run has said to it (P1)",
  check: (c) => c.requestsOf("decision").flatMap((request) => mistold(c, request)),
};

const OPEN: Invariant = {
  id: "I48",
  title: "an approval is listed as open from the beginning of its wait until its outcome, or the end of its run",
  check: (c) => [...leftOpen(c), ...askedIn(c).flatMap((asked) => unlisted(c, asked))],
};

/** See the header. */
export const APPROVAL_INVARIANTS: readonly Invariant[] = [VERDICTS, OUTCOMES, RECEIPTS, OPEN];

function askedIn(c: Case): readonly Asked[] {
  return c.evidence.stories.flatMap((story) =>
    story.history.flatMap((event) => {
      if (event.kind !== "wait_began" || event.step !== "approval") return [];
      const { key, atMs: openedAtMs, dueAtMs } = event;
      const end = story.history.find((one): one is StepEvent => isStep(one, "approval") && one.key === key) ?? null;
      return [{ story, key, openedAtMs, dueAtMs, end, judged: judgedIn(story, key) }];
    }),
  );
}

function isStep(event: HistoryEvent | undefined, step: string): event is StepEvent {
  return event?.kind === "step" && event.step === step;
}

/** In the history a consumption stands right before the verdict. */
function judgedIn({ history }: Story, key: string): Asked["judged"] {
  return history.flatMap((item, index) => {
    const next = history[index + 1];
    const judged = item.kind === "received" && item.item === "decision" && item.name === key && item.seq !== null;
    if (!judged || !isStep(next, "decision")) return [];
    return [{ item, verdict: decode(next.value) as Verdict, seq: next.seq }];
  });
}

function misjudged({ story, key, openedAtMs, dueAtMs, judged }: Asked): Finding[] {
  const counted = new Set<string>();
  return judged.flatMap(({ item, verdict }) => {
    const { actor, atMs } = item;
    const { answer, form } = decode(item.value) as SentDecision;
    const own = answer === "approved" && (actor === story.run.actor || (key === "sign" && actor === REQUESTER));
    const late = atMs < openedAtMs || (dueAtMs !== null && atMs >= dueAtMs);
    const unfit = answer === "approved" && key === "sign" && !isFit(form);
    const right = late
      ? "too_late"
      : own
        ? "four_eyes"
        : counted.has(actor)
          ? "repeated"
          : unfit
            ? "form_invalid"
            : null;
    if (verdict.verdict === "accepted") counted.add(actor);
    const said = `${answer} of "${key}" by ${actor} at ${atMs}`;
    if (verdict.verdict !== (right ?? "accepted")) {
      return [{ run: runText(story.run), what: `${said} was ${verdict.verdict}, should be ${right ?? "accepted"}` }];
    }
    if (verdict.verdict !== "accepted") return [];
    const { decision } = verdict;
    const same = decision.actor === actor && decision.atMs === atMs && decision.answer === answer;
    return same ? [] : [{ run: runText(story.run), what: `${said} counts as ${toJson(decision)}` }];
  });
}

/** What was judged before the outcome decides, and nothing is judged after it. */
function mistaken({ story, key, end, judged }: Asked): Finding[] {
  const run = runText(story.run);
  if (end?.outcome !== "completed") return [];
  const accepted = judged.flatMap(({ verdict }) => (verdict.verdict === "accepted" ? [verdict.decision] : []));
  const quorum = key === "sign" ? askedOf(decode(story.run.input) as ShapeInput).quorum : 1;
  const right = outcomeOf(quorum, accepted) ?? { state: "timed_out", decisions: accepted };
  const findings = judged
    .filter(({ seq }) => seq > end.seq)
    .map(({ seq }) => ({ run, what: `decision ${seq} on "${key}" was judged after the outcome ${end.seq}` }));
  const outcome = decode(end.value) as ApprovalOutcome;
  if (toJson(outcome) === toJson(right)) return findings;
  return [...findings, { run, what: `"${key}" came out as ${toJson(outcome)}, should be ${toJson(right)}` }];
}

/** A decision that nobody judged, although it was stored in time and the approval has timed out. */
function passedOver(c: Case, { story, key, end }: Asked): Finding[] {
  if (end?.outcome !== "completed") return [];
  if ((decode(end.value) as ApprovalOutcome).state !== "timed_out") return [];
  const { rowId } = story.run;
  const began = c.ledger.attempts.find((one) => one.rowId === rowId && one.entry.attempt.key === key);
  const decided = c.acceptedOf(runText(story.run), key);
  const consumed = new Set(c.ledger.checkpoints.flatMap((one) => (one.rowId === rowId ? [one.entry.consumes] : [])));
  const missed = c.ledger.posts.find((post) => {
    if (post.rowId !== rowId || post.kind !== "decision" || post.name !== key || consumed.has(post.seq)) return false;
    if (began === undefined || post.at < began.at || (decided !== null && post.at > decided.at)) return false;
    return isInTime(began, post);
  });
  if (missed === undefined) return [];
  const what = `"${key}" timed out, but decision ${missed.seq} was stored at ${missed.atMs}`;
  return [{ run: runText(story.run), what }];
}

/** By the store's clock and by true time, as timers are; deadlines are those of I14. */
function early(c: Case, { story, key, openedAtMs }: Asked): Finding[] {
  const run = runText(story.run);
  const began = c.ledger.attempts.find((one) => one.rowId === story.run.rowId && one.entry.attempt.key === key);
  return c.ledger.checkpoints.flatMap(({ rowId, entry, atMs, trueMs }) => {
    const escalated = rowId === story.run.rowId && entry.checkpoint.key === escalationKey(key, 1);
    if (!escalated || began === undefined) return [];
    const { escalateMs } = askedOf(decode(story.run.input) as ShapeInput);
    const soon = isEarly(c, atMs, openedAtMs + escalateMs) && trueMs - began.trueMs < escalateMs;
    return soon ? [{ run, what: `"${key}" was escalated at ${atMs}, due at ${openedAtMs + escalateMs}` }] : [];
  });
}

/** By the code that was told. */
const TOLD: Readonly<Record<string, Verdict["verdict"]>> = {
  accepted: "accepted",
  APPROVAL_FORM_INVALID: "form_invalid",
  APPROVAL_FOUR_EYES: "four_eyes",
  APPROVAL_DECIDED: "repeated",
};

/** What is told before anything is stored leaves no item. */
function mistold(c: Case, request: Request & { readonly kind: "decision" }): Finding[] {
  const { run, key, actor, operation, told } = request;
  const wanted = told === null ? undefined : TOLD[told];
  const story = c.storyOf.get(run);
  if (wanted === undefined || story === undefined) return [];
  const item = itemOf(c, story.run.rowId, operation);
  const verdict = story.memory.checkpoints.find((one) => one.key === `@decision/${key}/${item}`);
  const said = verdict === undefined ? null : (decode(verdict.value) as Verdict).verdict;
  if (said === wanted || (item === null && wanted !== "accepted")) return [];
  return [{ run, what: `${actor} was told ${told} of "${key}", the run says ${said}` }];
}

/** Inbox number of what an operation has left; null: nothing. Another run may have one of its name. */
function itemOf(c: Case, rowId: number, operation: string): number | null {
  for (const record of c.evidence.records) {
    if (record.kind !== "flush") continue;
    for (const [index, write] of record.writes.entries()) {
      const result = record.results[index];
      const ours = write.kind === "post" && write.item.operationId === operation;
      if (ours && result?.kind === "posted" && result.rowId === rowId) return result.item.seq;
    }
  }
  return null;
}

function leftOpen(c: Case): Finding[] {
  return c.evidence.openApprovals.flatMap(({ run, key }) => {
    const story = c.storyOf.get(run);
    const over = story === undefined || isTerminal(story.run.state) || c.acceptedOf(run, key) !== null;
    return over ? [{ run, what: `"${key}" is still listed as open` }] : [];
  });
}

function unlisted(c: Case, { story, key, end }: Asked): Finding[] {
  const run = runText(story.run);
  if (end !== null || isTerminal(story.run.state)) return [];
  const listed = c.evidence.openApprovals.some((open) => open.run === run && open.key === key);
  return listed ? [] : [{ run, what: `"${key}" is open, and not listed` }];
}
