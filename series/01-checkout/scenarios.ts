/**
 * Scenarios of chapter 1, as data: what goes wrong, and what must be true afterwards.
 * `npm run series -- 1 --scenario NAME` plays one, the tests play all.
 */
import type { Fault, ServiceName } from "../growthcorp/world/fault.ts";
import { type Effects, NO_EFFECTS } from "../growthcorp/world/ledger.ts";
import type { OrderInput } from "./domain.ts";
import { sampleOrder } from "./sample-order.ts";

/** Where a worker process is killed with -9: when this call has arrived, or when it was acted on and not yet answered. */
export type Kill = {
  readonly service: ServiceName;
  readonly operation: string;
  readonly moment: "before" | "after";
};

/** One story. */
export type Scenario = {
  readonly name: string;
  /** One sentence for the reader. */
  readonly shows: string;
  readonly order: OrderInput;
  readonly faults: readonly Fault[];
  /** How often the same order is submitted; once by default. */
  readonly submissions?: number;
  readonly kill?: Kill;
  readonly expected: {
    readonly state: "completed" | "failed";
    /** Code of the error that ended a failed run. */
    readonly error?: string;
    readonly effects: Effects;
    /** What stayed with GrowthCorp in the end, in cents. */
    readonly kept: number;
    /** Calls of an operation that the log must show. */
    readonly calls?: Readonly<Record<string, number>>;
  };
};

const SOLD: Effects = { ...NO_EFFECTS, charges: 1, reservations: 1, orders: 1, emails: 1 };
const REFUNDED: Effects = { ...NO_EFFECTS, charges: 1, refunds: 1 };
const GOLDEN_TOTAL = 12_476;

const sold = (kept: number, more: Partial<Effects> = {}): Scenario["expected"] => ({
  state: "completed",
  effects: { ...SOLD, ...more },
  kept,
});
const failed = (error: string, effects: Effects = NO_EFFECTS): Scenario["expected"] => ({
  state: "failed",
  error,
  effects,
  kept: 0,
});

const always = (service: ServiceName, operation: string, code: string): Fault => ({
  service,
  operation,
  times: "always",
  trouble: { kind: "refuse", code },
});
const loseAnswers = (service: ServiceName, operation: string, times: number): Fault => ({
  service,
  operation,
  times,
  trouble: { kind: "lose_answer" },
});
const SOLD_OUT: Fault = {
  service: "inventory",
  operation: "reserve",
  times: 1,
  trouble: { kind: "sell_out", productId: "keyboard" },
};

const PAID: readonly Scenario[] = [
  {
    name: "happy",
    shows: "Nothing goes wrong: one charge, one order, one e-mail.",
    order: sampleOrder(),
    faults: [],
    expected: sold(GOLDEN_TOTAL),
  },
  {
    name: "premium",
    shows: "A premium customer ships free, 21 pieces or not.",
    order: sampleOrder({ customer: "cust-02", cart: { cable: 12, mat: 9 }, method: "paypal" }),
    faults: [],
    expected: sold(35_578),
  },
  {
    name: "express",
    shows: "Express adds 10.00 to the shipping.",
    order: sampleOrder({
      customer: "cust-04",
      cart: { lamp: 1, webcam: 2 },
      priority: "express",
      method: "debit_card",
    }),
    faults: [],
    expected: sold(23_615),
  },
  {
    name: "gateway-timeout",
    shows: "The gateway times out twice and then answers: three calls, one charge.",
    order: sampleOrder({ token: "test_timeout" }),
    faults: [],
    expected: { ...sold(GOLDEN_TOTAL), calls: { charge: 3 } },
  },
  {
    name: "answer-lost",
    shows: "The gateway charges and its answer is lost: the second call has the same key and charges nothing.",
    order: sampleOrder(),
    faults: [loseAnswers("gateway-primary", "charge", 1)],
    expected: { ...sold(GOLDEN_TOTAL), calls: { charge: 2 } },
  },
  {
    name: "rate-limited",
    shows: "The gateway says 429 with Retry-After: the step waits as long as it was told.",
    order: sampleOrder({ token: "test_rate_limit" }),
    faults: [],
    expected: { ...sold(GOLDEN_TOTAL), calls: { charge: 2 } },
  },
  {
    name: "email-down",
    shows: "The mail service is down for three calls: the order stands and the mail comes late, once.",
    order: sampleOrder({ customer: "cust-05", cart: { dock: 1 } }),
    faults: [{ service: "mailer", operation: "send", times: 3, trouble: { kind: "refuse", code: "unavailable" } }],
    expected: { ...sold(15_611), calls: { send: 4 } },
  },
  {
    name: "duplicate-submission",
    shows: "The customer clicks three times: the same id is the same run.",
    order: sampleOrder(),
    faults: [],
    submissions: 3,
    expected: { ...sold(GOLDEN_TOTAL), calls: { charge: 1 } },
  },
];

