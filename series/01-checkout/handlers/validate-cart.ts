/**
 * validate_cart: is this a cart that can be sold, and what does it cost?
 *
 * The price is the catalogue's; what the browser sent must agree with it.
 */
import { handler, PermanentError, RetryableError } from "stepwell";
import { z } from "zod";
import { findProduct, type Product } from "../../growthcorp/catalogue.ts";
import type { Inventory } from "../../growthcorp/clients.ts";
import { TIERS } from "../../growthcorp/customer.ts";
import { Cart, CartItem, priceCart, PRIORITIES, QUANTITY_MAX } from "../domain.ts";
import { inventoryValue } from "../failures.ts";
import type { Pacing } from "../pacing.ts";

const Input = z.object({ cart_items: z.array(CartItem), tier: z.enum(TIERS), priority: z.enum(PRIORITIES) });

type SoldLine = {
  readonly product_id: string;
  readonly name: string;
  readonly quantity: number;
  readonly price: number;
};

/** 3 attempts: stock may come back. */
export function validateCart(inventory: Inventory, pacing: Pacing) {
  const options = { input: Input, output: Cart, attempts: 3, retry: pacing.retry, timeout: pacing.timeout };
  return handler("validate_cart", options, async (input, s): Promise<Cart> => {
    const lines = checkLines(input.cart_items);
    const answer = await inventory.look(
      { product_ids: lines.map((line) => line.product_id) },
      { idempotencyKey: s.idempotencyKey, reference: s.runId, signal: s.signal },
    );
    checkStock(lines, inventoryValue(answer));
    return priceCart(lines, input);
  });
}

/** Every fault of a cart is permanent: the same cart will have it tomorrow. */
function checkLines(items: z.output<typeof Input>["cart_items"]): readonly SoldLine[] {
  if (items.length === 0) throw new PermanentError("the cart is empty", { code: "CART_EMPTY" });
  return items.map((item, index) => {
    const where = `line ${index + 1}`;
    if (item.product_id === "") throw new PermanentError(`${where} names no product`, { code: "PRODUCT_MISSING" });
    const product = getSellable(item.product_id, where);
    if (!Number.isInteger(item.quantity) || item.quantity < 1 || item.quantity > QUANTITY_MAX) {
      const message = `${where}: quantity ${item.quantity} is not a whole number from 1 to ${QUANTITY_MAX}`;
      throw new PermanentError(message, { code: "QUANTITY_BAD" });
    }
    if (item.price !== product.priceCents) {
      const message = `${where}: ${product.id} costs ${product.priceCents} cents, the cart says ${item.price}`;
      throw new PermanentError(message, { code: "PRICE_CHANGED" });
    }
    return { product_id: product.id, name: product.name, quantity: item.quantity, price: product.priceCents };
  });
}

function getSellable(id: string, where: string): Product {
  const product = findProduct(id);
  if (product === null) throw new PermanentError(`${where}: no product "${id}"`, { code: "PRODUCT_UNKNOWN" });
  if (!product.active) throw new PermanentError(`${where}: ${id} is no longer sold`, { code: "PRODUCT_INACTIVE" });
  return product;
}

function checkStock(lines: readonly SoldLine[], onHand: Readonly<Record<string, number>>): void {
  const wanted = new Map<string, number>();
  for (const line of lines) wanted.set(line.product_id, (wanted.get(line.product_id) ?? 0) + line.quantity);
  for (const [id, quantity] of wanted) {
    const there = onHand[id] ?? 0;
    if (there >= quantity) continue;
    throw new RetryableError(`${id}: ${quantity} wanted, ${there} on hand`, { code: "STOCK_INSUFFICIENT" });
  }
}
