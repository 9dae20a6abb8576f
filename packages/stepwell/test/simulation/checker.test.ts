/** Every invariant flags a history that breaks it and passes one that keeps it: else it were a defect. */
import { describe, expect, it } from "vitest";
import { check, INVARIANTS } from "../../src/testing/simulation/checker.ts";
import { anEvidence } from "./an-evidence.ts";
import { flushOf, startAgain, startOf } from "./damage.ts";
import { FAULTS } from "./faults.ts";
import { approveAgain } from "./wait-faults.ts";

describe("checker", () => {
  it("finds nothing in a history that keeps every promise", () => {
    expect(check(anEvidence())).toEqual([]);
  });

  it.each([
    ["after the answer", 90_000, 2_000],
    ["after the deadline", 500, 1_900],
  ])("I29: holds no signal against a wait if it came %s, whatever a clock that was set back says", (_, ...when) => {
    const [dueInMs, trueMs] = when;
    const draft = anEvidence();
    const began = flushOf(draft, (write) => write.kind === "attempt" && write.attempt.key === "@wait/approval/2");
    Object.assign(began.writes[0]!, { dueInMs });
    approveAgain(draft, trueMs, 280);
    expect(check(draft, ["I29"])).toEqual([]);
  });

  it("I6: knows a claim from the first answer that arrived, in whatever order the store gave them", () => {
    const draft = anEvidence();
    const claim = draft.records.find((record) => record.kind === "claim")!;
    draft.records.splice(draft.records.indexOf(claim), 0, { ...claim, knownAt: 90_000 });
    expect(check(draft, ["I6"])).toEqual([]);
  });

  it("I25: knows without the store's records that a claim was given up, and deaf step code went on", () => {
    const draft = anEvidence();
    draft.records = [];
    const start = startOf(draft, "sim/order o-1", "charge");
    startAgain(draft, start, { at: start.at + 0.5, trueMs: start.trueMs + 10 });
    const ended = {
      ...start,
      kind: "end",
      result: "error",
      retryAfterMs: null,
      execution: 999,
      at: start.at + 0.6,
    } as const;
    draft.witness.push(ended);
    draft.witness.sort((a, b) => a.at - b.at);
    expect(check(draft, ["I25"])).toHaveLength(1);
    const { history } = draft.stories.find(({ run }) => run.id === "o-1")!;
    history.push({ kind: "note", note: "released", value: "null", seq: 99, atMs: start.trueMs + 5 });
    expect(check(draft, ["I25"])).toEqual([]);
  });

  it.each(FAULTS)("%s: %s", (id, _what, damage) => {
    const draft = anEvidence();
    damage(draft);
    expect(check(draft, [id]).map((violation) => violation.invariant)).toContain(id);
  });

  it("has a fault for every invariant, and no two of one number", () => {
    const ids = INVARIANTS.map(({ id }) => id);
    expect([...new Set(FAULTS.map(([id]) => id))].sort()).toEqual([...ids].sort());
    expect(new Set(ids).size).toBe(ids.length);
  });
});
