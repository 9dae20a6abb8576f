/**
 * Ways to break the good evidence, one by one, each with the invariant that must notice.
 * Those of signals, cancels and time stand in wait-faults.ts, those of circuit breakers in breaker-faults.ts.
 */
import { failure } from "./a-stage.ts";
import type { Draft } from "./an-evidence.ts";
import { BREAKER_FAULTS } from "./breaker-faults.ts";
import { GENERATION_FAULTS } from "./generation-faults.ts";
import { again, checkpointOf, type Fault, flushOf, startAgain, startOf, story, text, transitionOf } from "./damage.ts";
import { APPROVAL_FAULTS } from "./approval-faults.ts";
import { TX_FAULTS } from "./tx-faults.ts";
import { WAIT_FAULTS } from "./wait-faults.ts";

/** The worker of runs 1 and 3 dies when it has just begun to execute both, and run 1 is blamed. */
function quarantine(draft: Draft, crashes: number): void {
  const { run } = story(draft, 1);
  const stamp = { trueMs: 1, process: "w2", knownAt: 9_001 };
  for (const rowId of [1, 3]) {
    const claim = { run: { ...story(draft, rowId).run, fence: 50 }, nowMs: 1 };
    draft.records.push({ kind: "claim", workerId: 1, claims: [claim], at: 9_000 + rowId, ...stamp });
  }
  const freed = { freed: 1, quarantined: [{ ...run, crashes }] };
  draft.records.push({ kind: "bury", workerId: 1, gone: true, buried: true, nowMs: 1, at: 9_010, ...stamp });
  draft.records.push({ kind: "free", workerId: 1, how: "died", ...freed, at: 9_011, ...stamp });
}

function remove<T>(from: T[], item: T): void {
  from.splice(from.indexOf(item), 1);
}

const ORDER = "sim/order o-1";