const FALLEN_BACK: readonly Scenario[] = [
  {
    name: "gateway-down",
    shows: "The primary gateway stays unavailable: the second one takes the payment.",
    order: sampleOrder({ token: "test_unavailable" }),
    faults: [],
    expected: { ...sold(GOLDEN_TOTAL, { voids: 1 }), calls: { charge: 4 } },
  },
  {
    name: "gateway-down-charged",
    shows: "All answers of the primary are lost, and it has charged: its key is voided before the second one charges.",
    order: sampleOrder(),
    faults: [loseAnswers("gateway-primary", "charge", 3)],
    expected: sold(GOLDEN_TOTAL, { charges: 2, refunds: 1, voids: 1 }),
  },
  {
    name: "gateway-dark",
    shows: "The primary does not even take the void at first: nobody else charges before it has.",
    order: sampleOrder(),
    faults: [
      always("gateway-primary", "charge", "timeout"),
      { service: "gateway-primary", operation: "void", times: 2, trouble: { kind: "refuse", code: "unavailable" } },
    ],
    expected: { ...sold(GOLDEN_TOTAL, { voids: 1 }), calls: { void: 3, charge: 4 } },
  },
  {
    name: "fallback-refund",
    shows: "Stock runs out after the second gateway charged: that one gives the money back.",
    order: sampleOrder({ token: "test_unavailable" }),
    faults: [SOLD_OUT],
    expected: failed("STOCK_NOT_AVAILABLE", { ...REFUNDED, voids: 1 }),
  },
  {
    name: "both-gateways-down",
    shows: "Both gateways are out: the run fails, and both keys are closed.",
    order: sampleOrder(),
    faults: [loseAnswers("gateway-primary", "charge", 3), always("gateway-fallback", "charge", "unavailable")],
    expected: failed("GATEWAY_UNAVAILABLE", { ...REFUNDED, voids: 2 }),
  },
];

