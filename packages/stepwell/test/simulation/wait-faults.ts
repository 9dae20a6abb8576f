/**
 * Ways to break what the good evidence says of signals, cancels and time. See faults.ts.
 */
import type { Draft } from "./an-evidence.ts";
import { failure } from "./a-stage.ts";
import { checkpointOf, type Fault, flushOf, startOf, story, text, transitionOf } from "./damage.ts";

/** The run that fails and is undone does so for want of time. */
function expire(draft: Draft, deadlineAtMs: number | null): void {
  const { writes } = transitionOf(draft, 3, "compensate");
  const write = writes[0]!;
  if (write.kind === "transition") Object.assign(write.transition, { error: failure("late", "RUN_TIMEOUT") });
  story(draft, 3).run.deadlineAtMs = deadlineAtMs;
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
    "I29",
    "a signal that came in time is answered with a timeout",
    (draft) => {
      const { history } = story(draft, 1);
      history.push({
        seq: null,
        atMs: 1_300,
        kind: "received",
        item: "signal",
        name: "approval",
        value: text("late"),
        actor: "test",
      });
    },
  ],
  ["I31", "a run without a deadline fails for want of time", (draft) => expire(draft, null)],
  ["I31", "a run fails for want of time before its time is up", (draft) => expire(draft, 90_000)],
  [
    "I31",
    "a step begins under a claim that was made when the time was up",
    (draft) => void (story(draft, 1).run.deadlineAtMs = 500),
  ],
];