/** At least one per invariant. */
export const FAULTS: readonly Fault[] = [
  [
    "I1",
    "an acknowledged start has no run",
    (draft) => void draft.requests.push({ ...draft.requests[0]!, run: "sim/order o-9" }),
  ],
  ["I1", "a run is stored with another input", (draft) => void (story(draft, 1).run.input = text({ size: 2 }))],
  [
    "I1",
    "an acknowledged signal is nowhere",
    (draft) => {
      const { history } = story(draft, 1);
      remove(
        history,
        history.find((event) => event.kind === "received" && event.item === "signal")!,
      );
    },
  ],
  [
    "I1",
    "an acknowledged cancel is nowhere",
    (draft) =>
      void draft.requests.push({ ...draft.requests.find((one) => one.kind === "cancel")!, run: ORDER, answeredAt: 5 }),
  ],
  [
    "I1",
    "a handle told another outcome",
    (draft) => {
      const told = draft.requests.find((one) => one.kind === "outcome")!;
      told.answer = { state: "completed", value: '"undone"' };
    },
  ],
  ["I2", "two runs of one id", (draft) => void draft.stories.push(structuredClone(draft.stories[0]!))],
  [
    "I3",
    "a run ends twice",
    (draft) => void story(draft, 1).history.push(structuredClone(story(draft, 1).history.at(-1)!)),
  ],
  [
    "I3",
    "the end of a former owner is accepted too",
    (draft) =>
      again(
        draft,
        transitionOf(draft, 1, "complete"),
        (copy) => void Object.assign(copy.writes[0]!, { owner: { rowId: 1, workerId: 1, fence: 1 } }),
      ),
  ],
  ["I3", "a terminal state is left", (draft) => void (draft.snapshots[0]!.runs[0]!.state = "failed")],
  [
    "I4",
    "a checkpoint is overwritten",
    (draft) => {
      const { memory } = story(draft, 1);
      memory.checkpoints[0]!.value = text("charge#2");
    },
  ],
  ["I4", "a checkpoint vanishes", (draft) => void story(draft, 1).memory.checkpoints.shift()],
  [
    "I4",
    "a second checkpoint of a step is accepted",
    (draft) =>
      again(draft, checkpointOf(draft, 1, "charge"), (copy) => Object.assign(copy.writes[0]!, { consumes: 7 })),
  ],
  [
    "I5",
    "the body sees another value on replay",
    (draft) => {
      const seen = draft.witness.filter((event) => event.kind === "observed" && event.key === "charge");
      Object.assign(seen[1]!, { value: '"charge#2"' });
    },
  ],
  [
    "I5",
    "the body sees a value before it is stored",
    (draft) => void (draft.witness.find((event) => event.kind === "observed")!.at = 3),
  ],
  [
    "I6",
    "a step starts under a claim made after its checkpoint",
    (draft) => startAgain(draft, startOf(draft, ORDER, "charge"), { at: 9_000, process: "w2" }),
  ],
  ["I6", "a step starts without a claim", (draft) => void (startOf(draft, ORDER, "charge").process = "w5")],
  [
    "I6",
    "a step starts after the run was parked",
    (draft) => {
      const park = transitionOf(draft, 1, "park");
      startAgain(draft, startOf(draft, ORDER, "charge"), { key: "extra", at: park.at + 0.5 });
    },
  ],
  [
    "I7",
    "a step starts twice for one failure",
    (draft) => startAgain(draft, startOf(draft, ORDER, "charge"), { at: startOf(draft, ORDER, "charge").at + 0.5 }),
  ],
  [
    "I7",
    "a step starts again although nothing interrupted its run, while other processes were killed",
    (draft) => {
      draft.records = [];
      draft.crashes.push({ at: 1, trueMs: 1, process: "w3", graceful: false });
      startAgain(draft, startOf(draft, ORDER, "charge"), {});
    },
  ],
  [
    "I7",
    "a step ran under a claim that was parked, and again later",
    (draft) => {
      const start = startOf(draft, ORDER, "charge");
      startAgain(draft, start, { key: "extra" });
      startAgain(draft, start, { key: "extra", at: 8_000, process: "w2" });
    },
  ],
  [
    "I8",
    "a claim reuses a fence",
    (draft) => {
      const claim = draft.records.find((record) => record.kind === "claim")!;
      claim.claims[0]!.run.fence = 1;
    },
  ],
  ["I9", "a run is claimed while another holds it", (draft) => remove(draft.records, transitionOf(draft, 1, "park"))],
  [
    "I10",
    "a write of a former owner is accepted",
    (draft) => {
      const claim = draft.records.find((record) => record.kind === "claim")!;
      again(
        draft,
        checkpointOf(draft, 1, "charge"),
        (copy) => ((copy.writes[0] as { checkpoint: { key: string } }).checkpoint.key = "late"),
        claim,
      );
    },
  ],
  ["I11", "a number is missing", (draft) => void story(draft, 1).history.splice(2, 1)],
  [
    "I11",
    "an effect stands before its cause",
    (draft) => {
      const { history } = story(draft, 1);
      const failed = history.find((event) => event.kind === "attempt_failed")!;
      Object.assign(failed, { attempt: 2 });
    },
  ],
  [
    "I12",
    "a replay asks for a step that is not recorded",
    (draft) => void draft.replays[0]!.writes.unshift({ fresh: true, text: 'step "new"' }),
  ],
  ["I12", "a replay ends otherwise", (draft) => void (draft.replays[0]!.recorded = 'completed "other"')],
  ["I16", "one attempt too many", (draft) => void (startOf(draft, ORDER, "maybe").attempt = 4)],
  [
    "I16",
    "a delay is shorter than the error asked for",
    (draft) =>
      void Object.assign(
        flushOf(draft, (write) => write.kind === "attempt" && write.attempt.key === "charge").writes[0]!,
        { dueInMs: 249 },
      ),
  ],
  [
    "I16",
    "an attempt starts before it is due",
    (draft) =>
      void Object.assign(
        flushOf(draft, (write) => write.kind === "attempt" && write.attempt.key === "charge").writes[0]!,
        { dueInMs: 90_000 },
      ),
  ],
  [
    "I17",
    "a PermanentError is tried again",
    (draft) => startAgain(draft, startOf(draft, ORDER, "maybe"), { attempt: 2 }),
  ],
  [
    "I18",
    "the body sees a failure that is not stored",
    (draft) => {
      const seen = draft.witness.find((event) => event.kind === "observed" && event.failed)!;
      seen.key = "nowhere";
    },
  ],
  ["I19", "a completed step is not undone", (draft) => void story(draft, 3).memory.checkpoints.pop()],
  [
    "I19",
    "steps are undone in the order of their completion",
    (draft) => void story(draft, 3).memory.checkpoints.push(story(draft, 3).memory.checkpoints.splice(2, 1)[0]!),
  ],
  ["I19", "a completed run is undone", (draft) => void (story(draft, 3).run.state = "completed")],
  ["I20", "a run vanishes", (draft) => void draft.snapshots[0]!.runs.shift()],
  ["I21", "a run never ends", (draft) => void (story(draft, 1).run.state = "waiting")],
  ["I21", "a run ends too late", (draft) => void (draft.healingMs = 100)],
  ["I22", "a parent is told another result", (draft) => void (story(draft, 2).run.output = text("unpaid"))],
  [
    "I23",
    "undoing begins before that is stored",
    (draft) => void (startOf(draft, "sim/trip t-1", "flight", true).at = 1),
  ],
  [
    "I23",
    "the history does not tell that undoing began",
    (draft) => {
      const { history } = story(draft, 3);
      remove(
        history,
        history.find((event) => event.kind === "note")!,
      );
    },
  ],
  [
    "I24",
    "what a dead worker held is never freed",
    (draft) => {
      const crash = draft.crashes[0]!;
      Object.assign(crash, { process: "w1", at: transitionOf(draft, 1, "park").at - 0.5, trueMs: -20_000 });
    },
  ],
  [
    "I25",
    "a step runs twice at once",
    (draft) => {
      const start = startOf(draft, ORDER, "charge");
      startAgain(draft, start, { at: start.at + 0.5 });
    },
  ],
  [
    "I26",
    "an error escapes",
    (draft) => void draft.strays.push({ at: 1, trueMs: 1, process: "w1", text: "TypeError" }),
  ],
  [
    "I26",
    "the store refuses a write",
    (draft) =>
      void (checkpointOf(draft, 1, "charge").results[0] = { kind: "refused", error: new Error("odd") as never }),
  ],
  [
    "I27",
    "a worker is declared dead while its lease lasts",
    (draft) =>
      void draft.records.push({
        kind: "bury",
        workerId: 1,
        gone: false,
        buried: true,
        nowMs: 99_999,
        at: 9_000,
        trueMs: 1,
        process: "w2",
        knownAt: 9_001,
      }),
  ],
  [
    "I27",
    "a dead worker renews",
    (draft) => {
      const stamp = { trueMs: 1, process: "w2", knownAt: 9_001 };
      draft.records.push({ kind: "bury", workerId: 1, gone: true, buried: true, nowMs: 1, at: 9_000, ...stamp });
      draft.records.push({ kind: "renew", workerId: 1, renewed: true, leaseUntilMs: 2, at: 9_002, ...stamp });
    },
  ],
  [
    "I28",
    "a step starts in a worker whose lease has run out",
    (draft) => void (startOf(draft, ORDER, "charge").trueMs = 10_001),
  ],
  ["I30", "a run that never crashed before is quarantined", (draft) => quarantine(draft, 1)],
  ["I30", "a run is quarantined for a crash beside another", (draft) => quarantine(draft, 3)],
  ["I33", "a run is taken by a worker with older code", (draft) => void (story(draft, 1).run.version = "1.2.0")],
  [
    "I32",
    "a run ends with a mistake that its code does not make",
    (draft) => void (story(draft, 3).run.error = failure("reused", "STEP_NAME_REUSED")),
  ],
  ...WAIT_FAULTS,
  ...BREAKER_FAULTS,
  ...APPROVAL_FAULTS,
  ...TX_FAULTS,
  ...GENERATION_FAULTS,
];
