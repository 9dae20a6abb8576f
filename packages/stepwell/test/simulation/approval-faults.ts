/**
 * Ways to break what the good evidence says of approvals. See faults.ts.
 */
import type { Draft } from "./an-evidence.ts";
import { again, checkpointOf, type Fault, type Flush, flushOf, story, text } from "./damage.ts";

const ASKED = "sim/approvals a-1";

/** Another value for a checkpoint of the run that asks people, wherever it stands. */
function say(draft: Draft, key: string, change: (value: Record<string, unknown>) => void): void {
  const { history, memory } = story(draft, 7);
  const checkpoint = memory.checkpoints.find((one) => one.key === key)!;
  const value = JSON.parse(checkpoint.value) as Record<string, unknown>;
  change(value);
  const changed = { value: text(value) };
  Object.assign(checkpoint, changed);
  Object.assign(
    history.find((event) => event.kind === "step" && event.key === key)!,
    changed,
  );
}

/** A decision on "hurry" comes in, and nobody judges it. */
function hurry(draft: Draft): void {
  const began = flushOf(draft, (write) => write.kind === "attempt" && write.attempt.key === "hurry");
  const first = draft.records.find(
    (record): record is Flush => record.kind === "flush" && record.writes.some((write) => write.kind === "post"),
  )!;
  const atMs = began.trueMs + 50;
  const change = (copy: Flush): void => {
    const result = copy.results[0]!;
    if (result.kind !== "posted") return;
    Object.assign(copy, { trueMs: atMs });
    Object.assign(result, { atMs, rowId: 7, item: { ...result.item, seq: 9, kind: "decision", name: "hurry", atMs } });
  };
  again(draft, first, change, began);
}

/** At least one per invariant. */
export const APPROVAL_FAULTS: readonly Fault[] = [
  [
    "I45",
    "whoever asks approves it as well",
    (draft) => say(draft, "@decision/sign/1", (value) => Object.assign(value, { verdict: "repeated" })),
  ],
  [
    "I45",
    "one person counts twice",
    (draft) => {
      for (const event of story(draft, 7).history) {
        if (event.kind === "received" && event.actor === "p2") Object.assign(event, { actor: "p1" });
      }
    },
  ],
  [
    "I45",
    "a form that does not fit is accepted",
    (draft) => {
      const value = text({ answer: "approved", form: { n: 1 }, comment: null });
      for (const event of story(draft, 7).history) if (event.kind === "received") Object.assign(event, { value });
    },
  ],
  [
    "I45",
    "a decision counts that came too late",
    (draft) => {
      const began = story(draft, 7).history.find((event) => event.kind === "wait_began")!;
      Object.assign(began, { dueAtMs: began.atMs + 445 });
    },
  ],
  ["I46", "fewer have approved than must", (draft) => Object.assign(story(draft, 7).run, { input: text({ salt: 2 }) })],
  [
    "I46",
    "it counts whom nobody has accepted",
    (draft) => say(draft, "sign", (value) => Object.assign(value, { decisions: [] })),
  ],
  ["I46", "a decision that came in time is passed over", hurry],
  [
    "I46",
    "it is escalated early",
    (draft) => {
      const flush = checkpointOf(draft, 7, "@escalation/sign/1");
      Object.assign(flush, { trueMs: flush.trueMs - 10 });
      Object.assign(flush.results[0]!, { atMs: flush.trueMs });
    },
  ],
  [
    "I47",
    "who was refused is told that it counts",
    (draft) => {
      const request = draft.requests.find((one) => one.kind === "decision" && one.actor === "p0")!;
      Object.assign(request, { told: "accepted" });
    },
  ],
  [
    "I48",
    "an approval of a run that has ended is listed",
    (draft) => draft.openApprovals.push({ run: ASKED, key: "sign" }),
  ],
  [
    "I48",
    "an approval that nobody has answered is not listed",
    (draft) => {
      const { run, history } = story(draft, 7);
      Object.assign(run, { state: "waiting" });
      history.splice(
        history.findIndex((event) => event.kind === "step" && event.key === "hurry"),
        1,
      );
    },
  ],
];
