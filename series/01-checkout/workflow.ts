/**
 * Checkout: `ecommerce/process_order@1.0.0`.
 *
 *     validate_cart ▸ process_payment ▸ update_inventory ▸ create_order ▸ send_confirmation
 *
 * If a step fails for good, everything before it is undone, last first: the order is
 * cancelled, the pieces go back on the shelf, the payment is refunded once.
 */
import { workflow } from "stepwell";
import type { Clients } from "../growthcorp/clients.ts";
import { succeedOrClose } from "./certainty.ts";
import { Order } from "./domain.ts";
import { createOrder } from "./handlers/create-order.ts";
import { sendConfirmation } from "./handlers/send-confirmation.ts";
import { updateInventory } from "./handlers/update-inventory.ts";
import { validateCart } from "./handlers/validate-cart.ts";
import { pacingFrom } from "./pacing.ts";
import { openPayment } from "./payment.ts";
import { cancelOrder, releaseInventory } from "./undo.ts";

/** Options of {@link processOrder}. */
export type CheckoutOptions = {
  /** Wait before the second attempt of a step; doubles from there. One second by default. */
  readonly retryBase?: number | string;
};

/** The checkout, for these services. */
export function processOrder(services: Clients, options: CheckoutOptions = {}) {
  const pacing = pacingFrom(options.retryBase ?? "1s");
  const validate = validateCart(services.inventory, pacing);
  const takePayment = openPayment(services.gateways, pacing);
  const reserve = updateInventory(services.inventory, pacing);
  const create = createOrder(services.orders, pacing);
  const confirm = sendConfirmation(services.mailer, pacing);
  const release = releaseInventory(services.inventory);
  const cancel = cancelOrder(services.orders);
  const definition = { version: "1.0.0", description: "Take an order: pay, reserve, write, confirm.", input: Order };

  return workflow("ecommerce/process_order", definition, async (ctx, order) => {
    const { cart_items, payment_info, customer_info: customer, shipping_info, priority } = order;
    const { currency } = payment_info;

    const cart = await ctx.step(validate, { cart_items, tier: customer.tier, priority });
    const payment = await takePayment(ctx, { payment_info, total: cart.total });
    const hold_key = ctx.uuid("hold");
    const { reservations } = await succeedOrClose(
      ctx
        .step(reserve, { items: cart.items, customer_id: customer.id, hold_key })
        .compensate((_, s) => release(hold_key, s), pacing.patient)
        .settle(),
      () => ctx.step("release_inventory", (s) => release(hold_key, s)).retry(pacing.patient),
    );

    const reservation_ids = reservations.map((reservation) => reservation.reservation_id);
    const ordered_at = await ctx.now("ordered_at");
    const order_key = ctx.uuid("order");
    const address = shipping_info.address;
    const placed = await succeedOrClose(
      ctx
        .step(create, { customer, cart, payment, currency, reservation_ids, address, ordered_at, order_key })
        .compensate((_, s) => cancel(order_key, s), pacing.patient)
        .settle(),
      () => ctx.step("cancel_order", (s) => cancel(order_key, s)).retry(pacing.patient),
    );

    const { email, name } = customer;
    const mail = await ctx.step(confirm, { ...placed, email, name, currency });
    return { ...placed, payment_id: payment.payment_id, gateway: payment.gateway, message_id: mail.message_id };
  });
}