const REFUSED: readonly Scenario[] = [
  {
    name: "declined",
    shows: "The bank says no: one call, no second gateway, nothing to undo.",
    order: sampleOrder({ token: "test_declined" }),
    faults: [],
    expected: { ...failed("PAYMENT_CARD_DECLINED"), calls: { charge: 1 } },
  },
  {
    name: "insufficient-funds",
    shows: "Too little money in the account: permanent, so it is not tried again.",
    order: sampleOrder({ token: "test_insufficient", method: "debit_card" }),
    faults: [],
    expected: { ...failed("PAYMENT_INSUFFICIENT_FUNDS"), calls: { charge: 1 } },
  },
  {
    name: "amount-mismatch",
    shows: "The browser's amount is a cent short: refused before any gateway is called.",
    order: sampleOrder({ amount: GOLDEN_TOTAL - 1 }),
    faults: [],
    expected: { ...failed("PAYMENT_AMOUNT_MISMATCH"), calls: { charge: 0 } },
  },
  {
    name: "out-of-stock",
    shows: "Too few pieces from the start: tried three times, nothing was charged.",
    order: sampleOrder({ cart: { camera: 2 } }),
    faults: [],
    expected: { ...failed("STOCK_INSUFFICIENT"), calls: { look: 3, charge: 0 } },
  },
  {
    name: "out-of-stock-after-payment",
    shows: "Somebody else buys the last keyboard after the payment: refunded, once.",
    order: sampleOrder(),
    faults: [SOLD_OUT],
    expected: { ...failed("STOCK_NOT_AVAILABLE", REFUNDED), calls: { charge: 1, refund: 1 } },
  },
  {
    name: "order-refused",
    shows: "The orders database refuses for good: pieces back on the shelf, money back, in that order.",
    order: sampleOrder({ customer: "cust-03", cart: { headset: 3 } }),
    faults: [always("orders", "insert", "invalid_order")],
    expected: failed("ORDER_INVALID", { ...REFUNDED, reservations: 1, releases: 1 }),
  },
  {
    name: "email-refused",
    shows: "The mailbox does not exist: everything is undone, the order too.",
    order: sampleOrder({ email: "nobody@example.com" }),
    faults: [],
    expected: failed("EMAIL_INVALID", { ...REFUNDED, reservations: 1, releases: 1, orders: 1, cancellations: 1 }),
  },
  {
    name: "reservation-unknown",
    shows: "The warehouse reserves and its answers are lost: what it may hold is released before the refund.",
    order: sampleOrder(),
    faults: [loseAnswers("inventory", "reserve", 2)],
    expected: failed("INVENTORY_TIMEOUT", { ...REFUNDED, reservations: 1, releases: 1 }),
  },
  {
    name: "order-unknown",
    shows: "The orders database writes and its answers are lost: no order stays behind for a payment given back.",
    order: sampleOrder(),
    faults: [loseAnswers("orders", "insert", 3)],
    expected: failed("ORDERS_TIMEOUT", { ...REFUNDED, reservations: 1, releases: 1, orders: 1, cancellations: 1 }),
  },
  {
    name: "refund-needs-patience",
    shows: "The gateway does not answer the first two refunds: the third one is the only one that moves money.",
    order: sampleOrder(),
    faults: [SOLD_OUT, loseAnswers("gateway-primary", "refund", 2)],
    expected: { ...failed("STOCK_NOT_AVAILABLE", REFUNDED), calls: { refund: 3 } },
  },
];

const STEP_CALLS: readonly (readonly [step: string, service: ServiceName, operation: string])[] = [
  ["validate_cart", "inventory", "look"],
  ["process_payment", "gateway-primary", "charge"],
  ["update_inventory", "inventory", "reserve"],
  ["create_order", "orders", "insert"],
  ["send_confirmation", "mailer", "send"],
];

const KILLED: readonly Scenario[] = STEP_CALLS.flatMap(([step, service, operation]) =>
  (["before", "after"] as const).map((moment) => ({
    name: `kill-${moment}-${step}`,
    shows: `The worker is killed with -9 in ${step}, ${moment} the effect; a new one goes on.`,
    order: sampleOrder(),
    faults: [],
    kill: { service, operation, moment },
    expected: { ...sold(GOLDEN_TOTAL), calls: { [operation]: 2 } },
  })),
);

const KILLED_UNDOING: readonly Scenario[] = [
  ...(["before", "after"] as const).map((moment) => ({
    name: `kill-${moment}-refund`,
    shows: `The worker is killed with -9 while it refunds, ${moment} the effect; the refund happens once.`,
    order: sampleOrder(),
    faults: [SOLD_OUT],
    kill: { service: "gateway-primary", operation: "refund", moment } as const,
    expected: { ...failed("STOCK_NOT_AVAILABLE", REFUNDED), calls: { refund: 2 } },
  })),
  {
    name: "kill-after-release",
    shows: "The worker is killed with -9 between two undoings: the first is not repeated, the second not forgotten.",
    order: sampleOrder(),
    faults: [always("orders", "insert", "invalid_order")],
    kill: { service: "inventory", operation: "release", moment: "after" },
    expected: failed("ORDER_INVALID", { ...REFUNDED, reservations: 1, releases: 1 }),
  },
  {
    name: "kill-after-void",
    shows: "The worker is killed with -9 after the void, before the second gateway: still one payment kept.",
    order: sampleOrder(),
    faults: [loseAnswers("gateway-primary", "charge", 3)],
    kill: { service: "gateway-primary", operation: "void", moment: "after" },
    expected: sold(GOLDEN_TOTAL, { charges: 2, refunds: 1, voids: 1 }),
  },
];

/** All of them, in the order of the README. */
export const SCENARIOS: readonly Scenario[] = [...PAID, ...FALLEN_BACK, ...REFUSED, ...KILLED, ...KILLED_UNDOING];
