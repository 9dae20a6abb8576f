/**
 * Undo: how each step with an effect is taken back. Used by `.compensate`, and to close a key whose fate is unknown
 * (certainty.ts). Each call has an idempotency key of its own, so that a crash in the middle undoes nothing twice.
 */
import type { StepContext } from "stepwell";
import type { CallOptions, Clients, Gateway } from "../growthcorp/clients.ts";
import { gatewayValue, inventoryValue, ordersValue } from "./failures.ts";
import type { Payment } from "./handlers/process-payment.ts";

/** Give the money of a payment back, at the gateway that took it. */
export function refundPayment(gateways: Clients["gateways"]) {
  return async (payment: Payment, s: StepContext): Promise<unknown> => {
    const gateway = payment.gateway === "gateway-primary" ? gateways.primary : gateways.fallback;
    const answer = await gateway.refund({ payment_id: payment.payment_id }, callOf(s));
    if (!answer.ok && answer.code === "already_refunded") return { refunded: payment.amount, earlier: true };
    return { refunded: gatewayValue(answer).amount };
  };
}

/** Close the key of a charge: money that was taken goes back, a late charge is refused. */
export function voidPayment(gateway: Gateway) {
  return async (charge_key: string, s: StepContext) => {
    const { had_charged } = gatewayValue(await gateway.void({ charge_key }, callOf(s)));
    return { had_charged, gateway: gateway.name };
  };
}

/** Put pieces back on the shelf. */
export function releaseInventory(inventory: Clients["inventory"]) {
  return async (hold_key: string, s: StepContext) => inventoryValue(await inventory.release({ hold_key }, callOf(s)));
}

/** Mark an order as cancelled. */
export function cancelOrder(orders: Clients["orders"]) {
  return async (order_key: string, s: StepContext) => ordersValue(await orders.cancel({ order_key }, callOf(s)));
}

function callOf(s: StepContext): CallOptions {
  return { idempotencyKey: s.idempotencyKey, reference: s.runId };
}
