/**
 * Domain of the checkout: what an order is, and what it costs. Pure; no engine, no service.
 */
import { z } from "zod";
import { PAYMENT_METHODS } from "../growthcorp/clients.ts";
import { TIERS, type Tier } from "../growthcorp/customer.ts";
import { CURRENCIES, percentOf, type Cents } from "../growthcorp/money.ts";

/** How fast an order travels. */
export const PRIORITIES = ["standard", "express", "overnight"] as const;

/** One of {@link PRIORITIES}. */
export type Priority = (typeof PRIORITIES)[number];

/** Money in a payload: whole cents. */
export const Money = z.int({ error: "money is a whole number of cents: write 2999, not 29.99" }).min(0);

/** One line of a cart, as the browser sent it. The shape is checked here, its sense by validate_cart. */
export const CartItem = z.object({ product_id: z.string().trim(), quantity: z.number(), price: Money });

/** How the customer pays. */
export const PaymentInfo = z.object({
  method: z.enum(PAYMENT_METHODS),
  amount: Money,
  currency: z.enum(CURRENCIES),
  token: z.string().trim(),
});

/** Who buys. */
export const CustomerInfo = z.object({
  id: z.string().trim().min(1),
  email: z.string().trim().toLowerCase().pipe(z.email()),
  name: z.string().trim().min(1),
  tier: z.enum(TIERS),
});

/** Input of the workflow. */
export const Order = z.object({
  cart_items: z.array(CartItem).max(500),
  payment_info: PaymentInfo,
  customer_info: CustomerInfo,
  shipping_info: z.object({ address: z.string().trim().min(1) }),
  priority: z.enum(PRIORITIES).default("standard"),
});

/** An order as a caller writes it. */
export type OrderInput = z.input<typeof Order>;

/** A line that may be sold. */
export const Line = z.object({ product_id: z.string(), quantity: z.int().min(1) });

/** A priced line. */
export const PricedLine = Line.extend({ name: z.string(), price: Money, line_total: Money });

/** A cart after validate_cart: all amounts in cents. */
export const Cart = z.object({
  items: z.array(PricedLine).min(1),
  subtotal: Money,
  tax: Money,
  shipping: Money,
  total: Money,
});

/** See {@link Cart}. */
export type Cart = z.output<typeof Cart>;

/** Pieces of one line at most; more is a typing error or a reseller, and both should call. */
export const QUANTITY_MAX = 100;

/** Percent of the subtotal; shipping is not taxed. */
const TAX_PERCENT = 8;

/** Every piece counts as half a pound, in ounces to stay whole. */
const OUNCES_PER_PIECE = 8;
const OUNCES_PER_POUND = 16;

/** Up to so many pounds, both ends included: so many cents. */
const SHIPPING_RATES: readonly { readonly pounds: number; readonly cents: Cents }[] = [
  { pounds: 2, cents: 599 },
  { pounds: 10, cents: 999 },
  { pounds: Infinity, cents: 1_499 },
];

const PRIORITY_SURCHARGE: Readonly<Record<Priority, Cents>> = { standard: 0, express: 1_000, overnight: 2_000 };

/** Premium and enterprise ship free, surcharge included. */
const SHIPS_FREE: Readonly<Record<Tier, boolean>> = { standard: false, premium: true, enterprise: true };

/** Shipping in cents for so many pieces. */
export function shippingFor(pieces: number, tier: Tier, priority: Priority): Cents {
  if (SHIPS_FREE[tier]) return 0;
  const ounces = pieces * OUNCES_PER_PIECE;
  const rate = SHIPPING_RATES.find(({ pounds }) => ounces <= pounds * OUNCES_PER_POUND);
  return (rate?.cents ?? 0) + PRIORITY_SURCHARGE[priority];
}

/** Price lines: the tax is rounded once, on the subtotal. */
export function priceCart(
  lines: readonly {
    readonly product_id: string;
    readonly name: string;
    readonly quantity: number;
    readonly price: Cents;
  }[],
  customer: { readonly tier: Tier; readonly priority: Priority },
): Cart {
  const items = lines.map((line) => ({ ...line, line_total: line.price * line.quantity }));
  const subtotal = items.reduce((sum, item) => sum + item.line_total, 0);
  const pieces = items.reduce((sum, item) => sum + item.quantity, 0);
  const tax = percentOf(subtotal, TAX_PERCENT);
  const shipping = shippingFor(pieces, customer.tier, customer.priority);
  return { items, subtotal, tax, shipping, total: subtotal + tax + shipping };
}

/** Days from the order to the door. */
const DELIVERY_DAYS = 7;

/** `2026-11-27` for an order of 20 November 2026, by UTC. */
export function estimatedDelivery(orderedAtMs: number): string {
  return new Date(orderedAtMs + DELIVERY_DAYS * 86_400_000).toISOString().slice(0, 10);
}
