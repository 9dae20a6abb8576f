/**
 * Gateway: a simulated payment gateway. Its demo tokens decide what it answers:
 *
 * | token            | answer                                                            |
 * | ---------------- | ----------------------------------------------------------------- |
 * | test_success     | charged                                                           |
 * | test_insufficient, test_declined, test_invalid | declined, by every gateway          |
 * | test_timeout     | the primary times out twice without charging, then charges        |
 * | test_rate_limit  | the primary answers 429 with Retry-After once, then charges       |
 * | test_unavailable | the primary is unavailable; the fallback charges                  |
 */
import { createHash } from "node:crypto";
import type { Answer, CallOptions, Gateway, GatewayCode, GatewayName } from "../clients.ts";
import type { Cents } from "../money.ts";
import { countCalls, findEffect, isClosed, performCall, refuse, storeEffect, type World } from "./world.ts";

type Charge = { readonly payment_id: string; readonly transaction_id: string; readonly amount: Cents };

/** How often test_timeout times out. */
const TOKEN_TIMEOUTS = 2;

/** A gateway of that name, with books of its own in the world's file. */
export function openGateway(world: World, name: GatewayName): Gateway {
  return {
    name,
    charge: (request, options) => {
      const call = { service: name, operation: "charge", stored: true, request, options } as const;
      return performCall<Charge, GatewayCode>(world, call, () => charge(world, name, request, options));
    },
    refund: (request, options) => {
      const call = { service: name, operation: "refund", stored: true, request, options } as const;
      return performCall(world, call, () => refund(world, name, request.payment_id));
    },
    void: (request, options) => {
      const call = { service: name, operation: "void", stored: true, request, options } as const;
      return performCall(world, call, () => voidKey(world, name, request.charge_key, options));
    },
  };
}

function charge(
  world: World,
  name: GatewayName,
  request: { readonly amount: Cents; readonly token: string },
  options: CallOptions,
): Answer<Charge, GatewayCode> {
  const key = options.idempotencyKey;
  const closing = { service: name, operation: "void" } as const;
  if (isClosed(world, closing, "charge_key", key)) return refuse("voided", "this key was voided");
  const refused = refuseByToken(world, name, request.token, options);
  if (refused !== null) return refused;
  const mark = createHash("sha256").update(`${name}:${key}`).digest("hex");
  const prefix = name === "gateway-primary" ? "pay" : "alt";
  const value = { payment_id: `${prefix}_${mark.slice(0, 12)}`, transaction_id: `txn_${mark.slice(12, 24)}` };
  return { ok: true, value: { ...value, amount: request.amount } };
}

function refuseByToken(
  world: World,
  name: GatewayName,
  token: string,
  options: CallOptions,
): Extract<Answer<never, GatewayCode>, { ok: false }> | null {
  const primary = name === "gateway-primary";
  const calls = (): number => countCalls(world, { service: name, operation: "charge", options });
  switch (token) {
    case "test_success":
      return null;
    case "test_insufficient":
      return refuse("insufficient_funds", "the account does not cover the amount");
    case "test_declined":
      return refuse("card_declined", "the bank declined the card");
    case "test_timeout":
      return primary && calls() <= TOKEN_TIMEOUTS ? refuse("timeout", "no answer in time") : null;
    case "test_rate_limit":
      return primary && calls() <= 1 ? refuse("rate_limited", "too many requests", world.pace.retryAfterMs) : null;
    case "test_unavailable":
      return primary ? refuse("unavailable", "the gateway is down for maintenance") : null;
    default:
      return refuse("invalid_card", "no card stands behind this token");
  }
}

/** A payment is given back once, whoever asks and under whichever key. */
function refund(
  world: World,
  name: GatewayName,
  paymentId: string,
): Answer<{ refund_id: string; amount: Cents; payment_id: string }, GatewayCode> {
  const find = world.db.prepare(
    "SELECT result FROM effects WHERE service = ? AND operation = ? AND result ->> 'payment_id' = ?",
  );
  const charged = find.get(name, "charge", paymentId);
  if (charged === undefined) return refuse("unknown_payment", `no payment ${paymentId}`);
  if (find.get(name, "refund", paymentId) !== undefined) return refuse("already_refunded", `${paymentId} was refunded`);
  const { amount } = JSON.parse(charged.result as string) as Charge;
  return { ok: true, value: { refund_id: `ref_${paymentId.slice(4)}`, amount, payment_id: paymentId } };
}

function voidKey(
  world: World,
  name: GatewayName,
  chargeKey: string,
  options: CallOptions,
): Answer<{ had_charged: boolean }, GatewayCode> {
  const charged = findEffect(world, name, "charge", chargeKey) as Charge | null;
  if (charged === null) return { ok: true, value: { had_charged: false } };
  const answer = refund(world, name, charged.payment_id);
  if (answer.ok) {
    const call = { service: name, operation: "refund", request: { payment_id: charged.payment_id } };
    storeEffect(world, { ...call, options: { ...options, idempotencyKey: `void:${chargeKey}` } }, answer.value);
  }
  return { ok: true, value: { had_charged: true } };
}
