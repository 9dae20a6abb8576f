/** What an order costs, by the rules of the chapter; no engine. */
import { describe, expect, it } from "vitest";
import type { Tier } from "../../growthcorp/customer.ts";
import { estimatedDelivery, Order, priceCart, type Priority, shippingFor } from "../domain.ts";
import { generateOrders, sampleOrder } from "../sample-order.ts";

const line = (price: number, quantity: number) => ({ product_id: "p", name: "P", price, quantity });
const standard = { tier: "standard", priority: "standard" } as const;

describe("pricing", () => {
  it("gives the golden case: 2 × 29.99 + 49.99 is 124.76 with 8.80 tax and 5.99 shipping", () => {
    const cart = priceCart([line(2_999, 2), line(4_999, 1)], standard);
    expect(cart).toMatchObject({ subtotal: 10_997, tax: 880, shipping: 599, total: 12_476 });
    expect(cart.items.map((item) => item.line_total)).toEqual([5_998, 4_999]);
  });

  it.each([
    [1, 599],
    [4, 599],
    [5, 999],
    [20, 999],
    [21, 1_499],
    [400, 1_499],
  ])("ships %i pieces of half a pound for %i cents", (pieces, cents) => {
    expect(shippingFor(pieces, "standard", "standard")).toBe(cents);
  });

  it.each<[Tier, Priority, number]>([
    ["standard", "standard", 599],
    ["standard", "express", 1_599],
    ["standard", "overnight", 2_599],
    ["premium", "standard", 0],
    ["premium", "overnight", 0],
    ["enterprise", "express", 0],
  ])("ships for %s customers, %s, at %i cents", (tier, priority, cents) => {
    expect(shippingFor(1, tier, priority)).toBe(cents);
  });

  it("taxes the subtotal once, not each line, and not the shipping", () => {
    // 8 % of 6 cents is nothing, of 13 × 6 = 78 cents it is 6.24.
    expect(
      priceCart(
        Array.from({ length: 13 }, () => line(6, 1)),
        standard,
      ).tax,
    ).toBe(6);
    expect(priceCart([line(0, 1)], standard)).toMatchObject({ subtotal: 0, tax: 0, shipping: 599, total: 599 });
  });

  it("is exact: the parts of 500 generated orders add up to their totals", () => {
    for (const order of generateOrders(20_261_120, 500)) {
      const lines = order.cart_items.map((item) => ({ ...item, name: item.product_id }));
      const cart = priceCart(lines, { tier: order.customer_info.tier, priority: order.priority ?? "standard" });
      const subtotal = lines.reduce((sum, item) => sum + BigInt(item.price) * BigInt(item.quantity), 0n);
      expect(BigInt(cart.subtotal)).toBe(subtotal);
      expect(BigInt(cart.tax)).toBe((subtotal * 16n + 100n) / 200n);
      expect(cart.total).toBe(order.payment_info.amount);
    }
  });
});

describe("an order", () => {
  it("is normalised: e-mail in lower case, texts trimmed, standard priority unless said", () => {
    const { priority: _, ...order } = sampleOrder();
    const customer_info = { ...order.customer_info, email: "  Nora@Example.COM ", name: " Nora " };
    const parsed = Order.parse({ ...order, customer_info });
    expect(parsed.customer_info).toMatchObject({ email: "nora@example.com", name: "Nora" });
    expect(parsed.priority).toBe("standard");
  });

  it("is refused with a price in dollars, and told how to write it", () => {
    const order = sampleOrder();
    const result = Order.safeParse({ ...order, cart_items: [{ product_id: "mouse", quantity: 1, price: 29.99 }] });
    expect(result.error?.issues[0]).toMatchObject({ path: ["cart_items", 0, "price"] });
    expect(result.error?.issues[0]?.message).toContain("write 2999, not 29.99");
  });

  it.each([
    ["an unknown currency", { payment_info: { ...sampleOrder().payment_info, currency: "CHF" } }],
    ["an unknown tier", { customer_info: { ...sampleOrder().customer_info, tier: "gold" } }],
    ["no e-mail address", { customer_info: { ...sampleOrder().customer_info, email: "nora" } }],
    ["no address", { shipping_info: { address: "  " } }],
    ["a negative amount", { payment_info: { ...sampleOrder().payment_info, amount: -1 } }],
  ])("is refused with %s", (_, change) => {
    expect(Order.safeParse({ ...sampleOrder(), ...change }).success).toBe(false);
  });

  it("arrives seven days later, by UTC", () => {
    expect(estimatedDelivery(Date.UTC(2026, 10, 20, 23, 59, 59))).toBe("2026-11-27");
    expect(estimatedDelivery(Date.UTC(2028, 1, 25))).toBe("2028-03-03");
  });
});
