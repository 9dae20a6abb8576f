/**
 * Fragile: the checkout that GrowthCorp had on the night of the sale. Kept for its faults,
 * which test/fragile.test.ts holds on to:
 *
 *   - every attempt is a new charge, so a lost answer or a crash charges twice;
 *   - what fails after the payment leaves the money taken.
 */
import type { Answer, Clients } from "../growthcorp/clients.ts";
import { getProduct } from "../growthcorp/catalogue.ts";
import { type OrderInput, priceCart } from "./domain.ts";

const ATTEMPTS = 3;

/**
 * Take an order, as people write it at first.
 *
 * @param freshKey a new text at every call; a gateway cannot tell one such charge from another
 * @returns the order's id
 */
export async function fragileCheckout(
  services: Clients,
  id: string,
  order: OrderInput,
  freshKey: () => string,
): Promise<string> {
  const call = () => ({ idempotencyKey: freshKey(), reference: id });
  const { payment_info: payment, customer_info: customer } = order;
  const lines = order.cart_items.map(({ product_id, quantity, price }) => {
    return { product_id, quantity, price, name: getProduct(product_id).name };
  });
  const { total } = priceCart(lines, { tier: customer.tier, priority: order.priority ?? "standard" });

  const { method, currency, token } = payment;
  const charge = { amount: total, currency, method, token };
  const { payment_id } = await retry(() => services.gateways.primary.charge(charge, call()));
  const hold = { customer_id: customer.id, lines, hold_ms: 900_000 };
  const { reservations } = await retry(() => services.inventory.reserve(hold, call()));
  const reservation_ids = reservations.map((reservation) => reservation.reservation_id);
  const ids = { customer_id: customer.id, payment_id, reservation_ids };
  const row = { ...ids, lines, total, currency, address: order.shipping_info.address, ordered_at_ms: 0 };
  const { order_id } = await retry(() => services.orders.insert(row, call()));
  const mail = { to: customer.email, subject: `Order ${order_id}`, body: "Thank you." };
  await retry(() => services.mailer.send(mail, call()));
  return order_id;
}

async function retry<Value>(work: () => Promise<Answer<Value, string>>): Promise<Value> {
  let message = "";
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const answer = await work();
    if (answer.ok) return answer.value;
    message = answer.message;
  }
  throw new Error(message);
}
