/**
 * Cast of the demo on PostgreSQL: eight orders for four workers, and what befalls them.
 */
import type { Fault } from "../growthcorp/world/fault.ts";
import { CAST, DEMO_FAULTS, type Role } from "./demo-cast.ts";
import { sampleOrder } from "./sample-order.ts";

/** Each worker by its name, and the orders that come to it first. */
export const CREW: readonly { readonly name: string; readonly orders: readonly string[] }[] = [
  { name: "A", orders: ["order:1001", "order:1004"] },
  { name: "B", orders: ["order:1002", "order:1003"] },
  { name: "C", orders: ["order:1007", "order:1008"] },
  { name: "D", orders: ["order:1005", "order:1006"] },
];

/** All orders. */
export const FLEET_CAST: readonly Role[] = [
  ...CAST,
  {
    id: "order:1007",
    fate: "paid",
    about: "the worker dies right after the order is written",
    killedDuring: "insert",
    order: sampleOrder({ customer: "cust-02", cart: { webcam: 1 } }),
  },
  {
    id: "order:1008",
    fate: "paid",
    about: "nothing happens to it, but its worker dies",
    order: sampleOrder({ customer: "cust-05", cart: { mat: 2, cable: 1 } }),
  },
];

/**
 * What goes wrong beside the faults of the other demo. Order 1007 is held up before, so that the first takeover can be
 * seen before the second one begins, and 1008, so that it is under way then.
 */
export const FLEET_FAULTS: readonly Fault[] = [
  ...DEMO_FAULTS,
  {
    service: "inventory",
    operation: "look",
    reference: "order:1007",
    times: 1,
    trouble: { kind: "delay", moment: "before", delayMs: 1_800 },
  },
  {
    service: "orders",
    operation: "insert",
    reference: "order:1007",
    times: 1,
    trouble: { kind: "delay", moment: "after", delayMs: 5_000 },
  },
  {
    service: "inventory",
    operation: "reserve",
    reference: "order:1008",
    times: 1,
    trouble: { kind: "delay", moment: "before", delayMs: 2_000 },
  },
];
