/**
 * Failures: what each service's "no" means for the step. One table per service, and the
 * only place where permanent and retryable are decided.
 */
import { PermanentError, RetryableError } from "stepwell";
import type { Answer, GatewayCode, InventoryCode, MailerCode, OrdersCode } from "../growthcorp/clients.ts";

/** `retryAfter` holds where the service did not say when to come back. */
type Verdict = {
  readonly retry: boolean;
  readonly code: string;
  readonly retryAfter?: string;
};

const permanent = (code: string): Verdict => ({ retry: false, code });
const retryable = (code: string, retryAfter?: string): Verdict =>
  retryAfter === undefined ? { retry: true, code } : { retry: true, code, retryAfter };

const GATEWAY: Readonly<Record<GatewayCode, Verdict>> = {
  insufficient_funds: permanent("PAYMENT_INSUFFICIENT_FUNDS"),
  card_declined: permanent("PAYMENT_CARD_DECLINED"),
  invalid_card: permanent("PAYMENT_INVALID_CARD"),
  unauthorised: permanent("GATEWAY_UNAUTHORISED"),
  idempotency_conflict: permanent("GATEWAY_KEY_CONFLICT"),
  voided: permanent("PAYMENT_VOIDED"),
  unknown_payment: permanent("PAYMENT_UNKNOWN"),
  already_refunded: permanent("PAYMENT_ALREADY_REFUNDED"),
  rate_limited: retryable("GATEWAY_RATE_LIMITED", "30s"),
  timeout: retryable("GATEWAY_TIMEOUT"),
  unavailable: retryable("GATEWAY_UNAVAILABLE"),
  network: retryable("GATEWAY_NETWORK"),
};

const INVENTORY: Readonly<Record<InventoryCode, Verdict>> = {
  unknown_product: permanent("PRODUCT_UNKNOWN"),
  closed: permanent("RESERVATION_CLOSED"),
  unauthorised: permanent("INVENTORY_UNAUTHORISED"),
  idempotency_conflict: permanent("INVENTORY_KEY_CONFLICT"),
  not_available: retryable("STOCK_NOT_AVAILABLE"),
  reservation_failed: retryable("RESERVATION_FAILED"),
  rate_limited: retryable("INVENTORY_RATE_LIMITED", "30s"),
  timeout: retryable("INVENTORY_TIMEOUT"),
  unavailable: retryable("INVENTORY_UNAVAILABLE"),
  network: retryable("INVENTORY_NETWORK"),
};

const ORDERS: Readonly<Record<OrdersCode, Verdict>> = {
  invalid_order: permanent("ORDER_INVALID"),
  closed: permanent("ORDER_CLOSED"),
  unauthorised: permanent("ORDERS_UNAUTHORISED"),
  idempotency_conflict: permanent("ORDERS_KEY_CONFLICT"),
  deadlock: retryable("ORDERS_DEADLOCK"),
  rate_limited: retryable("ORDERS_RATE_LIMITED", "30s"),
  timeout: retryable("ORDERS_TIMEOUT"),
  unavailable: retryable("ORDERS_UNAVAILABLE"),
  network: retryable("ORDERS_NETWORK"),
};

const MAILER: Readonly<Record<MailerCode, Verdict>> = {
  invalid_address: permanent("EMAIL_INVALID"),
  unauthorised: permanent("MAILER_UNAUTHORISED"),
  idempotency_conflict: permanent("MAILER_KEY_CONFLICT"),
  rate_limited: retryable("MAILER_RATE_LIMITED", "60s"),
  timeout: retryable("MAILER_TIMEOUT"),
  unavailable: retryable("MAILER_UNAVAILABLE"),
  network: retryable("MAILER_NETWORK"),
};

/** The answer's value; throws PermanentError or RetryableError for a refusal. */
export function valueOf<Value, Code extends string>(
  answer: Answer<Value, Code>,
  verdicts: Readonly<Record<NoInfer<Code>, Verdict>>,
): Value {
  if (answer.ok) return answer.value;
  const { retry, code, retryAfter } = verdicts[answer.code];
  if (!retry) throw new PermanentError(answer.message, { code });
  const after = answer.retryAfterMs ?? retryAfter;
  throw new RetryableError(answer.message, after === undefined ? { code } : { code, retryAfter: after });
}

/** What a gateway answered. */
export const gatewayValue = <Value>(answer: Answer<Value, GatewayCode>): Value => valueOf(answer, GATEWAY);

/** What the warehouse answered. */
export const inventoryValue = <Value>(answer: Answer<Value, InventoryCode>): Value => valueOf(answer, INVENTORY);

/** What the orders database answered. */
export const ordersValue = <Value>(answer: Answer<Value, OrdersCode>): Value => valueOf(answer, ORDERS);

/** What the mail service answered. */
export const mailerValue = <Value>(answer: Answer<Value, MailerCode>): Value => valueOf(answer, MAILER);

/** Faults of the order that are found before any call. */
const UNCALLED: readonly string[] = [
  "INPUT_INVALID",
  "PAYMENT_TOKEN_MISSING",
  "PAYMENT_AMOUNT_MISMATCH",
  "RESERVATION_DATA_MISSING",
  "ORDER_INVALID",
];

/** What a service says only after it has looked for the key. Had an earlier attempt acted, it would have answered ok. */
const ANSWERED: readonly string[] = [
  "PAYMENT_INSUFFICIENT_FUNDS",
  "PAYMENT_CARD_DECLINED",
  "PAYMENT_INVALID_CARD",
  "PAYMENT_VOIDED",
  "STOCK_NOT_AVAILABLE",
  "RESERVATION_FAILED",
  "RESERVATION_CLOSED",
  "PRODUCT_UNKNOWN",
  "ORDER_CLOSED",
];

const CERTAIN: ReadonlySet<string> = new Set([...UNCALLED, ...ANSWERED]);

/** Whether a step that failed with this as its last error may have had its effect all the same. When in doubt, it may. */
export function mayHaveActed(error: { readonly code?: string }): boolean {
  return error.code === undefined || !CERTAIN.has(error.code);
}

/** Whether another gateway may do better: the trouble was the gateway's, not the card's, and would have been tried again. */
export function isOutage(error: { readonly name: string; readonly code?: string }): boolean {
  return mayHaveActed(error) && error.name !== "PermanentError";
}
