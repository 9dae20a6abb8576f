/** A history reads as a story, on 60 columns as well. */
import pc from "picocolors";
import { describe, expect, it } from "vitest";
import { renderTimeline, type TimelineEvent } from "../timeline.ts";

const style = { paint: pc.createColors(false), columns: 60 };
const refused = Object.assign(new Error("the gateway said no"), { code: "GATEWAY_TIMEOUT" });

const HISTORY: readonly TimelineEvent[] = [
  { kind: "started", atMs: 1_000 },
  { kind: "step", step: "step", key: "validate_cart", outcome: "completed", attempt: 1, durationMs: 12, atMs: 1_012 },
  { kind: "attempt_failed", key: "process_payment", attempt: 1, error: refused, dueAtMs: 1_350, atMs: 1_100 },
  { kind: "note", note: "takeover", atMs: 1_300 },
  { kind: "step", step: "step", key: "process_payment", outcome: "completed", attempt: 2, durationMs: 80, atMs: 1_430 },
  { kind: "step", step: "now", key: "ordered_at", outcome: "completed", attempt: 1, durationMs: 0, atMs: 1_430 },
  { kind: "step", step: "step", key: "update_inventory", outcome: "failed", attempt: 2, value: refused, atMs: 2_000 },
  { kind: "note", note: "compensating", atMs: 2_010 },
  {
    kind: "step",
    step: "compensation",
    key: "@compensate/process_payment",
    outcome: "completed",
    durationMs: 1_500,
    atMs: 3_510,
  },
  { kind: "ended", state: "failed", value: refused, atMs: 3_520 },
];

describe("timeline", () => {
  it("tells steps, attempts, waits, takeover, undoing and end, in order", () => {
    expect(renderTimeline(HISTORY, style)).toEqual([
      "   0.00 s · started",
      "   0.01 s ✓ validate_cart               12 ms",
      "   0.10 s ✗ process_payment             attempt 1",
      "            GATEWAY_TIMEOUT: the gateway said no",
      "            again in 250 ms",
      "   0.30 s » a new worker takes over",
      "   0.43 s ✓ process_payment             80 ms, attempt 2",
      "   1.00 s ✗ update_inventory            attempt 2, the last",
      "            GATEWAY_TIMEOUT: the gateway said no",
      "   1.01 s ↩ undoing what was done",
      "   2.51 s ↩ process_payment undone      1.50 s",
      "   2.52 s ■ failed                      GATEWAY_TIMEOUT",
    ]);
  });

  it("stays within the width", () => {
    for (const line of renderTimeline(HISTORY, style)) expect(line.length).toBeLessThanOrEqual(60);
  });

  it("puts below what does not fit beside", () => {
    const value = Object.assign(new Error("too little"), { code: "PAYMENT_INSUFFICIENT_FUNDS" });
    expect(renderTimeline([{ kind: "ended", state: "failed", value, atMs: 0 }], style)).toEqual([
      "   0.00 s ■ failed",
      "            PAYMENT_INSUFFICIENT_FUNDS",
    ]);
  });

  it("shows what was thrown even when it was no error", () => {
    const event: TimelineEvent = {
      kind: "attempt_failed",
      key: "a",
      attempt: 1,
      error: "plain text",
      dueAtMs: null,
      atMs: 0,
    };
    expect(renderTimeline([event], style).join("\n")).toContain("Error: plain text");
  });
});
