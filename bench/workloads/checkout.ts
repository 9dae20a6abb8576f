/**
 * Checkout: five steps that do nothing and return about 200 bytes each. What remains is
 * the price of durability: one insert, five checkpoints and one completion per run.
 */
import { workflow, type Workflow } from "stepwell";
import type { Figures, Task } from "../job.ts";
import { measureWorkflow } from "./measure.ts";

/** The steps, in their order. */
export const STEPS = ["validate_cart", "reserve_stock", "process_payment", "create_order", "send_receipt"] as const;

/** Input of every run. */
export const ORDER = { cart: "cart-000042", customer: "customer-000007", total: 129_90 };

/** Result of every step; 200 bytes as text. */
export const RESULT = {
  items: [
    { price: 49_90, quantity: 1, sku: "TEAPOT-BLUE" },
    { price: 20_00, quantity: 4, sku: "CUP-WHITE-200ML" },
  ],
  order: "order-000042",
  reference: "01990000-0000-7000-8000-000000000000",
  status: "accepted",
};

/** Result of every run. */
export const OUTPUT = { order: RESULT.order, status: RESULT.status };

/** The workflow; `bare` writes the rows that it leaves. */
export const checkout: Workflow<typeof ORDER, typeof OUTPUT> = workflow(
  "bench/checkout",
  { version: "1.0.0" },
  async (ctx, _order: typeof ORDER) => {
    for (const name of STEPS) await ctx.step(name, () => RESULT);
    return OUTPUT;
  },
);

/** Clients in a closed loop. */
export function measureCheckout(task: Task): Promise<Figures> {
  return measureWorkflow(task, checkout, ORDER);
}
