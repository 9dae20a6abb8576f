/** The rules of circuit breakers, R1 to R4, as tables and over random stories. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  admit,
  type Admission,
  type Breaker,
  type BreakerOptions,
  breakerState,
  closed,
  lookInMs,
  opened,
  parseBreaker,
  type Pass,
  report,
  type Verdict,
} from "../../src/model/breaker.ts";

const POLICY = { failuresMax: 3, resetMs: 1_000 };
const OWNER = { rowId: 1, workerId: 2, fence: 3 };

/** One breaker, and what happens to it. */
type Scene = {
  breaker: Breaker | null;
  nowMs: number;
  probing: boolean;
  marks: number;
  readonly admit: (mark?: string) => Admission;
  readonly pass: () => Pass;
  readonly tell: (pass: Pass, verdict: Verdict) => Breaker | null;
  readonly fail: (count: number) => void;
  readonly state: () => string;
};

function openScene(): Scene {
  const scene: Scene = {
    breaker: null,
    nowMs: 10_000,
    probing: false,
    marks: 0,
    admit: (mark: string = `m${(scene.marks += 1)}`): Admission => {
      const { breaker, probing, nowMs } = scene;
      const admission = admit({ breaker, probing, held: true, nowMs }, "gateway", { mark, owner: OWNER });
      if (admission.kind === "admitted") scene.breaker = admission.row ?? breaker;
      return admission;
    },
    pass: (): Pass => {
      const admission = scene.admit();
      if (admission.kind === "refused") throw new RangeError("refused");
      return admission.pass;
    },
    tell: (pass: Pass, verdict: Verdict): Breaker | null => {
      const after = report(scene, pass, verdict, POLICY);
      scene.breaker = after ?? scene.breaker;
      return after;
    },
    fail: (count: number): void => {
      for (let index = 0; index < count; index += 1) scene.tell(scene.pass(), "failure");
    },
    state: (): string => breakerState(scene.breaker!, scene.nowMs),
  };
  return scene;
}

describe("a breaker", () => {
  it("opens with the last of so many failures in a row, and not before", () => {
    const scene = openScene();
    scene.fail(2);
    expect([scene.state(), scene.breaker?.failures]).toEqual(["closed", ["m1", "m2"]]);
    scene.tell(scene.pass(), "nothing");
    expect(scene.breaker?.failures).toHaveLength(2);
    scene.tell(scene.pass(), "success");
    expect(scene.breaker?.failures).toHaveLength(0);
    scene.fail(3);
    expect(scene.breaker).toMatchObject({ sinceMs: 10_000, openUntilMs: 11_000 });
    expect(scene.admit()).toEqual({ kind: "refused", probeInMs: 1_000 });
  });

  it("R1, R2: admits one probe when it is time, and another once that one's run is not held any more", () => {
    const scene = openScene();
    scene.fail(3);
    scene.nowMs = 10_999;
    expect(scene.admit()).toEqual({ kind: "refused", probeInMs: 1 });
    scene.nowMs = 11_000;
    const first = scene.pass();
    scene.probing = true;
    expect(scene.admit()).toEqual({ kind: "refused", probeInMs: 0 });
    scene.probing = false;
    const second = scene.pass();
    expect(scene.tell(first, "success")).toBe(null);
    scene.tell(second, "success");
    expect([scene.state(), scene.breaker]).toMatchObject(["closed", { failures: [], probe: null, sinceMs: 11_000 }]);
  });

  it("a probe that fails opens it as long as before, and stays so since the first time; one that was stopped does not", () => {
    const scene = openScene();
    scene.fail(3);
    scene.nowMs = 12_000;
    scene.tell(scene.pass(), "nothing");
    expect([scene.state(), scene.breaker?.probe]).toEqual(["half-open", null]);
    scene.tell(scene.pass(), "failure");
    expect(scene.breaker).toMatchObject({ sinceMs: 10_000, openUntilMs: 13_000, probe: null });
  });

  it("R3: what was admitted under another state says nothing", () => {
    const scene = openScene();
    const early = [scene.pass(), scene.pass(), scene.pass()];
    scene.fail(3);
    for (const verdict of ["success", "failure", "nothing"] as const) expect(scene.tell(early[0]!, verdict)).toBe(null);
    scene.breaker = closed(scene.breaker!, scene.nowMs);
    expect(scene.tell(early[1]!, "failure")).toBe(null);
    scene.breaker = opened(scene.breaker, scene.nowMs, 0);
    const probe = scene.pass();
    scene.breaker = opened(scene.breaker, scene.nowMs, 5_000);
    expect(scene.tell(probe, "success")).toBe(null);
    expect(scene.state()).toBe("open");
  });

  it("R4: an admission and a report that are repeated count once", () => {
    const scene = openScene();
    const pass = scene.pass();
    expect(scene.tell(pass, "failure")?.failures).toHaveLength(1);
    expect(scene.tell(pass, "failure")).toBe(null);
    scene.fail(2);
    scene.nowMs = 11_000;
    const probe = scene.admit("probe");
    scene.probing = true;
    expect(scene.admit("probe")).toEqual({ ...probe, row: null });
    expect(scene.admit("other").kind).toBe("refused");
  });

  it("each change is the next revision, and what changes the state is the next epoch", () => {
    const verdicts = fc.constantFrom<Verdict>("success", "failure", "nothing");
    const steps = fc.array(fc.record({ verdict: verdicts, waitMs: fc.constantFrom(0, 400, 1_000) }), { maxLength: 40 });
    fc.assert(
      fc.property(steps, (story) => {
        const scene = openScene();
        for (const { verdict, waitMs } of story) {
          const before = scene.breaker;
          const admission = scene.admit();
          const admitted = scene.breaker;
          expect(admitted!.revision - (before?.revision ?? 0)).toBe(admitted === before ? 0 : 1);
          if (admission.kind === "admitted") {
            const after = scene.tell(admission.pass, verdict);
            if (after !== null) expect(after.revision).toBe(admitted!.revision + 1);
            const moved = (after?.openUntilMs ?? null) !== admitted!.openUntilMs && after !== null;
            if (moved) expect(after.epoch).toBe(admitted!.epoch + 1);
          }
          expect(scene.breaker!.failures.length < POLICY.failuresMax || scene.state() !== "closed").toBe(true);
          scene.nowMs += waitMs;
        }
      }),
    );
  });
});

