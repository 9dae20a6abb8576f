/**
 * Cast of the demo: six orders, what befalls them, and what must be true in the end.
 */
import type { Fault } from "../growthcorp/world/fault.ts";
import type { Pace } from "../growthcorp/world/world.ts";
import { sampleOrder } from "./sample-order.ts";
import type { Submission } from "./worker-process.ts";

/** `paid`: one charge, one order, one e-mail. `declined`: nothing. `refunded`: one charge, one refund. */
export type Fate = "paid" | "declined" | "refunded";

/** One order of the demo. */
export type Role = Submission & {
  readonly fate: Fate;
  readonly about: string;
  /** The operation during which its worker is killed: the service has acted, and the answer is on its way. */
  readonly killedDuring?: "charge" | "insert";
};

/** Slow enough to watch. */
export const DEMO_PACE: Pace = { answerMs: 220, timeoutMs: 400, retryAfterMs: 500 };

/** First wait between attempts, in milliseconds. */
export const DEMO_RETRY_BASE_MS = 400;

/** The order during whose charge the worker is killed. */
export const KILLED_ID = "order:1001";

/** All orders, submitted at once. */
export const CAST: readonly Role[] = [
  {
    id: KILLED_ID,
    fate: "paid",
    about: "the worker dies right after the charge",
    killedDuring: "charge",
    order: sampleOrder(),
  },
  {
    id: "order:1002",
    fate: "declined",
    about: "the bank declines the card",
    order: sampleOrder({ customer: "cust-04", cart: { webcam: 1, cable: 2 }, token: "test_declined" }),
  },
  {
    id: "order:1003",
    fate: "paid",
    about: "the gateway times out twice, then charges",
    order: sampleOrder({ customer: "cust-02", cart: { headset: 1 }, token: "test_timeout", method: "paypal" }),
  },
  {
    id: "order:1004",
    fate: "refunded",
    about: "the camera is sold elsewhere after the payment",
    order: sampleOrder({ customer: "cust-05", cart: { camera: 1 } }),
  },
  {
    id: "order:1005",
    fate: "paid",
    about: "express, and the mail service is down at first",
    order: sampleOrder({ customer: "cust-04", cart: { lamp: 2, mat: 1 }, priority: "express" }),
  },
  {
    id: "order:1006",
    fate: "paid",
    about: "the first gateway is down, the second charges",
    order: sampleOrder({ customer: "cust-03", cart: { dock: 4, cable: 4 }, token: "test_unavailable" }),
  },
];

/**
 * What goes wrong. Order 1001 is held up twice: before its charge, so that the kill finds the other orders at
 * different steps, and after it, so that the kill finds the gateway's answer under way.
 */
export const DEMO_FAULTS: readonly Fault[] = [
  {
    service: "inventory",
    operation: "look",
    reference: KILLED_ID,
    times: 1,
    trouble: { kind: "delay", moment: "before", delayMs: 560 },
  },
  {
    service: "gateway-primary",
    operation: "charge",
    reference: KILLED_ID,
    times: 1,
    trouble: { kind: "delay", moment: "after", delayMs: 5_000 },
  },
  {
    service: "inventory",
    operation: "reserve",
    reference: "order:1004",
    times: 1,
    trouble: { kind: "sell_out", productId: "camera" },
  },
  {
    service: "mailer",
    operation: "send",
    reference: "order:1005",
    times: 3,
    trouble: { kind: "refuse", code: "unavailable" },
  },
];
