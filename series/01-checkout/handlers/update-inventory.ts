/**
 * update_inventory: set the pieces aside for 15 minutes. The key is part of the input for the reason given in
 * process-payment.ts.
 */
import { handler, PermanentError } from "stepwell";
import { z } from "zod";
import type { Inventory, Reservation, StockChange } from "../../growthcorp/clients.ts";
import { inventoryValue } from "../failures.ts";
import type { Pacing } from "../pacing.ts";

const Input = z.object({
  items: z.array(z.object({ product_id: z.string(), quantity: z.int() })),
  customer_id: z.string(),
  hold_key: z.string().min(1),
});

/** What was set aside. */
export type Reserved = { readonly reservations: readonly Reservation[]; readonly changes: readonly StockChange[] };

const HOLD_MS = 15 * 60_000;

/** 2 attempts: after the payment nobody should wait long for stock that may never come. */
export function updateInventory(inventory: Inventory, pacing: Pacing) {
  const options = { input: Input, attempts: 2, retry: pacing.retry, timeout: pacing.timeout };
  return handler("update_inventory", options, async (input, s): Promise<Reserved> => {
    if (input.items.length === 0 || input.customer_id === "") {
      throw new PermanentError("a reservation needs items and a customer", { code: "RESERVATION_DATA_MISSING" });
    }
    const answer = await inventory.reserve(
      { customer_id: input.customer_id, lines: input.items, hold_ms: HOLD_MS },
      { idempotencyKey: input.hold_key, reference: s.runId },
    );
    const { reservations, changes } = inventoryValue(answer);
    return { reservations, changes };
  });
}
