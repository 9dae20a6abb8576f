/**
 * Clients: how GrowthCorp's programs talk to the systems around them. Handlers
 * depend on these types only; what answers is chosen by whoever starts the program
 * (the simulated world here, HTTP clients in chapter 3).
 *
 * A client reports what it heard and judges nothing: whether a refusal is worth
 * another try is decided in one place per service, by the program.
 */
import type { Cents, Currency } from "./money.ts";

/** Sent along with every call. */
export type CallOptions = {
  /** The same key means the same wish: the receiver acts on it once and answers alike. */
  readonly idempotencyKey: string;
  /** The order that the call is about, for the receiver's books. */
  readonly reference: string;
  /** Aborted: the call rejects with the signal's reason; whether it had an effect is unknown. */
  readonly signal?: AbortSignal;
};

/** A "no". `retryAfterMs` is what the receiver asked for, null when it did not say. */
export type Refusal<Code extends string> = {
  readonly ok: false;
  readonly code: Code;
  readonly message: string;
  readonly retryAfterMs: number | null;
};

/** What came back. */
export type Answer<Value, Code extends string> = { readonly ok: true; readonly value: Value } | Refusal<Code>;

/** What any service may answer when it does not work. After `timeout` and `network` nobody knows whether it acted. */
export type TroubleCode =
  | "timeout"
  | "network"
  | "unavailable"
  | "rate_limited"
  | "unauthorised"
  | "idempotency_conflict";

/** What a gateway refuses with. `voided`: that key was closed by {@link Gateway.void}. */
export type GatewayCode =
  | TroubleCode
  | "insufficient_funds"
  | "card_declined"
  | "invalid_card"
  | "voided"
  | "unknown_payment"
  | "already_refunded";

/** Ways to pay. */
export const PAYMENT_METHODS = ["credit_card", "debit_card", "paypal", "bank_transfer"] as const;

/** One of {@link PAYMENT_METHODS}. */
export type PaymentMethod = (typeof PAYMENT_METHODS)[number];

/** The two gateways of GrowthCorp. */
export type GatewayName = "gateway-primary" | "gateway-fallback";

/** A payment gateway. */
export type Gateway = {
  readonly name: GatewayName;
  readonly charge: (
    request: {
      readonly amount: Cents;
      readonly currency: Currency;
      readonly method: PaymentMethod;
      readonly token: string;
    },
    call: CallOptions,
  ) => Promise<
    Answer<{ readonly payment_id: string; readonly transaction_id: string; readonly amount: Cents }, GatewayCode>
  >;
  /** Give all of a payment back. */
  readonly refund: (
    request: { readonly payment_id: string },
    call: CallOptions,
  ) => Promise<Answer<{ readonly refund_id: string; readonly amount: Cents }, GatewayCode>>;
  /**
   * Close the idempotency key of a charge whose answer was lost: if it was charged, the money goes back; if not,
   * a charge that arrives late under this key is refused as `voided`.
   */
  readonly void: (
    request: { readonly charge_key: string },
    call: CallOptions,
  ) => Promise<Answer<{ readonly had_charged: boolean }, GatewayCode>>;
};

/** So many pieces of a product. */
export type Line = { readonly product_id: string; readonly quantity: number };

/** Pieces set aside until `expires_at_ms` (epoch). */
export type Reservation = Line & { readonly reservation_id: string; readonly expires_at_ms: number };

/** A product's stock before and after. */
export type StockChange = { readonly product_id: string; readonly from: number; readonly to: number };

/** What the warehouse refuses with. `closed`: that key was closed by {@link Inventory.release}. */
export type InventoryCode = TroubleCode | "not_available" | "reservation_failed" | "unknown_product" | "closed";

/** The warehouse. */
export type Inventory = {
  /** Pieces on hand by product; unknown products are left out. */
  readonly look: (
    request: { readonly product_ids: readonly string[] },
    call: CallOptions,
  ) => Promise<Answer<Readonly<Record<string, number>>, InventoryCode>>;
  /** All lines or none. */
  readonly reserve: (
    request: { readonly customer_id: string; readonly lines: readonly Line[]; readonly hold_ms: number },
    call: CallOptions,
  ) => Promise<
    Answer<{ readonly reservations: readonly Reservation[]; readonly changes: readonly StockChange[] }, InventoryCode>
  >;
  /** Put back what is held under the key of a reservation, if anything; one that arrives late under it is refused. */
  readonly release: (
    request: { readonly hold_key: string },
    call: CallOptions,
  ) => Promise<Answer<{ readonly had_held: boolean; readonly changes: readonly StockChange[] }, InventoryCode>>;
};

/** What the orders database refuses with. `closed`: that key was closed by {@link Orders.cancel}. */
export type OrdersCode = TroubleCode | "deadlock" | "invalid_order" | "closed";

/** A new order. */
export type NewOrder = {
  readonly customer_id: string;
  readonly payment_id: string;
  readonly reservation_ids: readonly string[];
  readonly lines: readonly Line[];
  readonly total: Cents;
  readonly currency: Currency;
  readonly address: string;
  /** Epoch milliseconds; gives the order its date. */
  readonly ordered_at_ms: number;
};

/** The orders database. */
export type Orders = {
  /** The id, `ORD-YYYYMMDD-HEX8`, is unique and the same for the same key. */
  readonly insert: (
    order: NewOrder,
    call: CallOptions,
  ) => Promise<Answer<{ readonly order_id: string; readonly status: "confirmed" }, OrdersCode>>;
  /** Cancel the order that was written under that key, if any; one that arrives late under it is refused. */
  readonly cancel: (
    request: { readonly order_key: string },
    call: CallOptions,
  ) => Promise<Answer<{ readonly had_order: boolean }, OrdersCode>>;
};

/** What the mail service refuses with. */
export type MailerCode = TroubleCode | "invalid_address";

/** The mail service. */
export type Mailer = {
  readonly send: (
    mail: { readonly to: string; readonly subject: string; readonly body: string },
    call: CallOptions,
  ) => Promise<Answer<{ readonly message_id: string; readonly sent_at_ms: number }, MailerCode>>;
};

/** Everything that a checkout talks to. */
export type Clients = {
  readonly gateways: { readonly primary: Gateway; readonly fallback: Gateway };
  readonly inventory: Inventory;
  readonly orders: Orders;
  readonly mailer: Mailer;
};
