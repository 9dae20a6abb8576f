/**
 * Payment: the primary gateway, and the second one when the first is out. One charge kept in all.
 *
 * A gateway that timed out may have charged. So its key is voided first: the money goes back
 * if it was charged, and a charge that arrives late is refused. Only then is the next one asked.
 */
import type { Ctx, Settled } from "stepwell";
import type { Clients, Gateway } from "../growthcorp/clients.ts";
import { settleForCertain } from "./certainty.ts";
import type { OrderInput } from "./domain.ts";
import { isOutage } from "./failures.ts";
import { type Payment, processPayment } from "./handlers/process-payment.ts";
import type { Pacing } from "./pacing.ts";
import { refundPayment, voidPayment } from "./undo.ts";

/** What is to be paid. */
export type Due = { readonly payment_info: OrderInput["payment_info"]; readonly total: number };

/** Takes a payment at whichever gateway works; it is refunded if the run fails later. */
export type TakePayment = (ctx: Ctx, due: Due) => Promise<Payment>;

/** The payment steps of a checkout, for these gateways. */
export function openPayment(gateways: Clients["gateways"], pacing: Pacing): TakePayment {
  const tryPrimary = openGatewaySteps(gateways, gateways.primary, pacing);
  const tryFallback = openGatewaySteps(gateways, gateways.fallback, pacing);
  return async (ctx, due) => {
    const first = await tryPrimary(ctx, due, { charge: "process_payment", close: "void_payment" });
    if (first.ok) return first.value;
    if (!isOutage(first.error)) throw first.error;
    const names = { charge: "process_payment_fallback", close: "void_payment_fallback" };
    const second = await tryFallback(ctx, due, names);
    if (second.ok) return second.value;
    throw second.error;
  };
}

/** Names of the two steps: charge, and close the key of a charge whose fate is unknown. */
type Names = { readonly charge: string; readonly close: string };

function openGatewaySteps(gateways: Clients["gateways"], gateway: Gateway, pacing: Pacing) {
  const charge = processPayment(gateway, pacing);
  const refund = refundPayment(gateways);
  const voidKey = voidPayment(gateway);
  return (ctx: Ctx, due: Due, names: Names): Promise<Settled<Payment>> => {
    const charge_key = ctx.uuid(names.charge);
    return settleForCertain(
      ctx
        .step(names.charge, charge, { ...due, charge_key })
        .compensate(refund, pacing.patient)
        .settle(),
      () => ctx.step(names.close, (s) => voidKey(charge_key, s)).retry(pacing.patient),
    );
  };
}
