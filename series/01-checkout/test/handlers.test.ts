/** Each handler by itself: its faults, its calls, and the same effect when it runs twice. No engine. */
import type { Handler, StepContext } from "stepwell";
import { afterEach, describe, expect, it } from "vitest";
import { openClients } from "../../growthcorp/world/clients.ts";
import { planFault } from "../../growthcorp/world/fault.ts";
import { countEffects, listCalls } from "../../growthcorp/world/ledger.ts";
import { closeWorld, openWorld, type World } from "../../growthcorp/world/world.ts";
import { describeError } from "../../growthcorp/timeline.ts";
import { createOrder } from "../handlers/create-order.ts";
import { processPayment } from "../handlers/process-payment.ts";
import { sendConfirmation } from "../handlers/send-confirmation.ts";
import { updateInventory } from "../handlers/update-inventory.ts";
import { validateCart } from "../handlers/validate-cart.ts";
import { pacingFrom } from "../pacing.ts";
import { sampleOrder } from "../sample-order.ts";
import { cancelOrder, refundPayment, releaseInventory, voidPayment } from "../undo.ts";

const PACING = pacingFrom(1);
let world: World;
function open() {
  world = openWorld({
    path: ":memory:",
    nowMs: () => 1_763_640_000_000,
    pace: { answerMs: 0, timeoutMs: 0, retryAfterMs: 9 },
  });
  return openClients(world);
}
afterEach(() => closeWorld(world));

const context = (step: string): StepContext => ({
  idempotencyKey: `run:${step}`,
  signal: new AbortController().signal,
  attempt: 1,
  step,
  runId: "order:1",
  workflow: "ecommerce/process_order",
  heartbeat: () => {},
  lastHeartbeat: undefined,
});

/** Validate as the engine does, then work. */
async function perform<Raw, Output>(handler: Handler<Raw, Output>, raw: Raw): Promise<Output> {
  const checked = await handler.input["~standard"].validate(raw);
  if (checked.issues !== undefined) throw new Error(`input: ${checked.issues[0]?.message}`);
  return handler.work(checked.value as never, context(handler.name));
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "ok",
    (error: unknown) => `${(error as Error).name} ${describeError(error).code}`,
  );

const cartOf = (items: unknown) => ({ cart_items: items, tier: "standard", priority: "standard" }) as never;
const mouse = { product_id: "mouse", quantity: 1, price: 2_999 };
const payment_info = sampleOrder().payment_info;

describe("attempts", () => {
  it("are those of the chapter", () => {
    const { gateways, inventory, orders, mailer } = open();
    expect(validateCart(inventory, PACING).retry.attemptsMax).toBe(3);
    expect(processPayment(gateways.primary, PACING).retry.attemptsMax).toBe(3);
    expect(updateInventory(inventory, PACING).retry.attemptsMax).toBe(2);
    expect(createOrder(orders, PACING).retry.attemptsMax).toBe(3);
    expect(sendConfirmation(mailer, PACING).retry.attemptsMax).toBe(5);
  });
});

describe("validate_cart", () => {
  it("prices the golden cart", async () => {
    const { inventory } = open();
    const items = [
      { ...mouse, quantity: 2 },
      { product_id: "keyboard", quantity: 1, price: 4_999 },
    ];
    const cart = await perform(validateCart(inventory, PACING), cartOf(items));
    expect(cart).toMatchObject({ subtotal: 10_997, tax: 880, shipping: 599, total: 12_476 });
  });

  it.each([
    ["PermanentError CART_EMPTY", []],
    ["PermanentError PRODUCT_MISSING", [{ ...mouse, product_id: " " }]],
    ["PermanentError PRODUCT_UNKNOWN", [{ ...mouse, product_id: "unicorn" }]],
    ["PermanentError PRODUCT_INACTIVE", [{ product_id: "modem", quantity: 1, price: 3_900 }]],
    ["PermanentError QUANTITY_BAD", [{ ...mouse, quantity: 0 }]],
    ["PermanentError QUANTITY_BAD", [{ ...mouse, quantity: -1 }]],
    ["PermanentError QUANTITY_BAD", [{ ...mouse, quantity: 1.5 }]],
    ["PermanentError QUANTITY_BAD", [{ ...mouse, quantity: 101 }]],
    ["PermanentError PRICE_CHANGED", [{ ...mouse, price: 1 }]],
    ["RetryableError STOCK_INSUFFICIENT", [{ product_id: "camera", quantity: 2, price: 42_000 }]],
    ["RetryableError STOCK_INSUFFICIENT", Array.from({ length: 5 }, () => ({ ...mouse, quantity: 90 }))],
  ])("says %s for %j", async (code, items) => {
    const { inventory } = open();
    expect(await codeOf(perform(validateCart(inventory, PACING), cartOf(items)))).toBe(code);
  });
});

