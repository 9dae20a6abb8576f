/**
 * create_order: write the order into the orders database. The key is part of the input for the reason given in
 * process-payment.ts.
 */
import { handler, PermanentError } from "stepwell";
import { z } from "zod";
import type { Orders } from "../../growthcorp/clients.ts";
import { CURRENCIES } from "../../growthcorp/money.ts";
import { Cart, CustomerInfo, estimatedDelivery } from "../domain.ts";
import { ordersValue } from "../failures.ts";
import type { Pacing } from "../pacing.ts";
import { Payment } from "./process-payment.ts";

const Input = z.object({
  customer: CustomerInfo,
  cart: Cart,
  payment: Payment,
  currency: z.enum(CURRENCIES),
  reservation_ids: z.array(z.string()),
  address: z.string(),
  /** Decided by the run, not here: every attempt must write the same order. */
  ordered_at: z.date(),
  order_key: z.string().min(1),
});

/** The order as it was written; `total` in cents. */
export type PlacedOrder = {
  readonly order_id: string;
  readonly total: number;
  readonly status: "confirmed";
  /** `YYYY-MM-DD`. */
  readonly estimated_delivery: string;
};

/** 3 attempts. */
export function createOrder(orders: Orders, pacing: Pacing) {
  const options = { input: Input, attempts: 3, retry: pacing.retry, timeout: pacing.timeout };
  return handler("create_order", options, async (input, s): Promise<PlacedOrder> => {
    const orderedAtMs = input.ordered_at.getTime();
    const answer = await orders.insert(toNewOrder(input, orderedAtMs), {
      idempotencyKey: input.order_key,
      reference: s.runId,
    });
    const { order_id, status } = ordersValue(answer);
    return { order_id, total: input.cart.total, status, estimated_delivery: estimatedDelivery(orderedAtMs) };
  });
}

function toNewOrder(input: z.output<typeof Input>, orderedAtMs: number): Parameters<Orders["insert"]>[0] {
  const { customer, cart, payment, currency, reservation_ids, address } = input;
  if (payment.amount !== cart.total) {
    const message = `the order is over ${cart.total} cents, ${payment.amount} were paid`;
    throw new PermanentError(message, { code: "ORDER_INVALID" });
  }
  const lines = cart.items.map(({ product_id, quantity }) => ({ product_id, quantity }));
  const ids = { customer_id: customer.id, payment_id: payment.payment_id, reservation_ids };
  return { ...ids, lines, total: cart.total, currency, address, ordered_at_ms: orderedAtMs };
}
