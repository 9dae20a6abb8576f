/** Reopening: what a run forgets, as a table. */
import { describe, expect, it } from "vitest";
import { failureText } from "../../src/model/failure.ts";
import { keyOutside, planFork, planReopening, toUndone } from "../../src/model/reopening.ts";
import type { Checkpoint, StepKind, StepOutcome } from "../../src/model/step.ts";

/** A stored failure. */
function failure(message: string, fields: object = {}): string {
  return failureText({ name: "Error", message, retryable: false, ...fields });
}

const LOST = failure("late", { name: "StepwellError", code: "RACE_LOST", details: { race: "race" } });

/** Checkpoints as `key outcome`, in their order; a failed one failed with its key, unless a value is given. */
function steps(...rows: readonly (readonly [key: string, outcome?: StepOutcome, kind?: StepKind, value?: string])[]) {
  return rows.map(([key, outcome = "completed", kind = "step", value], index): Checkpoint => {
    const failed = outcome === "failed" || outcome === "cancelled";
    const text = value ?? (failed ? failure(key) : "1");
    return { key, kind, outcome, value: text, seq: index + 2, attempt: 1, compensable: false, durationMs: 0 };
  });
}

const run = (error: string | null) => ({ id: "x", error });

describe("R1: the step that ended the run", () => {
  it.each([
    ["by its error", failure("b"), ["b"]],
    [
      "by the cause of the run's error",
      failure("stuck", { cause: { name: "Error", message: "b", retryable: true } }),
      ["b"],
    ],
    ["as the last one, where the body's error is its own", failure("of its own"), ["c"]],
  ])("is found %s", (_, error, forgotten) => {
    const recorded = steps(["a"], ["b", "failed"], ["c", "failed"]);
    expect(planReopening(run(error), recorded)).toEqual({ forgotten, undoing: null });
  });

  it("is none, where the last one did not fail and the error is the body's own", () => {
    expect(planReopening(run(failure("own")), steps(["a", "failed"], ["b"])).forgotten).toEqual([]);
  });

  it("is forgotten with the race that it failed, and with those who lost that", () => {
    const recorded = steps(
      ["a", "failed"],
      ["lost", "cancelled", "step", LOST],
      ["race", "failed", "race", failure("a")],
    );
    expect(planReopening(run(failure("a")), recorded).forgotten).toEqual(["a", "lost", "race"]);
  });

  it("may be named, with all that came later, and what people said to an approval among them", () => {
    const recorded = steps(
      ["a"],
      ["@decision/sign/1", "completed", "decision"],
      ["@escalation/sign/1", "completed", "escalation"],
      ["b"],
      ["sign", "completed", "approval"],
      ["c"],
    );
    expect(planReopening(run(null), recorded, { from: "b" }).forgotten).toEqual([
      ...["@decision/sign/1", "@escalation/sign/1", "b", "sign", "c"],
    ]);
    expect(planReopening(run(null), recorded, { from: "c" }).forgotten).toEqual(["c"]);
  });
});

describe("R2: what was interrupted", () => {
  it("is forgotten; what lost a race that stays is not", () => {
    const recorded = steps(["lost", "cancelled", "step", LOST], ["race", "completed", "race"], ["long", "cancelled"]);
    expect(planReopening(run(failure("own")), recorded).forgotten).toEqual(["long"]);
  });
});

describe("R3: what was undone", () => {
  const recorded = steps(["a"], ["b"], ["c", "failed"], ["@compensate/b", "completed", "compensation"]);

  it("is forgotten with its undoing", () => {
    expect(planReopening(run(failure("c")), recorded).forgotten).toEqual(["b", "c", "@compensate/b"]);
  });

  it("goes by another key outside from then on", () => {
    const undone = toUndone([{ key: "@compensate/b", generation: 2 }]);
    expect(["a", "b", "@compensate/b"].map((key) => keyOutside(undone, key))).toEqual([
      ...["a", "b:@3", "@compensate/b:@3"],
    ]);
    expect(toUndone([])).toBe(null);
  });
});

describe("R4: an undoing that failed", () => {
  const original = { name: "Error", message: "c", retryable: false } as const;
  const error = failure("undone in vain", {
    ...{ name: "StepwellError", code: "COMPENSATION_FAILED" },
    details: { steps: ["b"], original, ending: "cancelled" },
  });
  const recorded = steps(
    ...([["a"], ["b"], ["c", "failed"]] as const),
    ...([
      ["@compensate/a", "completed", "compensation"],
      ["@compensate/b", "failed", "compensation"],
    ] as const),
  );

  it("alone is forgotten; the run goes on undoing, and ends as it was to", () => {
    expect(planReopening(run(error), recorded)).toEqual({
      forgotten: ["@compensate/b"],
      undoing: { ending: "cancelled", error: failureText(original) },
    });
    expect(planReopening(run(error), recorded, { resolve: "@compensate/b" }).forgotten).toEqual(["@compensate/b"]);
  });

  it("does not keep a fork from going forward", () => {
    expect(planFork(run(error), recorded, undefined)).toEqual(["a", "b", "c", "@compensate/a", "@compensate/b"]);
  });
});

describe("bad input", () => {
  const recorded = steps(["a"], ["b", "failed"]);

  it.each([
    [{ from: "z" }, "STEP_NOT_FOUND", { step: "z", steps: ["a", "b"] }],
    [{ resolve: "a" }, "STEP_NOT_FAILED", { step: "a", failed: ["b"] }],
    [{ resolve: "z" }, "STEP_NOT_FAILED", { step: "z", failed: ["b"] }],
  ])("%o is %s", (wish, code, details) => {
    expect(() => planReopening(run(failure("b")), recorded, wish)).toThrow(expect.objectContaining({ code, details }));
  });
});