describe("process_payment", () => {
  const paying = (change: object) =>
    ({ payment_info: { ...payment_info, ...change }, total: payment_info.amount, charge_key: "k" }) as never;

  it("charges once when it runs twice", async () => {
    const { gateways } = open();
    const handler = processPayment(gateways.primary, PACING);
    const first = await perform(handler, paying({}));
    expect(await perform(handler, paying({}))).toEqual(first);
    expect(first).toMatchObject({ amount: 12_476, gateway: "gateway-primary" });
    expect(countEffects(world).charges).toBe(1);
  });

  it.each([
    ["PermanentError PAYMENT_TOKEN_MISSING", { token: "" }],
    ["PermanentError PAYMENT_AMOUNT_MISMATCH", { amount: 12_475 }],
  ])("says %s before it calls anybody", async (code, change) => {
    const { gateways } = open();
    expect(await codeOf(perform(processPayment(gateways.primary, PACING), paying(change)))).toBe(code);
    expect(listCalls(world)).toEqual([]);
  });

  it.each([
    ["test_insufficient", "PermanentError PAYMENT_INSUFFICIENT_FUNDS"],
    ["test_declined", "PermanentError PAYMENT_CARD_DECLINED"],
    ["test_invalid", "PermanentError PAYMENT_INVALID_CARD"],
    ["test_timeout", "RetryableError GATEWAY_TIMEOUT"],
    ["test_rate_limit", "RetryableError GATEWAY_RATE_LIMITED"],
    ["test_unavailable", "RetryableError GATEWAY_UNAVAILABLE"],
  ])("turns the token %s into %s", async (token, code) => {
    const { gateways } = open();
    expect(await codeOf(perform(processPayment(gateways.primary, PACING), paying({ token })))).toBe(code);
  });

  it("is undone once, at the gateway that charged, also when somebody has refunded by hand", async () => {
    const { gateways } = open();
    const paid = await perform(processPayment(gateways.fallback, PACING), paying({}));
    const undo = refundPayment(gateways);
    expect(await undo(paid, context("undo"))).toEqual({ refunded: 12_476 });
    expect(await undo(paid, context("undo"))).toEqual({ refunded: 12_476 });
    expect(await undo(paid, context("by hand"))).toEqual({ refunded: 12_476, earlier: true });
    expect(countEffects(world)).toMatchObject({ charges: 1, refunds: 1 });
    expect(listCalls(world).every((call) => call.service === "gateway-fallback")).toBe(true);
  });

  it("can be voided by its key", async () => {
    const { gateways } = open();
    await perform(processPayment(gateways.primary, PACING), paying({}));
    const closed = await voidPayment(gateways.primary)("k", context("void"));
    expect(closed).toEqual({ had_charged: true, gateway: "gateway-primary" });
    expect(countEffects(world)).toMatchObject({ charges: 1, refunds: 1, voids: 1 });
  });
});