describe("parseBreaker", () => {
  const GIVEN: BreakerOptions = { name: "gateway", failures: 5, reset: "1m" };

  it("waits unless told otherwise", () => {
    const parsed = { name: "gateway", failuresMax: 5, resetMs: 60_000 };
    expect(parseBreaker(GIVEN, "step")).toEqual({ ...parsed, open: "wait" });
    expect(parseBreaker({ ...GIVEN, open: "fail" }, "step")).toEqual({ ...parsed, open: "fail" });
  });

  it.each([
    [{ name: 7 }, "name must be a text of 1 to 200 characters, none of them a control character, got 7"],
    [{ name: "x".repeat(201) }, "name must be"],
    [{ name: "a\u0000" }, "name must be"],
    [{ name: "\ud800" }, "name must be"],
    [{ failures: 1.5 }, "failures must be a whole number from 1 to 1000, got 1.5"],
    [{ failures: undefined }, "failures must be"],
    [{ reset: 0 }, "reset must be longer than nothing, got 0"],
    [{ reset: "soon" }, 'reset of circuitBreaker of step: "soon" cannot be read'],
    [{ open: null }, 'open must be "wait" or "fail", got null'],
    [{ failure: 5 }, 'there is no option "failure"; did you mean "failures"?'],
  ])("refuses %j", (options, text) => {
    expect(() => parseBreaker({ ...GIVEN, ...options } as BreakerOptions, "step")).toThrow(text);
  });
});

describe("lookInMs", () => {
  it.each([
    [30_000, 60_000, 0, 30_000],
    [30_000, 60_000, 0.5, 32_500],
    [30_000, 10_000, 0.5, 30_500],
    [3_600_000, 3_600_000, 0, 60_000],
    [0, 60_000, 0, 5_000],
    [0, 60_000, 0.5, 7_500],
    [0, 50, 0.5, 15],
    [1, 50, 0, 1],
  ])("a probe in %i ms, reset %i, fraction %d: %i", (probeInMs, resetMs, fraction, expected) => {
    expect(lookInMs(probeInMs, resetMs, fraction)).toBe(expected);
  });
});
