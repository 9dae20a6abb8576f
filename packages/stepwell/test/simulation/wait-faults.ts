/**
 * Ways to break what the good evidence says of signals, cancels and time. See faults.ts.
 */
import type { Draft } from "./an-evidence.ts";
import { failure } from "./a-stage.ts";
import { again, checkpointOf, type Fault, type Flush, flushOf, startOf, story, text, transitionOf } from "./damage.ts";

/** The run that fails and is undone does so for want of time. */
function expire(draft: Draft, deadlineAtMs: number | null): void {
  const { writes } = transitionOf(draft, 3, "compensate");
  const write = writes[0]!;
  if (write.kind === "transition") Object.assign(write.transition, { error: failure("late", "RUN_TIMEOUT") });
  story(draft, 3).run.deadlineAtMs = deadlineAtMs;
}

/**
 * A second approval comes, and nobody consumes it. The wait for one began at 1,380, was due at 1,880, and was answered
 * with a timeout at 1,980. `atMs`: by the store's clock.
 */
export function approveAgain(draft: Draft, trueMs: number, atMs: number): void {
  const began = flushOf(draft, (write) => write.kind === "attempt" && write.attempt.key === "@wait/approval/2");
  const decided = checkpointOf(draft, 1, "@wait/approval/2");
  const first = flushOf(draft, (write) => write.kind === "post" && write.item.name === "approval");
  const change = (copy: Flush): void => {
    const [result] = copy.results;
    if (result?.kind !== "posted") return;
    Object.assign(copy, { trueMs });
    Object.assign(result, { atMs });
    Object.assign(result.item, { seq: 3, atMs });
  };
  again(draft, first, change, trueMs < decided.trueMs ? began : decided);
  const told = { seq: null, atMs, kind: "received", item: "signal", name: "approval" } as const;
  story(draft, 1).history.push({ ...told, value: text("late"), actor: "test" });
}

/** At least one per invariant. */
export const WAIT_FAULTS: readonly Fault[] = [
  [
    "I13",
    "a signal is consumed twice",
    (draft) => {
      const wait = checkpointOf(draft, 1, "@wait/approval/2");
      Object.assign(wait.writes[0]!, { consumes: 1 });
    },
  ],
  [
    "I13",
    "a wait got another payload than was sent",
    (draft) => {
      const { history } = story(draft, 1);
      Object.assign(
        history.find((event) => event.kind === "received")!,
        { value: text("no") },
      );
    },
  ],
  [
    "I14",
    "a sleep ends early",
    (draft) =>
      void Object.assign(
        flushOf(draft, (write) => write.kind === "attempt" && write.attempt.key === "nap").writes[0]!,
        { dueInMs: 90_000 },
      ),
  ],
  [
    "I14",
    "a timeout comes early",
    (draft) =>
      void Object.assign(
        flushOf(draft, (write) => write.kind === "attempt" && write.attempt.key === "@wait/approval/2").writes[0]!,
        { dueInMs: 90_000 },
      ),
  ],
  [
    "I15",
    "a step starts long after a cancel was acknowledged",
    (draft) => void (startOf(draft, "sim/order c-1", "charge").trueMs = 90_000),
  ],
  ["I15", "a cancel was consumed and the run completed", (draft) => void (story(draft, 4).run.state = "completed")],
  [
    "I34",
    "a step starts long after a pause was acknowledged",
    (draft) => {
      const { run, trueMs } = startOf(draft, "sim/order o-1", "charge");
      const pause = { kind: "pause", run, process: "client", askedAt: 0, answeredAt: 0, answeredMs: trueMs - 1_001 };
      draft.requests.push(pause as never);
    },
  ],
  ["I29", "a signal that came in time is answered with a timeout", (draft) => approveAgain(draft, 1_800, 1_800)],
  ["I31", "a run without a deadline fails for want of time", (draft) => expire(draft, null)],
  ["I31", "a run fails for want of time before its time is up", (draft) => expire(draft, 90_000)],
  [
    "I31",
    "a step begins under a claim that was made when the time was up",
    (draft) => void (story(draft, 1).run.deadlineAtMs = 500),
  ],
];
