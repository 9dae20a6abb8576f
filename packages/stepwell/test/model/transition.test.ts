/** The state machine as a table: a row per rule. */
import { expect, it } from "vitest";
import type { Wait } from "../../src/model/run.ts";
import { decide, type Outcome, type Standing, type Transition } from "../../src/model/transition.ts";

const plain: Standing = { compensable: 0, ending: null, error: null, deadlineAtMs: null };
const paid: Standing = { ...plain, compensable: 2 };
const undoing: Standing = { ...plain, ending: "cancelled", error: "E" };
const limited: Standing = { ...plain, deadlineAtMs: 70 };
const timer: Wait = { kind: "timer", key: "t", name: "t", dueAtMs: 50 };
const endless: Wait = { kind: "signal", key: "s", name: "s", dueAtMs: null };
const idle = (...waits: Wait[]): Outcome => ({ kind: "idle", waits, inboxSeen: 3 });

const table: readonly [string, Standing, Outcome, Partial<Transition>][] = [
  ["a return completes", plain, { kind: "returned", output: "1" }, { kind: "complete", output: "1" }],
  ["a return completes, whatever could be undone", paid, { kind: "returned", output: "1" }, { kind: "complete" }],
  ["a throw fails", plain, { kind: "threw", error: "E" }, { kind: "fail", error: "E" }],
  [
    "a throw after undoable steps compensates first",
    paid,
    { kind: "threw", error: "E" },
    { kind: "compensate", ending: "failed", error: "E" },
  ],
  ["a cancel cancels", plain, { kind: "cancelled", error: "C" }, { kind: "cancel", error: "C" }],
  [
    "a cancel after undoable steps compensates first",
    paid,
    { kind: "cancelled", error: "C" },
    { kind: "compensate", ending: "cancelled" },
  ],
  ["compensated ends as was decided before it began", undoing, { kind: "compensated" }, { kind: "cancel", error: "E" }],
  ["exhausted compensation fails", undoing, { kind: "compensation_failed", error: "X" }, { kind: "fail", error: "X" }],
  ["a run that cannot go on is paused", plain, { kind: "stuck", error: "D" }, { kind: "pause", error: "D" }],
  [
    "idle parks until the first due wait",
    plain,
    idle(endless, { ...timer, dueAtMs: 90 }, timer),
    { kind: "park", state: "waiting", dueAtMs: 50, inboxSeen: 3 },
  ],
  ["idle without a due wait parks without end", plain, idle(endless), { kind: "park", dueAtMs: null }],
  [
    "idle while compensating keeps its state",
    undoing,
    idle(timer),
    { kind: "park", state: "compensating", dueAtMs: 50 },
  ],
  ["a deadline before every wait is when a park ends", limited, idle(endless), { kind: "park", dueAtMs: 70 }],
  ["a wait before the deadline is when a park ends", limited, idle(timer), { kind: "park", dueAtMs: 50 }],
  [
    "idle while compensating heeds no deadline",
    { ...undoing, deadlineAtMs: 20 },
    idle(endless),
    { kind: "park", state: "compensating", dueAtMs: null },
  ],
  ["an expired run fails", limited, { kind: "expired", error: "T" }, { kind: "fail", error: "T" }],
  [
    "an expired run after undoable steps compensates first",
    paid,
    { kind: "expired", error: "T" },
    { kind: "compensate", ending: "failed", error: "T" },
  ],
  ["a drain gives the run back", plain, { kind: "drained" }, { kind: "release" }],
];

it.each(table)("%s", (_rule, run, outcome, expected) => {
  expect(decide(run, outcome)).toMatchObject(expected);
});