describe("update_inventory", () => {
  const items = [{ product_id: "camera", quantity: 1 }];

  it("reserves once when it runs twice, and is undone once", async () => {
    const { inventory } = open();
    const handler = updateInventory(inventory, PACING);
    const input = { items, customer_id: "c", hold_key: "h" };
    const first = await perform(handler, input);
    expect(await perform(handler, input)).toEqual(first);
    expect(first.reservations[0]?.expires_at_ms).toBe(1_763_640_000_000 + 15 * 60_000);
    const undo = releaseInventory(inventory);
    await undo("h", context("undo"));
    await undo("h", context("undo"));
    expect(countEffects(world)).toMatchObject({ reservations: 1, releases: 1 });
  });

  it.each([
    ["PermanentError RESERVATION_DATA_MISSING", { items: [], customer_id: "c", hold_key: "h" }],
    ["PermanentError RESERVATION_DATA_MISSING", { items, customer_id: "", hold_key: "h" }],
    [
      "RetryableError STOCK_NOT_AVAILABLE",
      { items: [{ product_id: "camera", quantity: 2 }], customer_id: "c", hold_key: "h" },
    ],
  ])("says %s for %j", async (code, input) => {
    const { inventory } = open();
    expect(await codeOf(perform(updateInventory(inventory, PACING), input))).toBe(code);
  });
});

describe("create_order", () => {
  const cart = {
    items: [{ ...mouse, name: "M", line_total: 2_999 }],
    subtotal: 2_999,
    tax: 240,
    shipping: 599,
    total: 3_838,
  };
  const payment = { payment_id: "p", transaction_id: "t", amount: 3_838, gateway: "gateway-primary" } as const;
  const placing = {
    customer: sampleOrder().customer_info,
    cart,
    payment,
    currency: "USD",
    reservation_ids: ["r"],
    address: "a",
    ordered_at: new Date(Date.UTC(2026, 10, 20)),
    order_key: "o",
  } as const;
  const input = () => ({ ...placing, reservation_ids: ["r"] });

  it("writes one order when it runs twice, dated by the run, and is undone", async () => {
    const { orders } = open();
    const handler = createOrder(orders, PACING);
    const first = await perform(handler, input());
    expect(await perform(handler, input())).toEqual(first);
    expect(first.order_id).toMatch(/^ORD-20261120-[0-9A-F]{8}$/);
    expect(first).toMatchObject({ total: 3_838, status: "confirmed", estimated_delivery: "2026-11-27" });
    await cancelOrder(orders)("o", context("undo"));
    expect(countEffects(world)).toMatchObject({ orders: 1, cancellations: 1 });
  });

  it("refuses an order that was paid with another amount", async () => {
    const { orders } = open();
    const short = { ...input(), payment: { ...payment, amount: 1 } };
    expect(await codeOf(perform(createOrder(orders, PACING), short))).toBe("PermanentError ORDER_INVALID");
    expect(listCalls(world)).toEqual([]);
  });

  it("tries again after a deadlock", async () => {
    const { orders } = open();
    planFault(world.db, {
      service: "orders",
      operation: "insert",
      times: 1,
      trouble: { kind: "refuse", code: "deadlock" },
    });
    const handler = createOrder(orders, PACING);
    expect(await codeOf(perform(handler, input()))).toBe("RetryableError ORDERS_DEADLOCK");
    expect(await codeOf(perform(handler, input()))).toBe("ok");
  });
});

describe("send_confirmation", () => {
  const mail = {
    email: "nora@example.com",
    name: "Nora",
    order_id: "ORD-20261120-00000000",
    total: 12_476,
    currency: "GBP",
    estimated_delivery: "2026-11-27",
  } as const;

  it("sends one mail when it runs twice, with the total in the order's currency", async () => {
    const { mailer } = open();
    const handler = sendConfirmation(mailer, PACING);
    const first = await perform(handler, mail);
    expect(await perform(handler, mail)).toEqual(first);
    expect(first.sent_at).toEqual(new Date(1_763_640_000_000));
    expect(countEffects(world).emails).toBe(1);
    const [call] = world.db.prepare("SELECT request FROM calls").all();
    expect(JSON.parse(call?.request as string)).toMatchObject({
      to: "nora@example.com",
      subject: "Order ORD-20261120-00000000 is confirmed",
      body: expect.stringContaining("£124.76"),
    });
  });

  it("gives up on a mailbox that does not exist", async () => {
    const { mailer } = open();
    const lost = perform(sendConfirmation(mailer, PACING), { ...mail, email: "nobody@example.com" });
    expect(await codeOf(lost)).toBe("PermanentError EMAIL_INVALID");
  });
});
