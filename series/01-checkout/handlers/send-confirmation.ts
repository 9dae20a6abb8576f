/**
 * send_confirmation: tell the customer.
 */
import { handler } from "stepwell";
import { z } from "zod";
import type { Mailer } from "../../growthcorp/clients.ts";
import { CURRENCIES, formatMoney } from "../../growthcorp/money.ts";
import { Money } from "../domain.ts";
import { mailerValue } from "../failures.ts";
import type { Pacing } from "../pacing.ts";

const Input = z.object({
  email: z.string(),
  name: z.string(),
  order_id: z.string(),
  total: Money,
  currency: z.enum(CURRENCIES),
  estimated_delivery: z.string(),
});

/** A mail that was accepted. */
export type Confirmation = { readonly message_id: string; readonly sent_at: Date };

/** 5 attempts: mail servers rest more often than others. */
export function sendConfirmation(mailer: Mailer, pacing: Pacing) {
  const options = { input: Input, attempts: 5, retry: pacing.retry, timeout: pacing.timeout };
  return handler("send_confirmation", options, async (input, s): Promise<Confirmation> => {
    const answer = await mailer.send(toMail(input), { idempotencyKey: s.idempotencyKey, reference: s.runId });
    const { message_id, sent_at_ms } = mailerValue(answer);
    return { message_id, sent_at: new Date(sent_at_ms) };
  });
}

function toMail(input: z.output<typeof Input>): Parameters<Mailer["send"]>[0] {
  const total = formatMoney(input.total, input.currency);
  const body = `Hello ${input.name}, we received ${total}. Your order arrives on ${input.estimated_delivery}.`;
  return { to: input.email, subject: `Order ${input.order_id} is confirmed`, body };
}
