/** Which "no" is worth another try, per service. */
import { PermanentError, RetryableError } from "stepwell";
import { describe, expect, it } from "vitest";
import type { GatewayCode, InventoryCode, MailerCode, OrdersCode } from "../../growthcorp/clients.ts";
import { gatewayValue, inventoryValue, isOutage, mailerValue, mayHaveActed, ordersValue } from "../failures.ts";

const refusal = <Code extends string>(code: Code, retryAfterMs: number | null = null) =>
  ({ ok: false, code, message: `said ${code}`, retryAfterMs }) as const;

function thrownBy(work: () => unknown): RetryableError | PermanentError {
  try {
    work();
  } catch (error) {
    return error as RetryableError | PermanentError;
  }
  throw new Error("nothing was thrown");
}

const GATEWAY: readonly (readonly [GatewayCode, "permanent" | "retryable"])[] = [
  ["insufficient_funds", "permanent"],
  ["card_declined", "permanent"],
  ["invalid_card", "permanent"],
  ["unauthorised", "permanent"],
  ["rate_limited", "retryable"],
  ["timeout", "retryable"],
  ["unavailable", "retryable"],
  ["network", "retryable"],
];
const INVENTORY: readonly (readonly [InventoryCode, "permanent" | "retryable"])[] = [
  ["not_available", "retryable"],
  ["reservation_failed", "retryable"],
  ["unknown_product", "permanent"],
  ["timeout", "retryable"],
];
const ORDERS: readonly (readonly [OrdersCode, "permanent" | "retryable"])[] = [
  ["invalid_order", "permanent"],
  ["deadlock", "retryable"],
  ["unavailable", "retryable"],
];
const MAILER: readonly (readonly [MailerCode, "permanent" | "retryable"])[] = [
  ["invalid_address", "permanent"],
  ["rate_limited", "retryable"],
  ["unavailable", "retryable"],
  ["timeout", "retryable"],
];

describe("failures", () => {
  it.each([
    ...GATEWAY.map(([code, kind]) => ["gateway", code, kind, () => gatewayValue(refusal(code))] as const),
    ...INVENTORY.map(([code, kind]) => ["inventory", code, kind, () => inventoryValue(refusal(code))] as const),
    ...ORDERS.map(([code, kind]) => ["orders", code, kind, () => ordersValue(refusal(code))] as const),
    ...MAILER.map(([code, kind]) => ["mailer", code, kind, () => mailerValue(refusal(code))] as const),
  ])("of the %s: %s is %s", (_service, code, kind, work) => {
    const thrown = thrownBy(work);
    expect(thrown).toBeInstanceOf(kind === "permanent" ? PermanentError : RetryableError);
    expect(thrown).toMatchObject({ message: `said ${code}`, code: expect.stringMatching(/^[A-Z_]+$/) });
  });

  it("come back when the service said, else after the chapter's 30 and 60 seconds", () => {
    expect(thrownBy(() => gatewayValue(refusal("rate_limited", 1_500)))).toMatchObject({ retryAfterMs: 1_500 });
    expect(thrownBy(() => gatewayValue(refusal("rate_limited")))).toMatchObject({ retryAfterMs: 30_000 });
    expect(thrownBy(() => mailerValue(refusal("rate_limited")))).toMatchObject({ retryAfterMs: 60_000 });
    expect(thrownBy(() => gatewayValue(refusal("timeout")))).not.toHaveProperty("retryAfterMs");
  });

  it("hand over the value of a yes", () => {
    expect(ordersValue({ ok: true, value: 7 })).toBe(7);
  });
});

describe("the last error of a step", () => {
  const permanent = (code: string) => ({ name: "PermanentError", code });
  const retryable = (code: string) => ({ name: "RetryableError", code });
  it.each<[verdict: string, error: { readonly name: string; readonly code?: string }]>([
    ["a refusal", permanent("PAYMENT_CARD_DECLINED")],
    ["a refusal", permanent("PAYMENT_INSUFFICIENT_FUNDS")],
    ["a refusal", permanent("PAYMENT_INVALID_CARD")],
    ["a refusal", permanent("PAYMENT_TOKEN_MISSING")],
    ["a refusal", permanent("PAYMENT_AMOUNT_MISMATCH")],
    ["a refusal", retryable("STOCK_NOT_AVAILABLE")],
    ["a refusal", permanent("ORDER_INVALID")],
    ["in doubt", permanent("GATEWAY_UNAUTHORISED")],
    ["in doubt", permanent("GATEWAY_KEY_CONFLICT")],
    ["in doubt, an outage", retryable("GATEWAY_TIMEOUT")],
    ["in doubt, an outage", retryable("GATEWAY_RATE_LIMITED")],
    ["in doubt, an outage", retryable("ORDERS_TIMEOUT")],
    ["in doubt, an outage", { name: "StepwellError", code: "STEP_TIMEOUT" }],
    ["in doubt, an outage", { name: "TypeError" }],
  ])("is %s for %o", (verdict, error) => {
    expect([mayHaveActed(error), isOutage(error)]).toEqual([verdict !== "a refusal", verdict.endsWith("outage")]);
  });
});
