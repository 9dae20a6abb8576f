/**
 * Sample orders: what the scenarios, the demo and the tests buy.
 */
import { CATALOGUE, getProduct } from "../growthcorp/catalogue.ts";
import { CUSTOMERS, getCustomer } from "../growthcorp/customer.ts";
import { seededDice } from "../growthcorp/dice.ts";
import type { Cents } from "../growthcorp/money.ts";
import { PAYMENT_METHODS } from "../growthcorp/clients.ts";
import { type OrderInput, PRIORITIES, priceCart, type Priority } from "./domain.ts";

/** What a sample may choose; the rest is the golden case of Nora Lind. */
export type SampleOptions = {
  /** Id of a customer in the data set. */
  readonly customer?: string;
  /** Product id → pieces. */
  readonly cart?: Readonly<Record<string, number>>;
  readonly token?: string;
  readonly priority?: Priority;
  /** Replaces the amount that fits the cart. */
  readonly amount?: Cents;
  readonly email?: string;
  readonly method?: OrderInput["payment_info"]["method"];
};

/** The golden case: 2 × 29.99 + 49.99, total 124.76. */
export const GOLDEN_CART: Readonly<Record<string, number>> = { mouse: 2, keyboard: 1 };

/** An order that validates, unless the options spoil it. */
export function sampleOrder(options: SampleOptions = {}): OrderInput {
  const customer = getCustomer(options.customer ?? "cust-01");
  const priority = options.priority ?? "standard";
  const lines = Object.entries(options.cart ?? GOLDEN_CART).map(([id, quantity]) => {
    const product = getProduct(id);
    return { product_id: id, name: product.name, quantity, price: product.priceCents };
  });
  const amount = options.amount ?? priceCart(lines, { tier: customer.tier, priority }).total;
  return {
    cart_items: lines.map(({ product_id, quantity, price }) => ({ product_id, quantity, price })),
    payment_info: {
      method: options.method ?? "credit_card",
      amount,
      currency: "USD",
      token: options.token ?? "test_success",
    },
    customer_info: { ...customer, email: options.email ?? customer.email },
    shipping_info: { address: "12 Harbour Street, Port Ellis" },
    priority,
  };
}

/** Products with fewer pieces are left to the scenarios that want them to run out. */
const PLENTY = 40;

/** Orders of all kinds, the same ones for the same seed; a few dozen of them can all be delivered. */
export function generateOrders(seed: number, count: number): readonly OrderInput[] {
  const dice = seededDice(seed);
  const products = CATALOGUE.filter((product) => product.active && product.stock >= PLENTY);
  return Array.from({ length: count }, () => {
    const cart: Record<string, number> = {};
    for (let line = dice.between(1, 4); line > 0; line -= 1) cart[dice.pick(products).id] = dice.between(1, 3);
    const customer = dice.pick(CUSTOMERS).id;
    return sampleOrder({ cart, customer, priority: dice.pick(PRIORITIES), method: dice.pick(PAYMENT_METHODS) });
  });
}
