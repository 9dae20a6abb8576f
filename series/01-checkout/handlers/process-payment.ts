/**
 * process_payment: charge the customer at one gateway.
 *
 * The idempotency key is part of the input, because a second step (void_payment) must be
 * able to name it when the answer is lost. The call is not aborted when the run is
 * cancelled: to know whether the card was charged is worth the wait.
 */
import { handler, PermanentError } from "stepwell";
import { z } from "zod";
import type { Gateway } from "../../growthcorp/clients.ts";
import { Money, PaymentInfo } from "../domain.ts";
import { gatewayValue } from "../failures.ts";
import type { Pacing } from "../pacing.ts";

const Input = z.object({ payment_info: PaymentInfo, total: Money, charge_key: z.string().min(1) });

/** A payment that was taken. `gateway` took it and is the one to refund it. */
export const Payment = z.object({
  payment_id: z.string(),
  transaction_id: z.string(),
  amount: Money,
  gateway: z.enum(["gateway-primary", "gateway-fallback"]),
});

/** See {@link Payment}. */
export type Payment = z.output<typeof Payment>;

/** 3 attempts. */
export function processPayment(gateway: Gateway, pacing: Pacing) {
  const options = { input: Input, output: Payment, attempts: 3, retry: pacing.retry, timeout: pacing.timeout };
  return handler("process_payment", options, async (input, s): Promise<Payment> => {
    const request = toCharge(input);
    const answer = await gateway.charge(request, { idempotencyKey: input.charge_key, reference: s.runId });
    const { payment_id, transaction_id, amount } = gatewayValue(answer);
    return { payment_id, transaction_id, amount, gateway: gateway.name };
  });
}

function toCharge(input: z.output<typeof Input>): Parameters<Gateway["charge"]>[0] {
  const { method, amount, currency, token } = input.payment_info;
  if (token === "") throw new PermanentError("the payment has no token", { code: "PAYMENT_TOKEN_MISSING" });
  if (amount !== input.total) {
    const message = `the payment is over ${amount} cents, the order over ${input.total}`;
    throw new PermanentError(message, { code: "PAYMENT_AMOUNT_MISMATCH" });
  }
  return { amount, currency, method, token };
}
