/**
 * Ways to break what the good evidence says of circuit breakers. See faults.ts. In it run 5 opens one with three failures,
 * and run 6 closes it with a probe.
 */
import type { Breaker } from "../../src/model/breaker.ts";
import type { Draft } from "./an-evidence.ts";
import { again, checkpointOf, type Fault, startOf } from "./damage.ts";

type Saved = Draft["records"][number] & { kind: "breaker" };

/** What was stored with that many failures, first. */
function rowOf(draft: Draft, matches: (breaker: Breaker) => boolean): Saved {
  return draft.records.find((record): record is Saved => record.kind === "breaker" && matches(record.breaker))!;
}

const isOpening = ({ openUntilMs }: Breaker): boolean => openUntilMs !== null;
const isProbed = ({ probe }: Breaker): boolean => probe !== null;

function endOf(draft: Draft, run: string, key: string, attempt: number) {
  return draft.witness.find(
    (event) => event.kind === "end" && event.run === run && event.key === key && event.attempt === attempt,
  )!;
}

const IN_VAIN = "sim/guarded g-1";
const PROBER = "sim/guarded g-2";

/** At least one per invariant. */
export const BREAKER_FAULTS: readonly Fault[] = [
  [
    "I40",
    "a service is called without a question",
    (draft) => {
      const { at } = startOf(draft, IN_VAIN, "call/0");
      draft.records = draft.records.filter((record) => record.kind !== "look" || record.at > at);
    },
  ],
  [
    "I40",
    "a service is called while its breaker is open",
    (draft) => {
      const probed = rowOf(draft, isProbed);
      Object.assign(probed.breaker, { probe: null });
    },
  ],
  [
    "I40",
    "a probe is made before its time",
    (draft) => {
      const { at } = startOf(draft, PROBER, "call/0");
      const look = draft.records.findLast((record) => record.kind === "look" && record.at < at)!;
      if (look.kind === "look") look.look.nowMs -= 1;
    },
  ],
  [
    "I41",
    "a probe is made while another is",
    (draft) => {
      const { probe } = rowOf(draft, isProbed).breaker;
      Object.assign(rowOf(draft, isOpening).breaker, { probe: { ...probe, mark: "another" } });
    },
  ],
  ["I41", "a closed breaker is probed", (draft) => void (rowOf(draft, isOpening).breaker.openUntilMs = null)],
  ["I42", "a row takes the place of none", (draft) => void (rowOf(draft, isOpening).breaker.revision += 1)],
  ["I42", "a breaker opens too early", (draft) => void rowOf(draft, isOpening).breaker.failures.splice(0, 1)],
  [
    "I42",
    "one failure counts twice",
    (draft) => {
      const { failures } = rowOf(draft, isOpening).breaker;
      failures[2] = failures[1]!;
    },
  ],
  [
    "I42",
    "a success counts as a failure",
    (draft) => void Object.assign(endOf(draft, IN_VAIN, "call/0", 2), { result: "value" }),
  ],
  [
    "I42",
    "a probe that failed closes it",
    (draft) => void Object.assign(endOf(draft, PROBER, "call/0", 1), { result: "error" }),
  ],
  [
    "I42",
    "a success in between is forgotten",
    (draft) => {
      const { at } = rowOf(draft, ({ failures }) => failures.length === 2);
      const start = startOf(draft, PROBER, "call/0");
      const told = checkpointOf(draft, 6, "call/0");
      Object.assign(endOf(draft, PROBER, "call/0", 1), { at: at + 0.4 });
      start.at = at + 0.3;
      again(draft, told, () => {}, { ...told, at });
      draft.records.splice(draft.records.indexOf(told), 1);
    },
  ],
];
